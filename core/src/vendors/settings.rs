//! What the vendors' settings have in common: reading them, addresses, ranges.

use std::{net::IpAddr, ops::RangeInclusive};

use reqwest::Url;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::ConnectError;

/// The defaults as the table in a configuration file has them.
pub(super) fn defaults<T: Default + Serialize>() -> Value {
    // Settings are plain structs: what cannot be shown as JSON would be missing from the documentation only.
    serde_json::to_value(T::default()).unwrap_or(Value::Null)
}

/// Settings out of a table.
pub(super) fn read<T: DeserializeOwned>(settings: Value) -> Result<T, ConnectError> {
    serde_path_to_error::deserialize(settings).map_err(|error| {
        let path = error.path().to_string();
        let what = error.into_inner();
        ConnectError::Setting(if path == "." { what.to_string() } else { format!("{path}: {what}") })
    })
}

/// The address below `base_url` that the setting `name` holds the path of.
///
/// Plain HTTP is for a stand-in on this machine: anywhere else it would show faces and credentials to the network.
pub(super) fn endpoint(base_url: &str, name: &str, path: &str) -> Result<Url, ConnectError> {
    let base = Url::parse(base_url).map_err(|error| ConnectError::Setting(format!("base_url: {error}")))?;
    let fault = |what: &str| Err(ConnectError::Setting(format!("base_url: {what}")));
    match base.scheme() {
        "https" => {}
        "http" if is_loopback(&base) => {}
        _ => return fault("must begin with https://, or with http:// for an address of this machine"),
    }
    if !base.username().is_empty() || base.password().is_some() {
        return fault("must hold no user and no password; credentials have settings of their own");
    }
    if base.query().is_some() || base.fragment().is_some() {
        return fault("must hold no ? and no #");
    }
    if !path.starts_with('/') || path.contains(['?', '#', '\\']) || path.contains(char::is_whitespace) {
        return Err(ConnectError::Setting(format!("{name}: must be a path that begins with /")));
    }
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A number that must lie within a range.
pub(super) fn within(name: &str, value: u64, range: RangeInclusive<u64>) -> Result<(), ConnectError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConnectError::Setting(format!("{name}: {value} is not within {}..={}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_base_and_the_path() {
        for (base, path, expected) in [
            ("https://api.vendor.test", "/liveness", "https://api.vendor.test/liveness"),
            ("https://api.vendor.test/", "/v1/check", "https://api.vendor.test/v1/check"),
            ("https://gateway.test:8443/vendor/", "/v1", "https://gateway.test:8443/vendor/v1"),
            ("http://127.0.0.1:8080", "/a", "http://127.0.0.1:8080/a"),
            ("http://[::1]:8080", "/a", "http://[::1]:8080/a"),
            ("http://localhost:8080", "/a", "http://localhost:8080/a"),
        ] {
            assert_eq!(endpoint(base, "path", path).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn an_address_that_would_show_secrets_is_refused() {
        for base in [
            "",
            "api.vendor.test",
            "http://api.vendor.test",
            "http://127.0.0.1.vendor.test",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "https://user:hunter2@api.vendor.test",
            "https://user@api.vendor.test",
            "https://api.vendor.test/?key=1",
            "https://api.vendor.test/#a",
        ] {
            let error = endpoint(base, "path", "/").unwrap_err().to_string();
            assert!(error.starts_with("base_url: ") && !error.contains("hunter2"), "{base}: {error}");
        }
        for path in ["", "liveness", "/a?b=c", "/a#b", "/a b", "/a\\b"] {
            let error = endpoint("https://api.vendor.test", "check_path", path).unwrap_err().to_string();
            assert!(error.starts_with("check_path: "), "{path}: {error}");
        }
    }

    #[test]
    fn the_setting_at_fault_is_named() {
        #[derive(Debug, Default, Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Outer {
            inner: Inner,
        }
        #[derive(Debug, Default, Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Inner {
            number: u32,
        }
        let error = read::<Outer>(serde_json::json!({"inner": {"number": "x"}})).unwrap_err().to_string();
        assert!(error.starts_with("inner.number: "), "{error}");
        let error = read::<Outer>(serde_json::json!({"inner": {"other": 1}})).unwrap_err().to_string();
        assert!(error.contains("inner") && error.contains("other"), "{error}");
        assert_eq!(read::<Outer>(defaults::<Outer>()).unwrap().inner.number, 0);
        assert!(within("n", 3, 1..=3).is_ok() && within("n", 0, 1..=3).is_err());
    }
}
