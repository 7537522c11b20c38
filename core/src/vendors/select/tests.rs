//! What is selected is within the limits, and something is whenever something can be.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{frame::Frame, policy::Judges, video::Container};

const SIDES: [(u32, u32); 3] = [(80, 60), (60, 80), (100, 40)];

fn spec(takes: &'static [Takes]) -> Spec {
    let judges = Judges { presentation_attack: true, deepfake: false, face_match: true };
    let settings = || serde_json::Value::Null;
    let connect = |_| Err(crate::vendors::ConnectError::Setting("none".to_owned()));
    Spec { id: "test", title: "Test", judges, takes, asynchronous: false, secrets: &[], settings, connect }
}

/// A JPEG of this size, with bytes after its end so that there are about as many as wanted.
fn picture((width, height): (u32, u32), bytes: usize) -> Picture {
    let rgb = vec![120; (width * height * 3) as usize];
    let made = Picture::encode(&Frame::from_rgb(width, height, rgb).unwrap()).unwrap();
    let mut data = made.data.to_vec();
    data.resize(data.len().max(bytes), 0);
    Picture { data: data.into(), media_type: MediaType::Jpeg }
}

fn clip(container: Container, bytes: usize, ms: u64, size: (u32, u32)) -> Clip {
    let (data, duration) = (Bytes::from(vec![0; bytes]), Duration::from_millis(ms));
    Clip { data, container, duration, size, made: false }
}

fn body(frames: &[Picture]) -> u64 {
    let texts: Vec<String> = frames.iter().map(|frame| STANDARD.encode(&frame.data)).collect();
    serde_json::json!({ "frames": texts }).to_string().len() as u64
}

/// Pictures that can be told apart by their lengths.
fn row(count: usize) -> Vec<Picture> {
    (0..count).map(|index| picture(SIDES[0], 3_000 + index)).collect()
}

