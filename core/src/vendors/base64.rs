//! Media as base64 inside JSON, encoded while the body is written, so that it is never held twice.

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer};

/// Bytes that become a JSON string, in the standard alphabet with padding.
#[derive(Clone, Copy)]
pub(super) struct Base64<'a> {
    /// What stands before the encoded bytes: the head of a data URL, or nothing.
    pub(super) prefix: &'a str,
    /// The bytes.
    pub(super) bytes: &'a [u8],
}

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}{}", self.prefix, Base64Display::new(self.bytes, &STANDARD)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text_of_the_standard_alphabet() {
        let text = |prefix, bytes| serde_json::to_string(&Base64 { prefix, bytes }).unwrap();
        assert_eq!(text("", &[]), r#""""#);
        assert_eq!(text("", &[0xfb, 0xff, 0xfe, 0]), r#""+//+AA==""#);
        assert_eq!(text("data:image/png;base64,", &[1]), r#""data:image/png;base64,AQ==""#);
    }
}
