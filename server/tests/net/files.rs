//! What the server refuses to start with, and what it takes.

use std::{fs, path::Path, process::Command};

use base64::{Engine, prelude::BASE64_STANDARD};
use lifesign_e2e::media::present;
use lifesign_server::net::{ALPN_HTTP1, Reloading, TlsConfig};
use rcgen::{CertificateParams, date_time_ymd};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

use crate::rig::{Authority, Files, Running, SECTION, ask};

/// What is wrong with the files after `spoil`: it must name the setting and the file.
fn refused(setting: &str, file: &str, spoil: impl FnOnce(&mut Files, &Authority)) -> String {
    let authority = Authority::new();
    let mut files = Files::with_clients_of(&authority.leaf(&["localhost"]), &authority);
    spoil(&mut files, &authority);
    let error = Reloading::start(files.config.clone(), &[ALPN_HTTP1], SECTION).unwrap_err();
    assert_eq!((error.section, error.setting), (SECTION, setting), "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("{SECTION}.{setting}: ")) && text.contains(file), "{text}");
    text
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[tokio::test]
async fn a_server_does_not_start_with_files_that_it_could_not_serve_with() {
    refused("certificate", "", |files, _| files.config.certificate = "".into());
    refused("certificate", "tls.crt", |files, _| fs::remove_file(&files.config.certificate).unwrap());
    refused("certificate", "tls.crt", |files, _| write(&files.config.certificate, "nothing of the kind"));
    refused("certificate", "tls.crt", |files, _| {
        write(&files.config.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    });
    refused("certificate", "tls.crt", |files, _| write(&files.config.certificate, &"x".repeat((1 << 20) + 1)));
    let text = refused("certificate", "tls.crt", |files, authority| files.replace(&authority.expired()));
    assert!(text.contains("expired (Jan  1 00:00:00 2021"), "{text}");
    let text = refused("certificate", "tls.crt", |files, authority| {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(4000, 1, 1);
        files.replace(&authority.sign(params));
    });
    assert!(text.contains("not valid before"), "{text}");
    refused("key", "tls.key", |files, _| fs::remove_file(&files.config.key).unwrap());
    let text = refused("key", "tls.key", |files, authority| files.replace_key(&authority.leaf(&["localhost"]).key));
    assert!(text.contains("is not the key of the certificate in") && text.contains("tls.crt"), "{text}");
    refused("client_ca", "ca.crt", |files, _| fs::remove_file(files.at("ca.crt")).unwrap());
    refused("client_ca", "ca.crt", |files, _| write(&files.at("ca.crt"), ""));
    refused("require_client_certificate", "client_ca", |files, _| {
        files.config = TlsConfig { client_ca: None, require_client_certificate: Some(true), ..files.config.clone() };
    });
}

#[tokio::test]
async fn an_error_shows_nothing_of_the_key() {
    for text in ["SECRET", "-----BEGIN SECRET", "-----BEGIN PRIVATE KEY-----\nSECRET!\n-----END PRIVATE KEY-----"] {
        let error = refused("key", "tls.key", |files, _| files.replace_key(text));
        assert!(!error.contains("SECRET"), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_can_read_is_refused() {
    for mode in [0o604, 0o602, 0o601, 0o644] {
        let text = refused("key", "tls.key", |files, _| files.open_key(mode));
        assert!(text.contains("chmod 600"), "{text}");
    }
    let files = Files::new(&Authority::new().leaf(&["localhost"]));
    files.open_key(0o440);
    files.start();
}

#[tokio::test]
async fn a_key_may_be_in_the_older_form_too() {
    let authority = Authority::new();
    let leaf = authority.leaf(&["localhost"]);
    let files = Files::new(&leaf);
    // SEC 1 (RFC 5915): what PKCS#8 wraps, which for a key on P-256 begins after 29 bytes.
    let whole = PrivatePkcs8KeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    let inner = BASE64_STANDARD.encode(&whole.secret_pkcs8_der()[29..]);
    files.replace_key(&format!("-----BEGIN EC PRIVATE KEY-----\n{inner}\n-----END EC PRIVATE KEY-----\n"));
    let server = Running::tls(&files.start()).await;
    assert_eq!(ask(&authority.client(None), server.address).await.unwrap(), "127.0.0.1 ");
    server.stop().await;
}

/// PKCS#1 (RFC 8017), which OpenSSL wrote until its version 3.
#[tokio::test]
async fn an_rsa_key_may_be_in_the_older_form_too() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("k.pem"), folder.path().join("c.pem"));
    let openssl = |arguments: &[&str]| {
        Command::new("openssl")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .is_ok_and(|done| done.status.success())
    };
    let made = openssl(&["genrsa", "-traditional", "-out", "k.pem", "2048"])
        && openssl(&["req", "-x509", "-key", "k.pem", "-out", "c.pem", "-days", "2", "-subj", "/CN=localhost"]);
    if !present("an_rsa_key_may_be_in_the_older_form_too", "OpenSSL 3", made) {
        return;
    }
    let files = Files::new(&Authority::new().leaf(&["localhost"]));
    fs::copy(certificate, &files.config.certificate).unwrap();
    let key = fs::read_to_string(key).unwrap();
    assert!(key.starts_with("-----BEGIN RSA PRIVATE KEY-----"), "it is in that form");
    files.replace_key(&key);
    // That it starts says that the key was read and is the certificate's.
    files.start();
}
