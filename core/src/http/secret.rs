//! A secret out of the configuration: never in `Debug`, never printed, wiped when dropped.

use std::{fmt, path::Path};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What is printed in its place.
const HIDDEN: &str = "(hidden)";

/// A secret setting.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, to be put into a request and nowhere else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl PartialEq for Secret {
    /// Compares configurations, not what somebody presents: not constant in time.
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
                Err(E::custom("expected a text in quotes"))
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
                Err(E::custom("expected a text in quotes"))
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
                Err(E::custom("expected a text in quotes"))
            }
            fn visit_i128<E: de::Error>(self, _: i128) -> Result<Secret, E> {
                Err(E::custom("expected a text in quotes"))
            }
            fn visit_u128<E: de::Error>(self, _: u128) -> Result<Secret, E> {
                Err(E::custom("expected a text in quotes"))
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
                Err(E::custom("expected a text in quotes"))
            }
        }
        // The usual message would show what was found instead.
        deserializer.deserialize_any(Text)
    }
}

/// A secret setting that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Neither the setting nor its file is given.
    #[error("{setting} is not set; set it, or {setting}_file to the path of a file that holds it")]
    Missing {
        /// The setting.
        setting: String,
    },
    /// Both are given.
    #[error("{setting} and {setting}_file are both set; set one of them")]
    Both {
        /// The setting.
        setting: String,
    },
    /// It is empty, or holds what no header may hold.
    #[error("{setting} is empty or holds control characters")]
    Malformed {
        /// The setting.
        setting: String,
    },
    /// The file cannot be read.
    #[error("{setting}_file: {what}")]
    Unreadable {
        /// The setting.
        setting: String,
        /// What the system said.
        what: String,
    },
}

/// The secret `setting`, from its own value or from its file. One line break at the end of the file is not part of it.
///
/// # Errors
/// [`SecretError`], which names the setting and never its value.
pub fn secret(setting: &str, value: Option<&Secret>, file: Option<&Path>) -> Result<Secret, SecretError> {
    let setting = setting.to_owned();
    let secret = match (value, file) {
        (None, None) => return Err(SecretError::Missing { setting }),
        (Some(_), Some(_)) => return Err(SecretError::Both { setting }),
        (Some(value), None) => value.clone(),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| SecretError::Unreadable { setting: setting.clone(), what: error.to_string() })?;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Secret::new(text.strip_suffix('\r').unwrap_or(text))
        }
    };
    if secret.expose().is_empty() || secret.expose().chars().any(char::is_control) {
        return Err(SecretError::Malformed { setting });
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde::de::{IntoDeserializer as _, value::Error as ValueError};

    use super::*;

    const TEXT: &str = "hunter2-7f3a";

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn it_comes_from_its_value_or_from_its_file() {
        assert_eq!(secret("api_key", Some(&Secret::new(TEXT)), None).unwrap().expose(), TEXT);
        for end in ["", "\n", "\r\n"] {
            let file = file(format!("{TEXT}{end}").as_bytes());
            assert_eq!(secret("api_key", None, Some(file.path())).unwrap().expose(), TEXT, "{end:?}");
        }
        let spaced = file(b" two words \n");
        assert_eq!(secret("api_key", None, Some(spaced.path())).unwrap().expose(), " two words ");
    }

    #[test]
    fn missing_and_both_say_which_setting() {
        let error = secret("api_key", None, None).unwrap_err();
        assert_eq!(error, SecretError::Missing { setting: "api_key".into() });
        assert!(error.to_string().contains("api_key_file"), "{error}");
        let file = file(TEXT.as_bytes());
        let error = secret("api_key", Some(&Secret::new(TEXT)), Some(file.path())).unwrap_err();
        assert_eq!(error, SecretError::Both { setting: "api_key".into() });
        assert!(!format!("{error} {error:?}").contains(TEXT));
    }

    #[test]
    fn what_no_header_may_hold_is_malformed() {
        for text in ["", "\n", "hunter2\n7f3a\n", "hunter2\u{0}", "hunter2\n\n", "hunter2\t", "hunter2\u{7f}"] {
            let file = file(text.as_bytes());
            let error = secret("api_key", None, Some(file.path())).unwrap_err();
            assert_eq!(error, SecretError::Malformed { setting: "api_key".into() }, "{text:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        let error = secret("api_key", Some(&Secret::new("hunter2\r\nx: y")), None).unwrap_err();
        assert_eq!(error, SecretError::Malformed { setting: "api_key".into() });
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let not_text = file(b"hunter2\xff");
        for path in [folder.path().join("none").as_path(), folder.path(), not_text.path()] {
            let error = secret("api_key", None, Some(path)).unwrap_err();
            assert!(matches!(&error, SecretError::Unreadable { setting, .. } if setting == "api_key"), "{error:?}");
            let text = format!("{error} {error:?}");
            assert!(text.contains("api_key_file: ") && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn it_is_never_printed_nor_written() {
        let secret = Secret::new(TEXT);
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "(hidden) Some((hidden))");
        assert_eq!(serde_json::to_string(&secret).unwrap(), r#""(hidden)""#);
        assert!(secret == Secret::new(TEXT) && secret != Secret::new("other"));
    }

    #[test]
    fn what_was_given_in_its_place_is_not_in_the_message() {
        for given in [
            "12345678901",
            "-12345678901",
            "12345678901.5",
            "true",
            "null",
            "[\"12345678901\"]",
            "{\"12345678901\": 1}",
        ] {
            let error = serde_json::from_str::<Secret>(given).unwrap_err().to_string();
            assert!(error.contains("a text in quotes"), "{error}");
            assert!(!error.contains("12345678901") && !error.contains("true"), "{error}");
        }
        // Some sources of configuration know wider numbers.
        let wide: [Result<Secret, ValueError>; 2] = [
            Secret::deserialize(123_456_789_012_345_678_901_234_567_890_u128.into_deserializer()),
            Secret::deserialize((-123_456_789_012_345_678_901_234_567_890_i128).into_deserializer()),
        ];
        for given in wide {
            assert_eq!(given.unwrap_err().to_string(), "expected a text in quotes");
        }
        let given: Secret = serde_json::from_str(&format!("\"{TEXT}\"")).unwrap();
        assert_eq!(given.expose(), TEXT);
    }
}
