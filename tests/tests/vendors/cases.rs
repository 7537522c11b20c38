//! The small real media that the stand-ins are shown.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lifesign_core::{
    frame::MediaType,
    vendors::{Case, Clip, Picture, Selected, Takes},
    video::Container,
};
use lifesign_e2e::{clips, media::repository};

/// One of each kind of media.
pub(crate) struct Shelf {
    photo: Vec<u8>,
    other: Vec<u8>,
    video: Vec<u8>,
}

impl Shelf {
    /// A portrait, another picture, and a second of video: made of the portrait where there is ffmpeg, else a clip of the
    /// core's fixtures.
    pub(crate) fn fill() -> Self {
        let root = repository();
        let read = |path: &str| fs::read(root.join(path)).expect("a sample");
        let portrait = root.join("samples/astronaut.jpg");
        let silent = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        let video = if silent.is_ok_and(|status| status.success()) {
            clips::made_of(&portrait, "-vf loop=25:1:0,scale=320:-2 -r 25 -t 1 -pix_fmt yuv420p", "mp4")
        } else {
            read("core/tests/video_fixtures/h264_aac.mp4")
        };
        Self { photo: read("samples/astronaut.jpg"), other: read("samples/dark.jpg"), video }
    }

    /// The media of this kind.
    pub(crate) fn select(&self, takes: Takes) -> Selected {
        let picture = |data: &[u8]| Picture { data: data.to_vec().into(), media_type: MediaType::Jpeg };
        match takes {
            Takes::Image => Selected::Image(picture(&self.photo)),
            Takes::Frames => Selected::Frames(vec![picture(&self.photo), picture(&self.other)]),
            Takes::Video => Selected::Video(Clip {
                data: self.video.clone().into(),
                container: Container::Mp4,
                duration: Duration::from_secs(1),
                size: (320, 320),
                made: false,
            }),
        }
    }
}

/// The files of a selection, as a vendor gets to see them.
pub(crate) fn files(media: &Selected) -> Vec<Vec<u8>> {
    match media {
        Selected::Image(picture) => vec![picture.data.to_vec()],
        Selected::Frames(pictures) => pictures.iter().map(|picture| picture.data.to_vec()).collect(),
        Selected::Video(clip) => vec![clip.data.to_vec()],
    }
}

/// What to ask about these media, for as long as this.
pub(crate) fn case(media: Selected, patience: Duration) -> Case<'static> {
    Case {
        media,
        reference: None,
        client_reference: Some("conformance-1"),
        request_id: "6b0b7f0e-6a5c-4a57-9d0e-0d8e4c1a0d57",
        deadline: Instant::now() + patience,
    }
}
