//! The settings of the gRPC server: every limit and default, each with its reason.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use lifesign_core::{frame::FrameLimits, video::VideoLimits};
use serde::{Deserialize, Serialize};

use crate::{net::TlsConfig, sessions::SessionsConfig};

/// The protocol's own bound on a chunk (`MediaChunk.data`).
const CHUNK_CEILING: u32 = 1 << 20;

/// What a message may take besides its media: field tags, names, a policy, a reference.
const MESSAGE_OVERHEAD: u64 = 64 << 10;

/// Settings of the gRPC server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcConfig {
    /// Where to listen. The default is reachable from this machine only.
    pub addr: SocketAddr,
    /// Whether to listen beyond this machine although the connection is not encrypted, or callers are not told apart: for a server
    /// behind a proxy that sees to it. Said again in the log at each start.
    pub insecure: bool,
    /// Encryption; absent: none.
    pub tls: Option<TlsConfig>,
    /// Bytes of one gRPC message of a call: 43 MiB, a video of 32 MiB, a reference image of 10 MiB, and room for the rest.
    /// What a stream sends is smaller: a chunk, or, where sessions may be inline, a reference image.
    pub max_message_bytes: u64,
    /// Bytes of one `MediaChunk`, at most 1 MiB.
    pub max_chunk_bytes: u32,
    /// Frames of one `CheckMedia` call: 64, the most that a policy may ask for.
    pub max_frames: u32,
    /// Frames of one session: 1800, which is 15 a second for the whole lifetime.
    pub max_session_frames: u32,
    /// `CheckMedia` and `CreateSession` calls at work at a time. Each may hold a whole message; calls beyond are refused
    /// before their media is read, so this times `max_message_bytes` bounds what unary calls hold: 48 times 43 MiB are 2
    /// GiB, which a server of 4 GiB bears.
    pub max_calls: u32,
    /// Streams open at a time. Streams beyond are refused before anything is read.
    pub max_streams: u32,
    /// Compressed media of all streams in memory at a time, in bytes: frames being received, and frames waiting for a
    /// worker; videos until they are decoded; where a policy asks vendors, what is kept for them until the verdict. 256 MiB hold one frame of 512 KiB for each of 512 streams, or 8 videos of
    /// the largest size.
    pub max_stream_media_bytes: u64,
    /// The longest a unary call may take, in milliseconds, whatever its own deadline says.
    pub unary_timeout_ms: u64,
    /// How long open calls and streams may go on after the server was told to stop, in milliseconds.
    pub drain_timeout_ms: u64,
    /// Whether `StreamSession` may begin with an inline config and no token. Absent: on loopback addresses only, since it
    /// lets anybody who can connect open sessions.
    pub inline_sessions: Option<bool>,
    /// Connections at a time; more wait in the system's backlog.
    pub max_connections: u32,
    /// HTTP/2 streams of one connection at a time.
    pub max_concurrent_streams: u32,
    /// How often an idle connection is asked for a sign of life, in milliseconds; a dead peer is dropped after this and
    /// `keepalive_timeout_ms`.
    pub keepalive_interval_ms: u64,
    /// How long the sign of life may take, in milliseconds.
    pub keepalive_timeout_ms: u64,
    /// Times on a stream.
    pub stream: StreamConfig,
    /// Sessions.
    pub sessions: SessionsConfig,
    /// Browsers.
    pub web: WebConfig,
}

/// Limits on time of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamConfig {
    /// For `start`, in milliseconds.
    pub initial_timeout_ms: u64,
    /// Between two messages of the client, and for the client to take a message of the server, in milliseconds.
    pub idle_timeout_ms: u64,
    /// For the whole stream, in milliseconds. A person who has not held still in two minutes starts over.
    pub lifetime_ms: u64,
}

/// gRPC-Web.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfig {
    /// Whether browsers may call at all (gRPC-Web over HTTP/1.1 and HTTP/2).
    pub enabled: bool,
    /// Origins whose pages may call, such as `https://app.example.org`; `*` alone means any. Empty, the default: pages of
    /// this very origin only, since a page of any other could otherwise drive a server on the visitor's own machine.
    pub allowed_origins: Vec<String>,
}

