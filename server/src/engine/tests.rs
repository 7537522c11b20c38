//! The pool with judges that are slow, broken or absent.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use lifesign_core::{
    Error as CoreError,
    analysis::{FrameAnalysis, Plan},
    frame::{Frame, FrameError, FrameLimits, PixelFormat, RawLayout, Rotation},
    pack::PackError,
    runtime::RuntimeError,
};

use super::*;

/// A judge that waits for a word before it answers, says when it began, and panics when told to.
struct Scripted {
    began: mpsc::Sender<()>,
    go: Arc<Mutex<mpsc::Receiver<Word>>>,
}

enum Word {
    Answer,
    Panic,
    Fail,
}

impl Judge for Scripted {
    fn judge(&mut self, frame: &Frame, _: &Plan) -> Result<FrameAnalysis, RuntimeError> {
        self.began.send(()).unwrap();
        // The lock is let go before the panic, or the next judge would find it poisoned.
        let word = self.go.lock().unwrap().recv_timeout(Duration::from_secs(10)).unwrap();
        match word {
            Word::Answer => Ok(analysis(frame)),
            Word::Panic => panic!("told to"),
            Word::Fail => Err(RuntimeError::Run { model: "m".into(), what: "told to".into() }),
        }
    }
}

fn analysis(frame: &Frame) -> FrameAnalysis {
    FrameAnalysis {
        width: frame.width(),
        height: frame.height(),
        faces: Vec::new(),
        pose: None,
        measurements: Vec::new(),
        faults: Vec::new(),
        embedding: None,
        motion: None,
        duration: Duration::ZERO,
    }
}

struct Rig {
    engine: Engine,
    began: mpsc::Receiver<()>,
    go: mpsc::Sender<Word>,
    loads: Arc<AtomicU32>,
}

fn rig(queue: usize) -> Rig {
    let (began_in, began) = mpsc::channel();
    let (go, go_out) = mpsc::channel();
    let (go_out, loads) = (Arc::new(Mutex::new(go_out)), Arc::new(AtomicU32::new(0)));
    let counter = Arc::clone(&loads);
    let began_in = Mutex::new(began_in);
    let engine = Engine::start_with(&EngineConfig { workers: 1, queue }, move || {
        counter.fetch_add(1, Ordering::SeqCst);
        let began = began_in.lock().unwrap().clone();
        Ok(Box::new(Scripted { began, go: Arc::clone(&go_out) }) as Box<dyn Judge>)
    });
    Rig { engine: engine.unwrap(), began, go, loads }
}

impl Rig {
    fn begun(&self) -> bool {
        self.began.recv_timeout(Duration::from_millis(300)).is_ok()
    }
}

const LAYOUT: RawLayout = RawLayout {
    format: PixelFormat::Gray8,
    width: 32,
    height: 32,
    stride: 0,
    rotation: Rotation::Deg0,
    mirrored: false,
};