fn chosen(limits: &MediaLimits, frames: Vec<Picture>) -> Result<Vec<usize>, String> {
    let evidence = Evidence { frames, ..Evidence::default() };
    match select(&spec(&[Takes::Frames]), limits, &evidence)? {
        Selected::Frames(frames) => Ok(frames.iter().map(|frame| frame.data.len() - 3_000).collect()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_needed_is_what_is_taken() {
    let limits = MediaLimits { max_frames: Some(5), ..MediaLimits::default() };
    for (takes, limits, expected) in [
        (&[Takes::Image][..], &limits, (true, 0, false)),
        (&[Takes::Frames], &limits, (true, 5, false)),
        (&[Takes::Frames], &MediaLimits::default(), (true, 16, false)),
        (&[Takes::Video, Takes::Image], &limits, (true, 0, true)),
    ] {
        let (best, frames, video) = expected;
        let mut spec = spec(takes);
        assert_eq!(needs(&spec, limits), Needs { best, frames, video, made_video: false, reference: true });
        spec.judges.face_match = false;
        assert!(!needs(&spec, limits).reference);
    }
}

#[test]
fn the_first_kind_within_the_limits_is_taken() {
    let spec = spec(&[Takes::Video, Takes::Frames, Takes::Image]);
    let mut evidence = Evidence {
        best: Some(picture(SIDES[0], 0)),
        frames: row(3),
        video: Some(clip(Container::Mp4, 10, 1_000, (80, 60))),
        ..Evidence::default()
    };
    let any = MediaLimits::default();
    assert!(matches!(select(&spec, &any, &evidence), Ok(Selected::Video(_))));
    let small = MediaLimits { max_video_bytes: Some(9), ..any.clone() };
    assert!(matches!(select(&spec, &small, &evidence), Ok(Selected::Frames(frames)) if frames.len() == 3));
    let small = MediaLimits { max_frames_body_bytes: Some(1_000), ..small };
    assert!(matches!(select(&spec, &small, &evidence), Ok(Selected::Image(_))));
    evidence.best = None;
    let why = select(&spec, &small, &evidence).unwrap_err();
    let words = "video: 10 bytes; the limit is 9; frames: of 3 not one would do; the last: a body of 4019 bytes; the limit is \
                 1000; image: there is no best frame";
    assert_eq!(why, words);
}

#[test]
fn what_is_wrong_is_said_with_numbers() {
    let video = clip(Container::WebM, 1_000, 5_000, (600, 800));
    let best = picture(SIDES[1], 1_500);
    let unreadable = Picture { data: Bytes::from_static(b"secret face"), media_type: MediaType::Jpeg };
    let any = MediaLimits::default;
    for (limits, words) in [
        (
            MediaLimits { video_containers: Some(vec!["video/mp4".into()]), ..any() },
            "it is video/webm; taken are video/mp4",
        ),
        (MediaLimits { max_video_bytes: Some(999), ..any() }, "1000 bytes; the limit is 999"),
        (MediaLimits { min_video_ms: Some(5_001), ..any() }, "it lasts 5.000 s; the least is 5.001 s"),
        (MediaLimits { max_video_ms: Some(4_999), ..any() }, "it lasts 5.000 s; the limit is 4.999 s"),
        (MediaLimits { min_short_side: Some(601), ..any() }, "600x800 pixels; the shorter side must have at least 601"),
        (MediaLimits { min_long_side: Some(801), ..any() }, "600x800 pixels; the longer side must have at least 801"),
    ] {
        let evidence = Evidence { video: Some(video.clone()), ..Evidence::default() };
        assert_eq!(select(&spec(&[Takes::Video]), &limits, &evidence), Err(format!("video: {words}")));
    }
    for (limits, best, words) in [
        (MediaLimits { max_image_bytes: Some(1_499), ..any() }, &best, "1500 bytes; the limit is 1499"),
        (
            MediaLimits { min_short_side: Some(61), ..any() },
            &best,
            "60x80 pixels; the shorter side must have at least 61",
        ),
        (MediaLimits { min_short_side: Some(1), ..any() }, &unreadable, "its size cannot be read"),
        (any(), &Picture { media_type: MediaType::Webp, ..best.clone() }, "image/webp is taken by no vendor"),
    ] {
        let evidence = Evidence { best: Some(best.clone()), ..Evidence::default() };
        assert_eq!(select(&spec(&[Takes::Image]), &limits, &evidence), Err(format!("image: {words}")));
    }
    let edge = MediaLimits {
        video_containers: Some(vec!["video/webm".into()]),
        max_video_bytes: Some(1_000),
        min_video_ms: Some(5_000),
        max_video_ms: Some(5_000),
        min_short_side: Some(600),
        min_long_side: Some(800),
        ..any()
    };
    let evidence = Evidence { video: Some(video.clone()), ..Evidence::default() };
    assert_eq!(select(&spec(&[Takes::Video]), &edge, &evidence), Ok(Selected::Video(video)), "limits are inclusive");
}

#[test]
fn what_is_not_at_hand_is_said() {
    let spec = spec(&[Takes::Video, Takes::Frames, Takes::Image]);
    let mut evidence = Evidence::default();
    let why = |evidence: &Evidence| select(&spec, &MediaLimits::default(), evidence).unwrap_err();
    assert_eq!(why(&evidence), "video: none came; frames: there are none; image: there is no best frame");
    evidence.no_video = Some("no encoder".to_owned());
    assert!(why(&evidence).starts_with("video: none came; "));
    let why = select(&self::spec(&[Takes::Video]), &MediaLimits::default(), &evidence);
    assert_eq!(why, Err("video: none could be made of the frames: no encoder".to_owned()));
}

#[test]
fn frames_are_left_out_evenly_until_they_fit() {
    let most = |count| MediaLimits { max_frames: Some(count), ..MediaLimits::default() };
    assert_eq!(chosen(&most(4), row(10)), Ok(vec![0, 3, 6, 9]));
    assert_eq!(chosen(&most(2), row(10)), Ok(vec![0, 9]));
    assert_eq!(chosen(&most(1), row(9)), Ok(vec![4]));
    assert_eq!(chosen(&most(99), row(3)), Ok(vec![0, 1, 2]));
    assert_eq!(chosen(&MediaLimits::default(), row(40)).unwrap().len(), 16);
    // Four of them in base64, with what stands around them: the very last byte counts.
    let frames = row(10);
    let four = [0, 3, 6, 9].map(|index| frames[index].clone());
    let limit = |bytes| MediaLimits { max_frames_body_bytes: Some(bytes), ..MediaLimits::default() };
    assert_eq!(chosen(&limit(body(&four)), frames.clone()), Ok(vec![0, 3, 6, 9]));
    assert_eq!(chosen(&limit(body(&four) - 1), frames).unwrap().len(), 3);
}

#[test]
fn a_frame_that_will_not_do_does_not_spoil_the_others() {
    let mut frames = row(5);
    frames[2] = picture(SIDES[0], 9_000);
    frames[3] = picture(SIDES[2], 3_000);
    let limits = MediaLimits {
        max_image_bytes: Some(8_000),
        min_short_side: Some(60),
        max_frames_body_bytes: Some(100_000),
        ..MediaLimits::default()
    };
    assert_eq!(chosen(&limits, frames), Ok(vec![0, 1, 4]));
}

/// The limits by themselves, not as they are looked at above.
fn within(limits: &MediaLimits, selected: &Selected) -> bool {
    let most = |limit: Option<u64>, value: u64| limit.is_none_or(|limit| value <= limit);
    let large = |(a, b): (u32, u32)| {
        a.min(b) >= limits.min_short_side.unwrap_or(0) && a.max(b) >= limits.min_long_side.unwrap_or(0)
    };
    let good = |picture: &Picture| {
        let frame = Frame::decode(&picture.data, None, &crate::frame::FrameLimits::default()).unwrap();
        most(limits.max_image_bytes, picture.data.len() as u64) && large((frame.width(), frame.height()))
    };
    match selected {
        Selected::Image(picture) => good(picture),
        Selected::Frames(frames) => {
            !frames.is_empty()
                && frames.len() as u64 <= u64::from(limits.max_frames.unwrap_or(16))
                && frames.iter().all(good)
                && most(limits.max_frames_body_bytes, body(frames))
        }
        Selected::Video(clip) => {
            let ms = clip.duration.as_millis() as u64;
            let named = |names: &Vec<String>| names.iter().any(|name| name == clip.container.name());
            limits.video_containers.as_ref().is_none_or(named)
                && most(limits.max_video_bytes, clip.data.len() as u64)
                && most(limits.max_video_ms, ms)
                && ms >= limits.min_video_ms.unwrap_or(0)
                && large(clip.size)
        }
    }
}

fn some_limits() -> impl Strategy<Value = MediaLimits> {
    let side = || proptest::option::of(30_u32..110);
    let bytes = || proptest::option::of(1_u64..12_000);
    let ms = || proptest::option::of(1_u64..100);
    let names = proptest::option::of(proptest::sample::subsequence(&Container::ALL, 1..=4));
    (
        bytes(),
        bytes(),
        names,
        proptest::option::of(1_u32..6),
        proptest::option::of(1_u64..40_000),
        ms(),
        ms(),
        side(),
        side(),
    )
        .prop_map(|(image, video, names, frames, body, least, most, short, long)| MediaLimits {
            max_image_bytes: image,
            max_video_bytes: video,
            video_containers: names.map(|names| names.iter().map(|kind| kind.name().to_owned()).collect()),
            max_frames: frames,
            max_frames_body_bytes: body,
            min_video_ms: least,
            max_video_ms: most,
            min_short_side: short,
            min_long_side: long,
        })
}

fn some_evidence() -> impl Strategy<Value = Evidence> {
    let some_picture = || (0..SIDES.len(), 1_usize..12_000).prop_map(|(sides, bytes)| picture(SIDES[sides], bytes));
    let some_clip = (0..4_usize, 1_usize..12_000, 1_u64..100, 0..SIDES.len())
        .prop_map(|(kind, bytes, ms, sides)| clip(Container::ALL[kind], bytes, ms, SIDES[sides]));
    let frames = proptest::collection::vec(some_picture(), 0..12);
    (proptest::option::of(some_picture()), frames, proptest::option::of(some_clip))
        .prop_map(|(best, frames, video)| Evidence { best, frames, video, ..Evidence::default() })
}

proptest! {
    #[test]
    fn the_first_kind_that_can_be_within_the_limits_is_and_keeps_its_order(
        limits in some_limits(),
        evidence in some_evidence(),
    ) {
        let possible: Vec<Takes> = [Takes::Frames, Takes::Video, Takes::Image].into_iter().filter(|takes| match takes {
            Takes::Image => evidence.best.clone().is_some_and(|best| within(&limits, &Selected::Image(best))),
            Takes::Frames => {
                evidence.frames.iter().any(|frame| within(&limits, &Selected::Frames(vec![frame.clone()])))
            }
            Takes::Video => evidence.video.clone().is_some_and(|clip| within(&limits, &Selected::Video(clip))),
        }).collect();
        match select(&spec(&[Takes::Frames, Takes::Video, Takes::Image]), &limits, &evidence) {
            Ok(selected) => {
                prop_assert!(within(&limits, &selected), "{selected:?}");
                let kind = match &selected {
                    Selected::Image(_) => Takes::Image,
                    Selected::Frames(_) => Takes::Frames,
                    Selected::Video(_) => Takes::Video,
                };
                prop_assert_eq!(Some(&kind), possible.first());
                if let Selected::Frames(frames) = selected {
                    let mut rest = evidence.frames.iter();
                    prop_assert!(frames.iter().all(|frame| rest.any(|other| other == frame)), "in their order");
                }
            }
            Err(why) => prop_assert!(possible.is_empty(), "{why}"),
        }
    }
}

#[test]
fn the_best_frame_is_the_last_to_be_left_out() {
    for (count, best, expected) in
        [(4, 5, vec![0, 3, 5, 9]), (4, 6, vec![0, 3, 6, 9]), (2, 8, vec![0, 8]), (1, 7, vec![7]), (3, 0, vec![0, 5, 9])]
    {
        let frames = row(10);
        let limits = MediaLimits { max_frames: Some(count), ..MediaLimits::default() };
        let evidence = Evidence { best: frames.get(best).cloned(), frames, ..Evidence::default() };
        let Ok(Selected::Frames(kept)) = select(&spec(&[Takes::Frames]), &limits, &evidence) else {
            panic!("no frames")
        };
        assert_eq!(kept.iter().map(|frame| frame.data.len() - 3_000).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_video_made_of_frames_is_for_vendors_that_take_nothing_else() {
    let made = Clip { made: true, ..clip(Container::Mp4, 10, 1_000, (80, 60)) };
    let evidence = Evidence { video: Some(made), frames: row(2), ..Evidence::default() };
    let any = MediaLimits::default();
    let chosen = |takes| select(&spec(takes), &any, &evidence).unwrap();
    assert!(matches!(chosen(&[Takes::Video, Takes::Frames]), Selected::Frames(_)));
    assert!(matches!(chosen(&[Takes::Video]), Selected::Video(clip) if clip.made));
    assert!(needs(&spec(&[Takes::Video]), &any).made_video);
    assert!(!needs(&spec(&[Takes::Video, Takes::Image]), &any).made_video);
}
