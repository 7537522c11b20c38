//! TLS and the connections of a line: whom it trusts, through which proxy it goes.

use std::{path::Path, sync::Arc, time::Duration};

use reqwest::{Proxy, Url, redirect};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{
    CertificateDer,
    pem::{self, PemObject},
};

use super::{HttpConfig, HttpConfigError, Secret};

/// What the vendor is told about the caller.
const USER_AGENT: &str = concat!("lifesign/", env!("CARGO_PKG_VERSION"));

/// How long an unused connection is kept. Ours: shorter than servers and load balancers commonly keep theirs (60 s and more),
/// because a request that meets a connection in the moment of its closing may count as sent, and a paid one is then lost.
const IDLE: Duration = Duration::from_secs(15);

/// The connections of a line; makes none yet.
pub(super) fn connections(config: &HttpConfig) -> Result<reqwest::Client, HttpConfigError> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(config.ca_file.as_deref())?)
        .http1_only()
        // A redirect would take credentials and a person's face where the configuration did not say.
        .redirect(redirect::Policy::none())
        .referer(false)
        // When to repeat is decided in one place, and it is not there.
        .retry(reqwest::retry::never())
        .no_proxy()
        .user_agent(USER_AGENT)
        .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(config.max_concurrent as usize);
    if let Some(address) = &config.proxy {
        builder = builder.proxy(proxy(address)?);
    }
    // Its words could hold the proxy's address.
    builder.build().map_err(|_| wrong("ca_file", "no client can be made with these certificates"))
}

/// TLS 1.2 and 1.3, trusting Mozilla's authorities and those of the file. The provider is given here, so that nothing depends
/// on one for the whole process.
fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, HttpConfigError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        trust(&mut roots, path)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| wrong("ca_file", "this build has no usable version of TLS"))?;
    let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn trust(roots: &mut RootCertStore, path: &Path) -> Result<(), HttpConfigError> {
    let ca_file = |what: String| Err(HttpConfigError { setting: "ca_file".to_owned(), what });
    // A file may hold keys beside its certificates, so nothing that was read is repeated.
    let told = |error| match error {
        pem::Error::Io(error) => error.to_string(),
        _ => "it is no PEM file".to_owned(),
    };
    let certificates = match CertificateDer::pem_file_iter(path) {
        Ok(certificates) => certificates,
        Err(error) => return ca_file(told(error)),
    };
    let mut count = 0;
    for certificate in certificates {
        count += 1;
        let added = match certificate {
            Ok(certificate) => roots.add(certificate),
            Err(error) => return ca_file(told(error)),
        };
        if added.is_err() {
            return ca_file(format!("certificate {count} in it is no certificate authority that can be trusted"));
        }
    }
    if count == 0 { ca_file("there is no certificate in it".to_owned()) } else { Ok(()) }
}

/// A proxy for every request. A user and a password in its address become its `Proxy-Authorization`.
fn proxy(address: &Secret) -> Result<Proxy, HttpConfigError> {
    let bare = |url: &Url| matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let url = Url::parse(address.expose()).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && bare(url));
    let proxy = url.and_then(|url| Proxy::all(url).ok());
    proxy
        .ok_or_else(|| wrong("proxy", "it is no address such as http://proxy:3128 or https://user:password@proxy:3128"))
}

fn wrong(setting: &str, what: &str) -> HttpConfigError {
    HttpConfigError { setting: setting.to_owned(), what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn error(config: HttpConfig) -> HttpConfigError {
        connections(&config).unwrap_err()
    }

    #[test]
    fn a_ca_file_must_hold_certificates() {
        let with = |content: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(content.as_bytes()).unwrap();
            error(HttpConfig { ca_file: Some(file.path().to_owned()), ..HttpConfig::default() })
        };
        for (content, what) in [
            ("", "there is no certificate in it"),
            ("hunter2", "there is no certificate in it"),
            ("-----BEGIN CERTIFICATE-----\nhunter2!\n-----END CERTIFICATE-----\n", "it is no PEM file"),
            ("-----BEGIN CERTIFICATE-----\nhunter2\n", "it is no PEM file"),
            (
                "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n",
                "certificate 1 in it is no certificate authority that can be trusted",
            ),
        ] {
            assert_eq!(with(content), wrong("ca_file", what), "{content}");
        }
        let folder = tempfile::tempdir().unwrap();
        let none = error(HttpConfig { ca_file: Some(folder.path().join("none")), ..HttpConfig::default() });
        assert_eq!(none.setting, "ca_file");
        assert!(none.to_string().starts_with("http.ca_file: "), "{none}");
    }

    #[test]
    fn a_proxy_must_be_an_address_and_is_not_repeated() {
        for text in [
            "",
            "hunter2",
            "proxy:3128",
            "socks5://user:hunter2@proxy:1080",
            "http://",
            "http://user:hunter2@proxy:3128/path",
            "http://user:hunter2@proxy:99999",
            "ftp://user:hunter2@proxy",
        ] {
            let error = error(HttpConfig { proxy: Some(Secret::new(text)), ..HttpConfig::default() });
            assert_eq!(error.setting, "proxy", "{text}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        for text in ["http://127.0.0.1:3128", "https://user:hunter2@proxy.example/"] {
            connections(&HttpConfig { proxy: Some(Secret::new(text)), ..HttpConfig::default() }).unwrap();
        }
    }
}