fn job(within: Duration) -> Job {
    Job {
        picture: Picture::Media(Media { data: Bytes::from(vec![9; 32 * 32]), form: MediaForm::Raw(LAYOUT) }),
        limits: FrameLimits::default(),
        plan: Arc::default(),
        deadline: Instant::now() + within,
    }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_job_is_decoded_and_judged() {
    let rig = rig(4);
    let ticket = rig.engine.submit(job(LONG)).unwrap();
    assert!(rig.begun());
    rig.go.send(Word::Answer).unwrap();
    let done = ticket.await.unwrap();
    assert_eq!((done.analysis.width, done.analysis.height), (32, 32));
    assert!(done.analyse > Duration::ZERO);
}

#[tokio::test]
async fn a_decoded_frame_is_judged_as_it_is() {
    let rig = rig(4);
    let frame = Frame::from_raw(&[9; 64 * 48], &RawLayout { width: 64, height: 48, ..LAYOUT }, &FrameLimits::default());
    // Limits on images say nothing about it: a video has its own.
    let limits = FrameLimits { max_dimension: 1, ..FrameLimits::default() };
    let picture = Picture::Decoded(frame.unwrap());
    let ticket = rig.engine.submit(Job { picture, limits, ..job(LONG) }).unwrap();
    rig.go.send(Word::Answer).unwrap();
    let done = ticket.await.unwrap();
    assert_eq!((done.analysis.width, done.analysis.height), (64, 48));
}

#[tokio::test]
async fn a_full_queue_refuses_with_an_estimate() {
    let rig = rig(1);
    let _at_work = rig.engine.submit(job(LONG)).unwrap();
    assert!(rig.begun());
    let _waiting = rig.engine.submit(job(LONG)).unwrap();
    let busy = rig.engine.submit(job(LONG)).unwrap_err();
    assert_eq!((busy.workers, busy.queued), (1, 1));
    assert!(busy.retry_after >= Duration::from_millis(50));
    // A caller that can wait gets no room before its deadline either.
    assert!(rig.engine.submit_wait(job(Duration::from_millis(50))).await.is_err());
    rig.go.send(Word::Answer).unwrap();
    assert!(rig.begun(), "the one that waited is taken up");
    assert!(rig.engine.submit_wait(job(LONG)).await.is_ok());
}

#[tokio::test]
async fn streams_leave_room_for_calls() {
    let rig = rig(4);
    let _at_work = rig.engine.submit(job(LONG)).unwrap();
    assert!(rig.begun());
    let mut frames = Vec::new();
    for _ in 0..3 {
        frames.push(rig.engine.submit_wait(job(LONG)).await.unwrap());
    }
    assert!(rig.engine.submit_wait(job(Duration::from_millis(50))).await.is_err(), "streams have their share");
    let call = rig.engine.submit(job(LONG)).unwrap();
    assert!(rig.engine.submit(job(LONG)).is_err(), "now the queue is full");
    for _ in 0..5 {
        rig.go.send(Word::Answer).unwrap();
    }
    call.await.unwrap();
    for frame in frames {
        frame.await.unwrap();
    }
    // Every place that a stream's frame took is free again.
    for _ in 0..3 {
        rig.go.send(Word::Answer).unwrap();
        rig.engine.submit_wait(job(LONG)).await.unwrap().await.unwrap();
    }
}

#[tokio::test]
async fn work_that_nobody_waits_for_is_not_begun() {
    let rig = rig(4);
    let at_work = rig.engine.submit(job(LONG)).unwrap();
    assert!(rig.begun());
    drop(rig.engine.submit(job(LONG)).unwrap());
    rig.go.send(Word::Answer).unwrap();
    at_work.await.unwrap();
    assert!(!rig.begun(), "the abandoned job was begun");
    let next = rig.engine.submit(job(LONG)).unwrap();
    assert!(rig.begun());
    rig.go.send(Word::Answer).unwrap();
    next.await.unwrap();
}

#[tokio::test]
async fn expired_work_is_not_begun() {
    let rig = rig(4);
    let at_work = rig.engine.submit(job(LONG)).unwrap();
    assert!(rig.begun());
    let late = rig.engine.submit(job(Duration::ZERO)).unwrap();
    rig.go.send(Word::Answer).unwrap();
    at_work.await.unwrap();
    assert!(matches!(late.await, Err(EngineError::Expired)));
    assert!(!rig.begun());
}

#[tokio::test]
async fn a_panic_costs_one_job_and_the_models_are_loaded_anew() {
    let rig = rig(4);
    for round in 1..=3 {
        let doomed = rig.engine.submit(job(LONG)).unwrap();
        rig.go.send(Word::Panic).unwrap();
        assert!(matches!(doomed.await, Err(EngineError::Panicked)));
        let next = rig.engine.submit(job(LONG)).unwrap();
        rig.go.send(Word::Answer).unwrap();
        next.await.unwrap();
        assert_eq!(rig.loads.load(Ordering::SeqCst), 1 + round);
    }
}

#[tokio::test]
async fn broken_media_and_broken_models_are_told_apart() {
    let rig = rig(4);
    let mut empty = job(LONG);
    empty.picture = Picture::Media(Media { data: Bytes::from_static(b"no image"), form: MediaForm::Encoded(None) });
    let refused = rig.engine.submit(empty).unwrap().await;
    assert!(matches!(refused, Err(EngineError::Frame(FrameError::UnknownFormat))), "{refused:?}");
    let failing = rig.engine.submit(job(LONG)).unwrap();
    rig.go.send(Word::Fail).unwrap();
    assert!(matches!(failing.await, Err(EngineError::Runtime(RuntimeError::Run { .. }))));
}

#[test]
fn a_worker_that_cannot_load_stops_the_start() {
    let attempts = AtomicU32::new(0);
    let started = Engine::start_with(&EngineConfig { workers: 3, queue: 1 }, move || {
        if attempts.fetch_add(1, Ordering::SeqCst) == 1 {
            return Err(CoreError::Pack(PackError::NoBuiltin));
        }
        let (began, go) = (mpsc::channel().0, Arc::new(Mutex::new(mpsc::channel().1)));
        Ok(Box::new(Scripted { began, go }) as Box<dyn Judge>)
    });
    assert!(matches!(started, Err(EngineStartError::Load { source: CoreError::Pack(PackError::NoBuiltin), .. })));
}

#[test]
fn media_is_not_in_debug_output() {
    let text = format!("{:?}", job(LONG));
    assert!(text.contains("1024") && !text.contains("9, 9"), "{text}");
}
