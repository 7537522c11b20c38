//! The document parses, has a mark for every frame, and says what it is about.

use std::time::Duration;

use lifesign_core::{
    quality::Hint,
    verdict::{
        Assurance, Check, CheckId, CheckState, Decision, Detail, FrameRecord, FrameState, FrameStats, PackRef,
        PolicyRef, Reason, RuntimeRef, Source, Timings, Verdict,
    },
};
use roxmltree::{Document, Node};

use super::{Target, svg};

fn check(id: CheckId, state: CheckState, score: Option<f32>, detail: Option<Detail>) -> Check {
    Check {
        id,
        state,
        score,
        threshold: Some(0.5),
        raw: None,
        source: Source::Local,
        models: vec![],
        duration: Duration::ZERO,
        required: id != CheckId::Deepfake,
        detail,
    }
}

/// A verdict on these frames.
fn verdict(timeline: Vec<FrameRecord>) -> Verdict {
    Verdict {
        decision: Decision::Reject,
        checks: vec![
            check(CheckId::Sharpness, CheckState::Passed, Some(0.8), None),
            check(CheckId::PresentationAttack, CheckState::Failed, Some(0.499), None),
            check(CheckId::Deepfake, CheckState::NotRun, None, Some(Detail::NoModel)),
            check(CheckId::StillImage, CheckState::Passed, Some(1.0), None),
        ],
        faces: vec![],
        pose: None,
        vendor_results: Vec::new(),
        reasons: vec![Reason { code: "NOT_PASSED", message: "The check was not passed." }],
        diagnostics: vec![],
        policy: PolicyRef { id: "default".into(), version: "1.abc".into() },
        pack: PackRef { id: "tiny".into(), version: "2".into(), assurance: Assurance::Custom, sha256: "00".into() },
        runtime: RuntimeRef { name: "rten".into(), version: "0".into() },
        frames: FrameStats { received: timeline.len().try_into().unwrap(), ..FrameStats::default() },
        timings: Timings::default(),
        best_frame_index: Some(4),
        matched_frame_index: None,
        timeline,
    }
}

/// Frames of every state in turn, 40 ms apart.
fn frames(count: u64) -> Vec<FrameRecord> {
    let states = [
        FrameState::NoFace,
        FrameState::Blocked(CheckId::Sharpness),
        FrameState::Refused,
        FrameState::Fault,
        FrameState::Judged,
        FrameState::Judged,
    ];
    let record = |index: u64| {
        let state = states[index as usize % states.len()];
        let (scores, hints) = match state {
            FrameState::Judged => (vec![(CheckId::Sharpness, 0.9), (CheckId::PresentationAttack, 0.4)], vec![]),
            FrameState::Blocked(_) => (vec![(CheckId::Sharpness, 0.1)], vec![Hint::TooDark, Hint::Blurry]),
            FrameState::NoFace => (vec![], vec![Hint::NoFace]),
            FrameState::Refused | FrameState::Fault => (vec![], vec![]),
        };
        FrameRecord { index, captured: Some(Duration::from_millis(40 * index)), state, scores, hints }
    };
    (0..count).map(record).collect()
}

fn of_class<'a>(document: &'a Document<'a>, class: &str) -> Vec<Node<'a, 'a>> {
    let has = |node: &Node<'_, '_>| node.attribute("class").is_some_and(|all| all.split(' ').any(|one| one == class));
    document.descendants().filter(has).collect()
}

