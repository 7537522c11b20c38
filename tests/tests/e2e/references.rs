//! Reference images on real faces: the same person, another one, and pictures that cannot be compared with.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use lifesign_e2e::{clips, tools};
use lifesign_proto::v1::{
    Check, CheckMediaRequest, CheckState, CreateSessionRequest, Decision, FrameList, Image, MediaChunk, SessionConfig,
    StreamSessionRequest, Verdict, Video, check_media_request::Media, stream_session_request as request,
    stream_session_response as response,
};
use tokio_stream::iter;

use crate::{
    open_server,
    videos::{Client, check},
};

fn image(path: &Path) -> Image {
    Image { data: fs::read(path).expect("an image").into(), ..Default::default() }
}

fn face_match(verdict: &Verdict) -> &Check {
    verdict.checks.iter().find(|check| check.id == "FaceMatch").expect("a reference was given")
}

/// Portraits by their subject, as the media's manifest has them.
fn portraits(shared: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let manifest = fs::read_to_string(shared.join("media/manifest.csv")).expect("the manifest");
    let mut by_subject: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for line in manifest.lines().filter(|line| line.starts_with("portrait/")) {
        let (file, subject) = (line.split(',').next(), line.rsplit(',').next());
        if let (Some(file), Some(subject)) = (file, subject.filter(|subject| !subject.is_empty())) {
            by_subject.entry(subject.to_owned()).or_default().push(shared.join("media").join(file));
        }
    }
    by_subject
}

async fn compare(client: &mut Client, media: Media, reference: Image) -> Verdict {
    let request = CheckMediaRequest { media: Some(media), reference: Some(reference), ..Default::default() };
    check(client, request).await.expect("a verdict")
}

