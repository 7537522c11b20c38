//! The address of a picture that Deepvue fetches by itself, and what such an address must not be.

use std::{fmt, net::IpAddr};

use reqwest::Url;

/// Longest address. Ours: what browsers and servers have long agreed on, and enough for a signed one.
const MAX_LENGTH: usize = 2048;

/// Names that are for one machine or one network: RFC 6761 (`localhost`, `test`, `example`, `invalid`), RFC 6762 (`local`),
/// RFC 7686 (`onion`), RFC 8375 (`home.arpa`), the reservation of `internal` by ICANN, and what companies call their own
/// networks (RFC 6762, appendix G).
const PRIVATE_NAMES: [&str; 13] = [
    "localhost",
    "test",
    "example",
    "invalid",
    "local",
    "onion",
    "home.arpa",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
];

/// An address that may be handed to the vendor: `https`, on its usual port, of a name in the public DNS, without credentials.
///
/// Whoever gives the address makes the vendor's servers ask for it, so an address inside of somebody's network is refused. What
/// a public name stands for at the time is not looked up here: that is asked by the vendor's machines, not by this one.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageUrl(Url);

impl fmt::Debug for ImageUrl {
    /// Never the path or the query: whoever has them can look at the picture.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ImageUrl").field(&self.0.host_str().unwrap_or_default()).finish()
    }
}

/// Why an address is not handed on. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageUrlError {
    /// Longer than 2048 bytes.
    #[error("the address is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// Not an absolute address, or one with characters that programs read differently.
    #[error("not an address, or one with spaces, control characters or backslashes")]
    Malformed,
    /// Not `https`.
    #[error("the address does not begin with https://")]
    NotHttps,
    /// A user or a password in it.
    #[error("the address holds a user or a password")]
    Credentials,
    /// A port that is not the usual one.
    #[error("the address names a port")]
    Port,
    /// A number in place of a name.
    #[error("the address names a machine by number")]
    IpAddress,
    /// A name that means nothing outside of one network.
    #[error("the address names a machine of a private network")]
    PrivateName,
    /// A fragment, which no server gets to see.
    #[error("the address has a fragment")]
    Fragment,
}