impl Default for GrpcConfig {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 50051)),
            insecure: false,
            tls: None,
            max_message_bytes: 43 << 20,
            max_chunk_bytes: CHUNK_CEILING,
            max_frames: 64,
            max_session_frames: 1800,
            max_calls: 48,
            max_streams: 1024,
            max_stream_media_bytes: 256 << 20,
            unary_timeout_ms: 60_000,
            drain_timeout_ms: 30_000,
            inline_sessions: None,
            max_connections: 4096,
            max_concurrent_streams: 128,
            keepalive_interval_ms: 20_000,
            keepalive_timeout_ms: 10_000,
            stream: StreamConfig::default(),
            sessions: SessionsConfig::default(),
            web: WebConfig::default(),
        }
    }
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self { initial_timeout_ms: 10_000, idle_timeout_ms: 15_000, lifetime_ms: 120_000 }
    }
}

impl Default for WebConfig {
    fn default() -> Self {
        Self { enabled: true, allowed_origins: Vec::new() }
    }
}

/// A setting is out of range or contradicts another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("grpc.{setting}: {what}")]
pub struct GrpcConfigError {
    /// Its name.
    pub setting: &'static str,
    /// What is wrong with it.
    pub what: String,
}

impl GrpcConfig {
    /// Checks the settings against each other and against the limits on media.
    ///
    /// # Errors
    /// [`GrpcConfigError`] names the first one that is wrong.
    pub fn validate(&self, limits: &FrameLimits, video: &VideoLimits) -> Result<(), GrpcConfigError> {
        let positive = [
            ("max_frames", u64::from(self.max_frames)),
            ("max_session_frames", u64::from(self.max_session_frames)),
            ("max_chunk_bytes", u64::from(self.max_chunk_bytes)),
            ("max_calls", u64::from(self.max_calls)),
            ("max_streams", u64::from(self.max_streams)),
            ("max_connections", u64::from(self.max_connections)),
            ("max_concurrent_streams", u64::from(self.max_concurrent_streams)),
            ("unary_timeout_ms", self.unary_timeout_ms),
            ("keepalive_interval_ms", self.keepalive_interval_ms),
            ("keepalive_timeout_ms", self.keepalive_timeout_ms),
            ("stream.initial_timeout_ms", self.stream.initial_timeout_ms),
            ("stream.idle_timeout_ms", self.stream.idle_timeout_ms),
            ("stream.lifetime_ms", self.stream.lifetime_ms),
            ("sessions.token_ttl_seconds", self.sessions.token_ttl_seconds),
            ("sessions.max_sessions", u64::from(self.sessions.max_sessions)),
            ("sessions.max_remembered_requests", u64::from(self.sessions.max_remembered_requests)),
        ];
        let wrong = |setting, what: String| Err(GrpcConfigError { setting, what });
        if let Some((setting, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return wrong(setting, "must not be 0".to_owned());
        }
        let times = [
            ("unary_timeout_ms", self.unary_timeout_ms),
            ("drain_timeout_ms", self.drain_timeout_ms),
            ("keepalive_interval_ms", self.keepalive_interval_ms),
            ("keepalive_timeout_ms", self.keepalive_timeout_ms),
            ("stream.initial_timeout_ms", self.stream.initial_timeout_ms),
            ("stream.idle_timeout_ms", self.stream.idle_timeout_ms),
            ("stream.lifetime_ms", self.stream.lifetime_ms),
            ("sessions.max_token_ttl_seconds", self.sessions.max_token_ttl_seconds.saturating_mul(1000)),
            ("sessions.remember_seconds", self.sessions.remember_seconds.saturating_mul(1000)),
        ];
        // Longer than this is surely a slip of units, and sums of times stay far from overflow.
        let longest = Duration::from_secs(7 * 24 * 3600);
        if let Some((setting, _)) = times.into_iter().find(|(_, ms)| Duration::from_millis(*ms) > longest) {
            return wrong(setting, "must not be longer than 7 days".to_owned());
        }
        if self.max_chunk_bytes > CHUNK_CEILING {
            return wrong("max_chunk_bytes", format!("is {}; the limit is {CHUNK_CEILING}", self.max_chunk_bytes));
        }
        let media = limits.max_bytes.max(video.max_bytes).saturating_add(limits.max_bytes);
        let least = media.max(u64::from(self.max_chunk_bytes)).saturating_add(MESSAGE_OVERHEAD);
        if self.max_message_bytes < least {
            let what = format!(
                "is {}; a video of video.limits.max_bytes, or an image, with a reference of limits.max_bytes needs {least}",
                self.max_message_bytes
            );
            return wrong("max_message_bytes", what);
        }
        if usize::try_from(self.max_message_bytes).is_err() || self.max_message_bytes > u64::from(u32::MAX) {
            return wrong("max_message_bytes", "gRPC messages have at most 4 GiB".to_owned());
        }
        let largest = limits.max_bytes.max(video.max_bytes);
        if self.max_stream_media_bytes < largest {
            let what = format!("is {}; one frame or video may have {largest}", self.max_stream_media_bytes);
            return wrong("max_stream_media_bytes", what);
        }
        if self.sessions.token_ttl_seconds > self.sessions.max_token_ttl_seconds {
            return wrong("sessions.token_ttl_seconds", "is longer than sessions.max_token_ttl_seconds".to_owned());
        }
        self.web.origins().map(|_| ())
    }

    /// Bytes of one message of a stream: a chunk, or `start` with a reference image, which only an inline session has.
    pub(super) fn stream_message_bytes(&self, limits: &FrameLimits, inline_allowed: bool) -> u64 {
        let reference = if inline_allowed { limits.max_bytes } else { 0 };
        let least = u64::from(self.max_chunk_bytes).max(reference).saturating_add(MESSAGE_OVERHEAD);
        least.min(self.max_message_bytes)
    }
}

/// Which pages may call.
pub(super) enum Origins {
    /// Those of this very origin.
    Same,
    /// Any.
    Any,
    /// These.
    List(Vec<http::HeaderValue>),
}

impl WebConfig {
    pub(super) fn origins(&self) -> Result<Origins, GrpcConfigError> {
        let wrong = |what: String| GrpcConfigError { setting: "web.allowed_origins", what };
        match self.allowed_origins.as_slice() {
            [] => Ok(Origins::Same),
            [any] if any == "*" => Ok(Origins::Any),
            list => {
                let parse = |origin: &String| {
                    let scheme = origin.starts_with("https://") || origin.starts_with("http://");
                    match http::HeaderValue::from_str(origin) {
                        Ok(value) if scheme && !origin.ends_with('/') => Ok(value),
                        Ok(_) | Err(_) => Err(wrong(format!("{origin} is not of the form https://host[:port]"))),
                    }
                };
                Ok(Origins::List(list.iter().map(parse).collect::<Result<_, _>>()?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut GrpcConfig)) -> &'static str {
        let mut config = GrpcConfig::default();
        change(&mut config);
        config.validate(&FrameLimits::default(), &VideoLimits::default()).unwrap_err().setting
    }

    #[test]
    fn the_defaults_agree_with_each_other() {
        for preset in VideoLimits::PRESETS {
            let video = VideoLimits::preset(preset).unwrap();
            GrpcConfig::default().validate(&FrameLimits::default(), &video).unwrap();
        }
    }

    #[test]
    fn a_video_and_a_reference_fit_a_message() {
        let (frames, video) = (FrameLimits::default(), VideoLimits { max_bytes: 33 << 20, ..VideoLimits::default() });
        let error = GrpcConfig::default().validate(&frames, &video).unwrap_err();
        assert_eq!(error.setting, "max_message_bytes");
        let least = (43 << 20) + MESSAGE_OVERHEAD;
        assert!(error.what.ends_with(&least.to_string()), "{error}");
        GrpcConfig { max_message_bytes: least, ..GrpcConfig::default() }.validate(&frames, &video).unwrap();
    }

    #[test]
    fn a_streams_messages_are_small() {
        let (config, limits) = (GrpcConfig::default(), FrameLimits::default());
        assert_eq!(config.stream_message_bytes(&limits, false), (1 << 20) + MESSAGE_OVERHEAD);
        assert_eq!(config.stream_message_bytes(&limits, true), limits.max_bytes + MESSAGE_OVERHEAD);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(refused(|c| c.max_frames = 0), "max_frames");
        assert_eq!(refused(|c| c.max_chunk_bytes = 2 << 20), "max_chunk_bytes");
        assert_eq!(refused(|c| c.max_message_bytes = 1 << 20), "max_message_bytes");
        assert_eq!(refused(|c| c.max_message_bytes = 1 << 40), "max_message_bytes");
        assert_eq!(refused(|c| c.stream.lifetime_ms = u64::MAX), "stream.lifetime_ms");
        assert_eq!(refused(|c| c.sessions.token_ttl_seconds = 7200), "sessions.token_ttl_seconds");
        assert_eq!(refused(|c| c.max_stream_media_bytes = 1), "max_stream_media_bytes");
        assert_eq!(refused(|c| c.web.allowed_origins = vec!["example.org".into()]), "web.allowed_origins");
        assert_eq!(refused(|c| c.web.allowed_origins = vec!["*".into(), "https://a.b".into()]), "web.allowed_origins");
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<GrpcConfig>("max_frames = 3").is_ok());
        assert!(toml::from_str::<GrpcConfig>("max_frame = 3").is_err());
        assert!(toml::from_str::<GrpcConfig>("[stream]\nidle = 3").is_err());
    }
}