#[tokio::test(flavor = "multi_thread")]
async fn portraits_match_their_own_and_no_other() {
    let test = "references::portraits_match_their_own_and_no_other";
    let Some(open) = open_server(test, &[]) else { return };
    let mut client = open.server.client().await;
    let by_subject = portraits(&open.shared);
    // One pair of each person, and each person with the next one.
    let people: Vec<_> = by_subject.values().filter(|files| files.len() > 1).collect();
    assert!(people.len() >= 4, "{by_subject:?}");
    let (mut same, mut other) = ((0, 0), (0, 0));
    for (index, person) in people.iter().enumerate() {
        let next = people[(index + 1) % people.len()];
        for (reference, expected, count) in
            [(&person[1], CheckState::Passed, &mut same), (&next[0], CheckState::Failed, &mut other)]
        {
            let verdict = compare(&mut client, Media::Image(image(&person[0])), image(reference)).await;
            let check = face_match(&verdict);
            println!(
                "{} {}: {:?} {:?} {}",
                person[0].display(),
                reference.display(),
                check.state(),
                check.score,
                check.detail
            );
            // A portrait of a document's quality may not be good enough to be compared; that is said and counts for neither.
            if check.state() == CheckState::NotRun {
                assert!(check.detail.starts_with("REFERENCE_") || !check.detail.is_empty(), "{check:?}");
                continue;
            }
            count.0 += u32::from(check.state() == expected);
            count.1 += 1;
            if check.state() == CheckState::Failed {
                assert_ne!(verdict.decision(), Decision::Accept, "{verdict:?}");
            }
            if check.state() == CheckState::Passed {
                assert_eq!(verdict.matched_frame_index, Some(0));
            }
        }
    }
    println!("same: {} of {} matched; other: {} of {} told apart", same.0, same.1, other.0, other.1);
    assert!(same.1 >= 4 && other.1 >= 4, "too few pairs could be compared");
    assert_eq!((same.0, other.0), (same.1, other.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_is_compared_with_its_own_person_and_another() {
    let test = "references::a_video_is_compared_with_its_own_person_and_another";
    if !tools::has(test, "ffmpeg", &["-version"]) {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    let mut client = open.server.client().await;
    let path = open.shared.join("media/video/tran_live.mp4");
    let clip = fs::read(&path).expect("a clip");
    let video = || Media::Video(Video { data: clip.clone().into(), media_type: "video/mp4".into() });
    // Another moment of the same recording, made smaller and flipped, so that it is the person but not the very picture.
    let own = clips::made_of(&path, "-ss 12 -frames:v 1 -vf hflip,scale=300:-2 -q:v 4", "jpg");
    let own = Image { data: own.into(), ..Default::default() };
    let verdict = compare(&mut client, video(), own.clone()).await;
    println!("own: {:?} {:?}", verdict.decision(), face_match(&verdict));
    assert_eq!((verdict.decision(), face_match(&verdict).state()), (Decision::Accept, CheckState::Passed));
    let matched = verdict.matched_frame_index.expect("the straightest frame");
    assert!(verdict.timeline.iter().any(|frame| frame.frame_index == matched), "{matched}");

    let stranger = image(&portraits(&open.shared)["obama"][0]);
    let verdict = compare(&mut client, video(), stranger.clone()).await;
    assert_eq!((verdict.decision(), face_match(&verdict).state()), (Decision::Reject, CheckState::Failed));

    // The same by frames, and by a session whose reference the backend gave.
    let frames = clips::frames(&path, 5, 12);
    let list = frames.iter().map(|frame| Image { data: frame.clone().into(), ..Default::default() }).collect();
    let verdict = compare(&mut client, Media::Frames(FrameList { frames: list }), stranger.clone()).await;
    assert_eq!((verdict.decision(), face_match(&verdict).state()), (Decision::Reject, CheckState::Failed));
    for (reference, decision) in [(own, Decision::Accept), (stranger, Decision::Reject)] {
        let config = SessionConfig { reference: Some(reference), ..Default::default() };
        let made = client.create_session(CreateSessionRequest { config: Some(config), ..Default::default() }).await;
        let token = made.expect("a session").into_inner().session_token;
        let session = request::start::Session::SessionToken(token);
        let mut messages = vec![request::Message::Start(request::Start { session: Some(session) })];
        for (frame_index, frame) in (0..).zip(&frames) {
            let chunk = MediaChunk { frame_index, data: frame.clone().into(), last: true, ..Default::default() };
            messages.push(request::Message::Chunk(chunk));
        }
        let messages: Vec<_> =
            messages.into_iter().map(|message| StreamSessionRequest { message: Some(message) }).collect();
        let mut replies = client.stream_session(iter(messages)).await.expect("a stream").into_inner();
        let mut verdict = None;
        while let Some(reply) = replies.message().await.expect("no fault") {
            if let Some(response::Message::Verdict(end)) = reply.message {
                verdict = Some(end);
            }
        }
        let verdict = verdict.expect("a verdict");
        assert_eq!(verdict.decision(), decision, "{verdict:?}");
        assert!(verdict.checks.iter().all(|check| check.id != "FaceMatch"), "a device is not told how near it came");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_without_a_face_asks_for_another() {
    let test = "references::a_reference_without_a_face_asks_for_another";
    let Some(open) = open_server(test, &[]) else { return };
    let mut client = open.server.client().await;
    let probe = image(&portraits(&open.shared)["obama"][0]);
    let nobody = lifesign_e2e::media::files(&open.shared.join("media/no_face"))[0].clone();
    let verdict = compare(&mut client, Media::Image(probe.clone()), image(&nobody)).await;
    let check = face_match(&verdict);
    assert_eq!((check.state(), check.detail.as_str()), (CheckState::NotRun, "REFERENCE_NO_FACE"));
    assert!(!matches!(verdict.decision(), Decision::Accept), "{verdict:?}");
    // On a capture that is good otherwise, it is the reference that is asked for anew.
    let good = image(&open.shared.join("media/live/minivision_T1.jpg"));
    let verdict = compare(&mut client, Media::Image(good.clone()), image(&nobody)).await;
    assert_eq!(verdict.decision(), Decision::Retry, "{verdict:?}");
    // The probe itself as its reference proves nothing.
    let verdict = compare(&mut client, Media::Image(good.clone()), good).await;
    assert_ne!(verdict.decision(), Decision::Accept, "{verdict:?}");
    println!("itself: {:?} {:?}", verdict.decision(), face_match(&verdict));
}
