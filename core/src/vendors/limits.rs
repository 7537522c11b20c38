//! What media a vendor takes: settings with each vendor's documented numbers as defaults.

use serde::{Deserialize, Serialize};

use super::ConnectError;
use crate::video::Container;

/// Limits on what is sent, each of them inclusive. What is not set is not limited by the vendor's documentation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaLimits {
    /// Bytes of a picture, before any encoding for transport.
    pub max_image_bytes: Option<u64>,
    /// Bytes of a video.
    pub max_video_bytes: Option<u64>,
    /// Containers of a video by media type, such as `video/mp4`; any where not set.
    pub video_containers: Option<Vec<String>>,
    /// Pictures in a list.
    pub max_frames: Option<u32>,
    /// Bytes of a request body with a list of pictures, as sent.
    pub max_frames_body_bytes: Option<u64>,
    /// Shortest video, milliseconds.
    pub min_video_ms: Option<u64>,
    /// Longest video, milliseconds.
    pub max_video_ms: Option<u64>,
    /// Least pixels of a picture's or video's shorter side.
    pub min_short_side: Option<u32>,
    /// Least pixels of its longer side.
    pub min_long_side: Option<u32>,
}

impl MediaLimits {
    /// Whether anything can be within these limits: for a vendor's settings, whose table has them as `media`.
    ///
    /// # Errors
    /// [`ConnectError::Setting`] for a limit of zero, which is either no limit or lets nothing through, and is not left to be
    /// guessed; for a least that is above its most; for a list of containers that is empty or has an unknown name.
    pub fn validate(&self) -> Result<(), ConnectError> {
        let fault = |what: String| Err(ConnectError::Setting(what));
        for (name, value) in [
            ("max_image_bytes", self.max_image_bytes),
            ("max_video_bytes", self.max_video_bytes),
            ("max_frames", self.max_frames.map(u64::from)),
            ("max_frames_body_bytes", self.max_frames_body_bytes),
            ("min_video_ms", self.min_video_ms),
            ("max_video_ms", self.max_video_ms),
            ("min_short_side", self.min_short_side.map(u64::from)),
            ("min_long_side", self.min_long_side.map(u64::from)),
        ] {
            if value == Some(0) {
                return fault(format!("media.{name}: must be above 0; leave it out for no limit"));
            }
        }
        for (low, least, high, most) in [
            ("min_video_ms", self.min_video_ms, "max_video_ms", self.max_video_ms),
            // The longer side is never below the shorter one, so that such a limit is not what was meant.
            ("min_short_side", self.min_short_side.map(u64::from), "min_long_side", self.min_long_side.map(u64::from)),
        ] {
            if let (Some(least), Some(most)) = (least, most)
                && least > most
            {
                return fault(format!("media.{low}: {least} is above media.{high}, which is {most}"));
            }
        }
        let Some(names) = &self.video_containers else { return Ok(()) };
        if names.is_empty() {
            return fault("media.video_containers: is empty; leave it out for any container".to_owned());
        }
        match names.iter().find(|name| Container::parse(name).is_err()) {
            None => Ok(()),
            Some(unknown) => {
                let known = Container::ALL.map(Container::name).join(", ");
                fault(format!("media.video_containers: {unknown:?} is not one of {known}"))
            }
        }
    }

    /// Whether a video in this container may be sent.
    pub(super) fn takes_container(&self, container: Container) -> bool {
        let same = |name: &String| Container::parse(name) == Ok(container);
        self.video_containers.as_ref().is_none_or(|names| names.iter().any(same))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(settings: serde_json::Value) -> Result<(), String> {
        let limits: MediaLimits = serde_json::from_value(settings).unwrap();
        limits.validate().map_err(|error| error.to_string())
    }

    #[test]
    fn limits_that_let_something_through_are_taken() {
        for settings in [
            json!({}),
            json!({"min_video_ms": 5_000, "max_video_ms": 5_000, "min_short_side": 600, "min_long_side": 600}),
            json!({"min_video_ms": 5_000, "min_long_side": 800, "max_frames": 1, "max_image_bytes": 1}),
            json!({"video_containers": ["video/mp4", "Video/QuickTime"]}),
        ] {
            assert_eq!(check(settings.clone()), Ok(()), "{settings}");
        }
    }

    #[test]
    fn limits_that_let_nothing_through_are_refused_by_name() {
        for (settings, words) in [
            (json!({"max_image_bytes": 0}), "media.max_image_bytes: must be above 0"),
            (json!({"max_video_bytes": 0}), "media.max_video_bytes: must be above 0"),
            (json!({"max_frames": 0}), "media.max_frames: must be above 0"),
            (json!({"max_frames_body_bytes": 0}), "media.max_frames_body_bytes: must be above 0"),
            (json!({"min_video_ms": 0}), "media.min_video_ms: must be above 0"),
            (json!({"max_video_ms": 0}), "media.max_video_ms: must be above 0"),
            (json!({"min_short_side": 0}), "media.min_short_side: must be above 0"),
            (json!({"min_long_side": 0}), "media.min_long_side: must be above 0"),
            (
                json!({"min_video_ms": 10_001, "max_video_ms": 10_000}),
                "media.min_video_ms: 10001 is above media.max_video_ms, which is 10000",
            ),
            (
                json!({"min_short_side": 800, "min_long_side": 600}),
                "media.min_short_side: 800 is above media.min_long_side, which is 600",
            ),
            (json!({"video_containers": []}), "media.video_containers: is empty"),
            (
                json!({"video_containers": ["video/mp4", "mp4"]}),
                "media.video_containers: \"mp4\" is not one of video/mp4, video/quicktime",
            ),
        ] {
            let error = check(settings.clone()).unwrap_err();
            assert!(error.starts_with(words), "{settings}: {error}");
        }
    }

    #[test]
    fn containers_are_compared_as_media_types_are() {
        let limits = |names: &[&str]| MediaLimits {
            video_containers: Some(names.iter().map(|&name| name.to_owned()).collect()),
            ..MediaLimits::default()
        };
        assert!(MediaLimits::default().takes_container(Container::WebM));
        assert!(limits(&["VIDEO/mp4"]).takes_container(Container::Mp4));
        assert!(limits(&["video/matroska"]).takes_container(Container::Matroska));
        assert!(!limits(&["video/mp4", "video/webm"]).takes_container(Container::QuickTime));
        assert!(!limits(&["nonsense"]).takes_container(Container::Mp4), "an unknown name is no permission");
    }
}
