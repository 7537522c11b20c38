//! Names in client certificates, in the one way in which they are written.

/// Longest name of a host (RFC 1035).
const MAX_DNS: usize = 253;

/// Longest URI: the bound of SPIFFE ids.
const MAX_URI: usize = 2048;

/// A name in a certificate as the store has it: `dns:` and a name of the certificate, in lower case; `uri:` and a URI of it, as it stands there; or `sha256:`
/// and its fingerprint in lower-case hexadecimal digits, without the colons that some tools write. `None`: it is none of these.
pub fn identity(text: &str) -> Option<String> {
    match text.split_once(':')? {
        ("dns", name) => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_*".contains(&byte);
            ((1..=MAX_DNS).contains(&name.len()) && name.bytes().all(allowed))
                .then(|| format!("dns:{}", name.to_ascii_lowercase()))
        }
        ("uri", uri) => {
            let fits = (1..=MAX_URI).contains(&uri.len()) && uri.bytes().all(|byte| byte.is_ascii_graphic());
            (fits && uri.contains(':')).then(|| format!("uri:{uri}"))
        }
        ("sha256", digits) => {
            let digits = digits.replace(':', "").to_ascii_lowercase();
            (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .then(|| format!("sha256:{digits}"))
        }
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_in_one_way() {
        let digits = "0123456789abcdef".repeat(4);
        let upper = digits.to_uppercase();
        let colons = upper.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect::<Vec<_>>();
        let table = [
            ("dns:Kyc.Example.COM".to_owned(), Some("dns:kyc.example.com".to_owned())),
            ("uri:spiffe://Example/Kyc".to_owned(), Some("uri:spiffe://Example/Kyc".to_owned())),
            (format!("sha256:{upper}"), Some(format!("sha256:{digits}"))),
            (format!("sha256:{}", colons.join(":")), Some(format!("sha256:{digits}"))),
            (format!("sha256:{}", &digits[1..]), None),
            (format!("sha256:{}", "g".repeat(64)), None),
            ("dns:".to_owned(), None),
            ("dns:a b".to_owned(), None),
            ("dns:\0".to_owned(), None),
            ("dns:bücher.example".to_owned(), None),
            (format!("dns:{}", "a".repeat(254)), None),
            ("uri:no-scheme".to_owned(), None),
            ("uri:a:\n".to_owned(), None),
            ("cn:someone".to_owned(), None),
            ("kyc.example.com".to_owned(), None),
            (String::new(), None),
        ];
        for (text, written) in table {
            assert_eq!(identity(&text), written, "{text:?}");
        }
    }
}