impl ImageUrl {
    /// Looks at an address. Nothing is asked of the network.
    ///
    /// # Errors
    /// [`ImageUrlError`], the first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ImageUrlError> {
        if text.len() > MAX_LENGTH {
            return Err(ImageUrlError::TooLong);
        }
        // The parser would drop tabs and line breaks and turn backslashes into slashes; other programs do not.
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(ImageUrlError::Malformed);
        }
        let url = Url::parse(text).map_err(|_| ImageUrlError::Malformed)?;
        if url.scheme() != "https" {
            return Err(ImageUrlError::NotHttps);
        }
        // "https:host" and "https:///host" are mended by this parser, and others may read them as something else.
        if !text.get(..8).is_some_and(|head| head.eq_ignore_ascii_case("https://")) || text.get(8..9) == Some("/") {
            return Err(ImageUrlError::Malformed);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ImageUrlError::Credentials);
        }
        if url.port().is_some() {
            return Err(ImageUrlError::Port);
        }
        if url.fragment().is_some() {
            return Err(ImageUrlError::Fragment);
        }
        // Octal, hexadecimal, shortened and full-width numbers were turned into the usual form by the parser.
        let host = url.host_str().ok_or(ImageUrlError::Malformed)?;
        if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
            return Err(ImageUrlError::IpAddress);
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        let is_private =
            |zone: &str| name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        if !name.contains('.') || name.contains("..") || PRIVATE_NAMES.into_iter().any(is_private) {
            return Err(ImageUrlError::PrivateName);
        }
        Ok(Self(url))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_handed_on() {
        for text in [
            "https://pictures.bank.in/selfies/1.jpg",
            "https://bucket.s3.amazonaws.com/a.jpg?X-Amz-Signature=0f&X-Amz-Expires=60",
            "https://pictures.bank.in:443/a.jpg",
            "HTTPS://Pictures.Bank.in/a.jpg",
            "https://xn--bcher-kva.ch/a.png",
            "https://mylocal.com/localhost/127.0.0.1",
        ] {
            let url = ImageUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(url.as_str().starts_with("https://"));
        }
        let shown = format!("{:?}", ImageUrl::parse("https://a.bank.in/secret?signature=secret").unwrap());
        assert!(shown.contains("a.bank.in") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn hostile_addresses_are_refused() {
        use ImageUrlError::{Credentials, Fragment, IpAddress, Malformed, NotHttps, Port, PrivateName, TooLong};
        let long = format!("https://a.bank.in/{}", "x".repeat(MAX_LENGTH));
        for (text, expected) in [
            ("", Malformed),
            ("example_string", Malformed),
            ("//a.bank.in/a.jpg", Malformed),
            ("https://", Malformed),
            ("https:a.bank.in", Malformed),
            ("https:/a.bank.in", Malformed),
            ("https:///a.bank.in", Malformed),
            (" https://a.bank.in", Malformed),
            ("https://a.bank.in/a b", Malformed),
            ("https://a.bank.in\t.evil.in/", Malformed),
            ("https://a.bank.in/\r\nHost: b", Malformed),
            ("https://a.bank.in\\@127.0.0.1/", Malformed),
            ("https://a.bank.in/\u{0}", Malformed),
            ("http://a.bank.in/a.jpg", NotHttps),
            ("ftp://a.bank.in/a.jpg", NotHttps),
            ("file:///etc/passwd", NotHttps),
            ("gopher://a.bank.in/", NotHttps),
            ("data:image/png;base64,AA==", NotHttps),
            ("javascript:alert(1)", NotHttps),
            ("https://user:word@a.bank.in/", Credentials),
            ("https://a.bank.in@127.0.0.1/", Credentials),
            ("https://:word@a.bank.in/", Credentials),
            ("https://a.bank.in:8443/", Port),
            ("https://a.bank.in:22/", Port),
            ("https://a.bank.in:80/", Port),
            ("https://a.bank.in/#x", Fragment),
            ("https://127.0.0.1/", IpAddress),
            ("https://127.1/", IpAddress),
            ("https://2130706433/", IpAddress),
            ("https://0x7f000001/", IpAddress),
            ("https://0x7f.1/", IpAddress),
            ("https://0177.0.0.1/", IpAddress),
            ("https://127.0.0.1./", IpAddress),
            ("https://\u{2460}\u{2461}\u{2466}.0.0.1/", IpAddress),
            ("https://%31%32%37.0.0.1/", IpAddress),
            ("https://0.0.0.0/", IpAddress),
            ("https://10.0.0.8/", IpAddress),
            ("https://172.16.0.1/", IpAddress),
            ("https://192.168.1.1/", IpAddress),
            ("https://169.254.169.254/latest/meta-data/", IpAddress),
            ("https://100.64.0.1/", IpAddress),
            ("https://8.8.8.8/", IpAddress),
            ("https://[::1]/", IpAddress),
            ("https://[::ffff:127.0.0.1]/", IpAddress),
            ("https://[fe80::1]/", IpAddress),
            ("https://[fd00:ec2::254]/", IpAddress),
            ("https://[2001:db8::1]/", IpAddress),
            ("https://localhost/", PrivateName),
            ("https://LOCALHOST/", PrivateName),
            ("https://localhost./", PrivateName),
            ("https://a.localhost/", PrivateName),
            ("https://printer.local/", PrivateName),
            ("https://metadata.google.internal/", PrivateName),
            ("https://metadata.google.internal./", PrivateName),
            ("https://router.home.arpa/", PrivateName),
            ("https://files.corp/", PrivateName),
            ("https://wiki/", PrivateName),
            ("https://a..bank.in/", PrivateName),
            (long.as_str(), TooLong),
        ] {
            assert_eq!(ImageUrl::parse(text).map(|_| ()), Err(expected), "{text}");
        }
    }
}