fn words(document: &Document<'_>) -> String {
    document.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_frame_has_a_mark_and_every_score_a_point() {
    for count in [0, 1, 2, 6, 37, 256] {
        let verdict = verdict(frames(count));
        let text = svg(&verdict);
        let document = Document::parse(&text).unwrap();
        assert_eq!(of_class(&document, "frame").len() as u64, count);
        let scores: usize = verdict.timeline.iter().map(|record| record.scores.len()).sum();
        assert_eq!(of_class(&document, "point").len(), scores, "{count} frames");
        assert_eq!(of_class(&document, "choice").len(), usize::from(count > 4));
    }
}

#[test]
fn hints_are_spans_over_neighbouring_frames() {
    let mut timeline = frames(6);
    for record in &mut timeline[..4] {
        record.hints = vec![Hint::TooDark];
    }
    timeline[5].hints = vec![Hint::TooDark, Hint::HoldStill];
    let text = svg(&verdict(timeline));
    let document = Document::parse(&text).unwrap();
    let spans: Vec<_> = of_class(&document, "span").iter().map(|node| node.text().unwrap_or_default().len()).collect();
    assert_eq!(spans.len(), 2, "{text}");
    assert!(words(&document).contains("TOO_DARK: 4 frames"));
    assert!(!words(&document).contains("HOLD_STILL: "));
}

/// Shapes tell the states apart without their colours.
#[test]
fn every_state_has_a_shape_of_its_own() {
    let text = svg(&verdict(frames(5)));
    let document = Document::parse(&text).unwrap();
    let shape = |node: &Node<'_, '_>| {
        let path = node.descendants().find(|child| child.has_tag_name("path")).unwrap();
        let commands: String = path.attribute("d").unwrap().chars().filter(char::is_ascii_alphabetic).collect();
        (commands, path.attribute("class").unwrap().to_owned())
    };
    let shapes: std::collections::BTreeSet<_> = of_class(&document, "frame").iter().map(shape).collect();
    assert_eq!(shapes.len(), 5, "{shapes:?}");
}

#[test]
fn it_says_what_was_decided_and_why() {
    let text = svg(&verdict(frames(6)));
    let document = Document::parse(&text).unwrap();
    let said = words(&document);
    for expected in [
        "REJECT",
        "Reasons: NOT_PASSED",
        "policy default 1.abc, pack tiny 2 (CUSTOM), rten 0",
        "time, s",
        "best: frame 4, 0.16 s",
        "blocked by Sharpness; TOO_DARK, BLURRY",
        // What fails by a hair does not read as if it had passed.
        "0.49 < 0.50 FAILED",
        "NOT_RUN (NO_MODEL)",
        "1.00 ≥ 0.50 PASSED",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    for (tag, id) in [("title", "title"), ("desc", "description")] {
        let found = root.children().find(|child| child.has_tag_name(("http://www.w3.org/2000/svg", tag))).unwrap();
        assert_eq!(found.attribute("id"), Some(id));
        assert!(root.attribute("aria-labelledby").unwrap().contains(id));
        assert!(found.text().unwrap().contains("REJECT") || found.text().unwrap().contains("judged"));
    }
    assert!(!document.descendants().any(|node| node.has_tag_name("image")), "no picture of the person");
}

#[test]
fn without_times_the_frames_are_numbered() {
    let mut timeline = frames(6);
    timeline[3].captured = None;
    let text = svg(&verdict(timeline));
    let document = Document::parse(&text).unwrap();
    assert!(words(&document).contains("number of the frame"), "{text}");
    assert!(!words(&document).contains("time, s"));
}

#[test]
fn names_cannot_break_out_of_the_document() {
    let mut verdict = verdict(frames(2));
    let name = "</text><script>x()</script>&\"'<\u{1}\u{FFFF}";
    verdict.policy.id = name.to_owned();
    verdict.pack.id = name.to_owned();
    let text = svg(&verdict);
    let document = Document::parse(&text).unwrap();
    assert!(!document.descendants().any(|node| node.has_tag_name("script")), "{text}");
    assert!(words(&document).contains("policy </text><script>x()</script>&\"'<\u{FFFD}\u{FFFD} 1.abc"), "{text}");
}

#[test]
fn what_is_no_number_is_not_drawn() {
    let mut verdict = verdict(frames(6));
    verdict.timeline[4].scores = vec![(CheckId::PresentationAttack, f32::NAN), (CheckId::Sharpness, 7.0)];
    verdict.timeline[5].captured = Some(Duration::MAX);
    verdict.checks[1].threshold = Some(f32::INFINITY);
    let text = svg(&verdict);
    Document::parse(&text).unwrap();
    assert!(!text.contains("NaN") && !text.contains("\"inf"), "{text}");
}

#[test]
fn a_timeline_that_was_cut_says_so() {
    let mut verdict = verdict(frames(6));
    verdict.frames.received = 400;
    assert!(svg(&verdict).contains("Shown are the first 6 of 400 frames."));
}

#[test]
fn the_file_is_whole_or_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.svg");
    std::fs::write(&path, "before").unwrap();
    drop(Target::open(&path).unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
    Target::open(&path).unwrap().write("after").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "after");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    assert!(Target::open(folder.path()).is_err());
    assert!(Target::open(&folder.path().join("missing/out.svg")).is_err());
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_a_device_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("out.svg"), folder.path().join("link.svg"));
    std::fs::write(&path, "before").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    Target::open(&link).unwrap().write("after").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "after");
    assert!(link.is_symlink());
    let null = std::path::Path::new("/dev/null");
    Target::open(null).unwrap().write("nothing").unwrap();
    assert!(!null.is_file());
}
