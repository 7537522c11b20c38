//! Packs, decoded clips, and sessions over them.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use lifesign_core::{
    analysis::{Analyzer, FrameAnalysis},
    frame::{Frame, FrameLimits},
    matching::Reference,
    pack::Pack,
    policy::{Policy, builtin},
    runtime::SharedRuntime,
    session::{Context, Media, Session},
    testing,
    verdict::{CheckId, FrameState, Verdict},
    video::{Ffmpeg, Sampling, Video, VideoFrame, VideoLimits},
};

/// Frames a second that are looked at, and the most in all.
const RATE: f64 = 5.0;
const MOST: f64 = 64.0;

/// A pack with its models loaded.
pub(crate) struct Bench {
    pub(crate) pack: Pack,
    runtime: SharedRuntime,
    analyzer: Analyzer,
    pub(crate) policy: Arc<Policy>,
}

/// What the tests need from outside: the shared media and the ffmpeg program.
pub(crate) struct Outside {
    pub(crate) shared: PathBuf,
    pub(crate) ffmpeg: Ffmpeg,
}

/// `None` after saying that the test `name` is skipped.
pub(crate) fn outside(name: &str) -> Option<Outside> {
    let shared = testing::shared(name)?;
    let ffmpeg = Ffmpeg::find();
    if ffmpeg.path().is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name}: ffmpeg is absent");
        eprintln!("SKIPPED {name}: ffmpeg is absent");
        return None;
    }
    Some(Outside { shared, ffmpeg })
}

impl Outside {
    pub(crate) fn clip(&self, name: &str) -> PathBuf {
        self.shared.join("media/video").join(name)
    }

    pub(crate) fn decode(&self, path: &Path) -> Vec<VideoFrame> {
        self.decode_at(path, RATE)
    }

    /// Frames evenly spread, so many a second.
    pub(crate) fn decode_at(&self, path: &Path, rate: f64) -> Vec<VideoFrame> {
        let bytes = std::fs::read(path).unwrap();
        let video = Video::probe(&bytes, None, &VideoLimits::default()).unwrap();
        let count = (video.info().duration.as_secs_f64() * rate).ceil().clamp(1.0, MOST) as u32;
        let frames = video.frames(Sampling::Even(NonZeroU32::new(count).unwrap()), &self.ffmpeg).unwrap();
        frames.collect::<Result<_, _>>().unwrap()
    }

    /// The open pack, on ONNX Runtime where there is one: what an operator runs.
    pub(crate) fn open(&self, name: &str) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        testing::open_pack(&self.shared, dir.path()).unwrap();
        bench(Pack::open(dir.path()).unwrap(), name)
    }

    pub(crate) fn builtin(&self, name: &str) -> Bench {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/builtin"));
        bench(Pack::open(folder).unwrap(), name)
    }
}

fn bench(pack: Pack, name: &str) -> Bench {
    let runtime = testing::runtimes(name).unwrap().pop().unwrap();
    let analyzer = Analyzer::load(&pack, &*runtime).unwrap();
    let default = builtin().into_iter().find(|(id, _)| *id == "default").unwrap().1;
    let policy = Arc::new(Policy::compile("default", default, &pack).unwrap());
    Bench { pack, runtime, analyzer, policy }
}

impl Bench {
    pub(crate) fn reference(&mut self, path: &Path) -> Reference {
        let frame = Frame::decode(&std::fs::read(path).unwrap(), None, &FrameLimits::default()).unwrap();
        Reference::of(&self.reference_of(&frame))
    }

    /// A frame as a reference image is analysed.
    pub(crate) fn reference_of(&mut self, frame: &Frame) -> FrameAnalysis {
        self.analyzer.analyze(frame, &Reference::plan()).unwrap()
    }

    pub(crate) fn judge(&mut self, frames: &[VideoFrame]) -> Verdict {
        self.judge_against(frames, None)
    }

    pub(crate) fn judge_against(&mut self, frames: &[VideoFrame], reference: Option<Reference>) -> Verdict {
        let context = Context {
            policy: Arc::clone(&self.policy),
            pack: self.pack.reference().clone(),
            runtime: self.runtime.describe(),
            media: Media::Video,
            reference: reference.map(Arc::new),
        };
        let plan = context.plan();
        let mut session = Session::new(context);
        for video in frames {
            let analysis = self.analyzer.analyze(&video.frame, &plan).unwrap();
            session.push(video.index, video.timing(video.time, video.decode), analysis);
            if session.is_complete() {
                break;
            }
        }
        session.finish(frames.last().map(|video| video.time).unwrap_or_default())
    }
}

/// A clip made by ffmpeg in a folder: the arguments between the global ones and the file.
pub(crate) fn make(folder: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments)
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    path
}

/// The reasons' codes.
pub(crate) fn codes(verdict: &Verdict) -> Vec<&str> {
    verdict.reasons.iter().map(|reason| reason.code).collect()
}

/// One line of the table: decision, reasons, frames, the checks that matter.
pub(crate) fn line(verdict: &Verdict) -> String {
    let show = |id| match verdict.check(id) {
        Some(check) => match check.score {
            Some(score) => format!("{score:.2}"),
            None => check.detail.map_or("-", |detail| detail.code()).to_owned(),
        },
        None => "-".to_owned(),
    };
    let of = |wanted: fn(&FrameState) -> bool| verdict.timeline.iter().filter(|record| wanted(&record.state)).count();
    let codes = codes(verdict);
    format!(
        "{:13} frames {:2} judged {:2} faceless {:2} several {:2}  PA {} still {} same {} match {}  {codes:?}",
        format!("{:?}", verdict.decision),
        verdict.timeline.len(),
        verdict.frames.judged,
        of(|state| *state == FrameState::NoFace),
        of(|state| *state == FrameState::Blocked(CheckId::SingleFacePresent)),
        show(CheckId::PresentationAttack),
        show(CheckId::StillImage),
        show(CheckId::FrameContinuity),
        show(CheckId::FaceMatch),
    )
}
