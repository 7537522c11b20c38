//! The proto3 JSON form of any generated message: lowerCamelCase names, enums by name, durations as `"1.500s"`, 64-bit
//! numbers as strings. What `lifesign check --json` prints is what `grpcurl` prints.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, MessageDescriptor};

/// The full name of the verdict message.
pub const VERDICT: &str = "lifesign.v1.Verdict";

/// Why a message has no JSON form, or JSON is no such message.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The compiled-in descriptors are broken, or have no message of this name: a fault of this program.
    #[error("there is no message {0}")]
    Unknown(String),
    /// The bytes are not of the message named.
    #[error(transparent)]
    Decode(#[from] prost::DecodeError),
    /// The JSON is not of the message named.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Decoded once: the same for the whole life of the program.
static POOL: LazyLock<Result<DescriptorPool, DescriptorError>> =
    LazyLock::new(|| DescriptorPool::decode(lifesign_proto::FILE_DESCRIPTOR_SET));

/// The message `name` as JSON.
///
/// # Errors
/// [`JsonError`] where `message` is not of the type `name`.
pub fn to_value<M: Message>(name: &str, message: &M) -> Result<serde_json::Value, JsonError> {
    let dynamic = DynamicMessage::decode(descriptor(name)?, message.encode_to_vec().as_slice())?;
    Ok(serde_json::to_value(dynamic)?)
}

/// The message `name` from JSON. Unknown keys are refused.
///
/// # Errors
/// [`JsonError::Json`] where the text is not such a message.
pub fn from_str<M: Message + Default>(name: &str, text: &str) -> Result<M, JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let dynamic = DynamicMessage::deserialize(descriptor(name)?, &mut reader)?;
    reader.end()?;
    Ok(dynamic.transcode_to()?)
}

fn descriptor(name: &str) -> Result<MessageDescriptor, JsonError> {
    let pool = POOL.as_ref().map_err(|error| JsonError::Unknown(format!("{name}: {error}")))?;
    pool.get_message_by_name(name).ok_or_else(|| JsonError::Unknown(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use lifesign_proto::v1::{CreateSessionRequest, SessionConfig};

    use super::*;

    #[test]
    fn well_known_types_have_their_own_forms() {
        let request = CreateSessionRequest {
            config: Some(SessionConfig { policy: "p".into(), client_reference: String::new(), reference: None }),
            request_id: String::new(),
            token_ttl: Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }),
        };
        let value = to_value("lifesign.v1.CreateSessionRequest", &request).unwrap();
        assert_eq!(value, serde_json::json!({"config": {"policy": "p"}, "tokenTtl": "1.500s"}));
        let back: CreateSessionRequest = from_str("lifesign.v1.CreateSessionRequest", &value.to_string()).unwrap();
        assert_eq!(back, request);
    }

    #[test]
    fn what_is_not_the_message_is_refused() {
        assert!(matches!(
            from_str::<SessionConfig>("lifesign.v1.SessionConfig", r#"{"polcy": "p"}"#),
            Err(JsonError::Json(_))
        ));
        assert!(matches!(
            from_str::<SessionConfig>("lifesign.v1.SessionConfig", r#"{} trailing"#),
            Err(JsonError::Json(_))
        ));
        assert!(matches!(to_value("lifesign.v1.Nothing", &SessionConfig::default()), Err(JsonError::Unknown(_))));
    }
}
