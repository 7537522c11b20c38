//! A core verdict as the wire's `Verdict`.

use std::time::Duration;

use lifesign_core::{
    face::{Face, HeadPose, Point, Rect},
    verdict::{
        Assurance, Check, CheckState, Decision, FrameRecord, FrameState, FrameStats, ModelRef, PackRef, PolicyRef,
        RawMeasure, Reason, RuntimeRef, Source, Timings, Verdict,
    },
};
use lifesign_proto::v1 as wire;

use super::{hint, vendors};

/// The source of this engine's own checks, beside vendors' ids.
pub const LOCAL: &str = "local";

/// A verdict. `session_id` and `client_reference` are empty where there is none.
pub fn verdict(verdict: &Verdict, session_id: &str, client_reference: &str) -> wire::Verdict {
    let mut faces: Vec<wire::Face> = verdict.faces.iter().map(face).collect();
    if let Some(first) = faces.first_mut() {
        first.pose = verdict.pose.map(pose);
    }
    wire::Verdict {
        decision: decision(verdict.decision).into(),
        checks: verdict.checks.iter().map(check).collect(),
        faces,
        vendor_results: vendors::vendor_results(&verdict.vendor_results),
        reasons: verdict.reasons.iter().map(reason).collect(),
        diagnostics: verdict.diagnostics.clone(),
        policy: Some(policy_ref(&verdict.policy)),
        pack: Some(pack_ref(&verdict.pack)),
        runtime: Some(runtime_ref(&verdict.runtime)),
        frames: Some(frame_stats(verdict.frames)),
        timings: Some(timings(verdict.timings)),
        best_frame_index: verdict.best_frame_index,
        session_id: session_id.to_owned(),
        client_reference: client_reference.to_owned(),
        timeline: verdict.timeline.iter().map(frame_record).collect(),
        matched_frame_index: verdict.matched_frame_index,
    }
}

fn frame_record(record: &FrameRecord) -> wire::FrameRecord {
    let (state, blocked_by) = match record.state {
        FrameState::Judged => (wire::FrameState::Judged, ""),
        FrameState::Blocked(check) => (wire::FrameState::Blocked, check.name()),
        FrameState::NoFace => (wire::FrameState::NoFace, ""),
        FrameState::Refused => (wire::FrameState::Refused, ""),
        FrameState::Fault => (wire::FrameState::Fault, ""),
    };
    wire::FrameRecord {
        frame_index: record.index,
        capture_time: record.captured.map(duration),
        state: state.into(),
        blocked_by: blocked_by.to_owned(),
        scores: record.scores.iter().map(|(check, score)| (check.name().to_owned(), *score)).collect(),
        hints: record.hints.iter().map(|&said| hint(said).into()).collect(),
    }
}

/// One check. Its score, threshold and raw measure stay absent where the core has none.
pub fn check(check: &Check) -> wire::Check {
    wire::Check {
        id: check.id.name().to_owned(),
        state: check_state(check.state).into(),
        score: check.score,
        threshold: check.threshold,
        raw: check.raw.map(raw_measure),
        source: match &check.source {
            Source::Local => LOCAL.to_owned(),
            Source::Vendor(id) => id.clone(),
        },
        models: check.models.iter().map(model_ref).collect(),
        duration: Some(duration(check.duration)),
        required: check.required,
        detail: check.detail.map(|detail| detail.code().to_owned()).unwrap_or_default(),
    }
}

/// A face, without a pose: only the judged face of a verdict has one.
pub fn face(face: &Face) -> wire::Face {
    wire::Face {
        r#box: Some(rect(face.bbox)),
        score: face.score,
        landmarks: face.landmarks.iter().copied().map(point).collect(),
        pose: None,
    }
}

/// A pack by id, version and hash.
pub fn pack_ref(pack: &PackRef) -> wire::PackRef {
    wire::PackRef {
        id: pack.id.clone(),
        version: pack.version.clone(),
        assurance: assurance(pack.assurance).into(),
        sha256: pack.sha256.clone(),
    }
}

/// A policy by name and version.
pub fn policy_ref(policy: &PolicyRef) -> wire::PolicyRef {
    wire::PolicyRef { id: policy.id.clone(), version: policy.version.clone() }
}

/// A runtime by name and version.
pub fn runtime_ref(runtime: &RuntimeRef) -> wire::RuntimeRef {
    wire::RuntimeRef { name: runtime.name.clone(), version: runtime.version.clone() }
}

/// What a pack can claim.
pub fn assurance(assurance: Assurance) -> wire::Assurance {
    match assurance {
        Assurance::Custom => wire::Assurance::Custom,
        Assurance::Builtin => wire::Assurance::Builtin,
        Assurance::Open => wire::Assurance::Open,
    }
}

/// A span of time; what the wire cannot hold (292 billion years) becomes the longest it can.
pub fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        // Below 10^9, so it always fits.
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

/// What the caller should do.
pub fn decision(decision: Decision) -> wire::Decision {
    match decision {
        Decision::Accept => wire::Decision::Accept,
        Decision::Reject => wire::Decision::Reject,
        Decision::Retry => wire::Decision::Retry,
        Decision::Review => wire::Decision::Review,
        Decision::Indeterminate => wire::Decision::Indeterminate,
    }
}

pub(super) fn check_state(state: CheckState) -> wire::CheckState {
    match state {
        CheckState::Passed => wire::CheckState::Passed,
        CheckState::Failed => wire::CheckState::Failed,
        CheckState::NotRun => wire::CheckState::NotRun,
        CheckState::Error => wire::CheckState::Error,
    }
}

fn raw_measure(raw: RawMeasure) -> wire::RawMeasure {
    wire::RawMeasure { value: Some(raw.value), unit: raw.unit.to_owned() }
}

fn model_ref(model: &ModelRef) -> wire::ModelRef {
    wire::ModelRef { name: model.name.clone(), version: model.version.clone() }
}

fn reason(reason: &Reason) -> wire::Reason {
    wire::Reason { code: reason.code.to_owned(), message: reason.message.to_owned() }
}

fn rect(rect: Rect) -> wire::Box {
    wire::Box { x: rect.x, y: rect.y, width: rect.width, height: rect.height }
}

fn point(point: Point) -> wire::Point {
    wire::Point { x: point.x, y: point.y }
}

fn pose(pose: HeadPose) -> wire::HeadPose {
    wire::HeadPose { yaw: pose.yaw, pitch: pose.pitch, roll: pose.roll }
}

fn frame_stats(stats: FrameStats) -> wire::FrameStats {
    wire::FrameStats {
        received: stats.received,
        analysed: stats.analysed,
        judged: stats.judged,
        refused: stats.refused,
        dropped: stats.dropped,
    }
}

fn timings(timings: Timings) -> wire::Timings {
    wire::Timings {
        total: Some(duration(timings.total)),
        decode: Some(duration(timings.decode)),
        analysis: Some(duration(timings.analysis)),
        queue: Some(duration(timings.queue)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lifesign_core::verdict::{CheckId, Detail};

    use super::*;
    use crate::convert::json;

    /// Every value maps to its own wire value, and none to the one that means "never sent".
    fn assert_injective<T: Copy>(values: &[T], map: impl Fn(T) -> i32) {
        let mapped: BTreeSet<i32> = values.iter().map(|value| map(*value)).collect();
        assert_eq!(mapped.len(), values.len());
        assert!(!mapped.contains(&0));
    }

    #[test]
    fn enums_map_one_to_one_and_never_to_unspecified() {
        use {Assurance as A, CheckState as S, Decision as D};
        assert_injective(&[D::Accept, D::Reject, D::Retry, D::Review, D::Indeterminate], |v| decision(v).into());
        assert_injective(&[S::Passed, S::Failed, S::NotRun, S::Error], |v| check_state(v).into());
        assert_injective(&[A::Custom, A::Builtin, A::Open], |v| assurance(v).into());
    }

    #[test]
    fn names_agree_with_the_wire() {
        assert_eq!(decision(Decision::Retry).as_str_name(), "DECISION_RETRY");
        assert_eq!(check_state(CheckState::NotRun).as_str_name(), "CHECK_STATE_NOT_RUN");
        assert_eq!(assurance(Assurance::Open).as_str_name(), "ASSURANCE_OPEN");
    }

    fn sample() -> Verdict {
        Verdict {
            decision: Decision::Reject,
            checks: vec![
                Check {
                    id: CheckId::PresentationAttack,
                    state: CheckState::Failed,
                    score: Some(0.25),
                    threshold: Some(0.5),
                    raw: Some(RawMeasure { value: 0.25, unit: "probability" }),
                    source: Source::Local,
                    models: vec![ModelRef { name: "m".into(), version: "1".into() }],
                    duration: Duration::from_micros(1500),
                    required: true,
                    detail: None,
                },
                Check {
                    id: CheckId::FaceMatch,
                    state: CheckState::NotRun,
                    score: None,
                    threshold: None,
                    raw: None,
                    source: Source::Vendor("facia".into()),
                    models: vec![],
                    duration: Duration::ZERO,
                    required: false,
                    detail: Some(Detail::NoReference),
                },
            ],
            faces: vec![
                Face {
                    bbox: Rect { x: 1.0, y: 2.0, width: 3.0, height: 4.0 },
                    score: 0.9,
                    landmarks: [Point::default(); 5],
                },
                Face { bbox: Rect::default(), score: 0.8, landmarks: [Point { x: 5.0, y: 6.0 }; 5] },
            ],
            pose: Some(HeadPose { yaw: 1.0, pitch: 2.0, roll: 3.0 }),
            vendor_results: Vec::new(),
            reasons: vec![Reason { code: "NOT_PASSED", message: "The check was not passed." }],
            diagnostics: vec!["d".into()],
            policy: PolicyRef { id: "p".into(), version: "1.abc".into() },
            pack: PackRef { id: "k".into(), version: "2".into(), assurance: Assurance::Custom, sha256: "00".into() },
            runtime: RuntimeRef { name: "rten".into(), version: "0".into() },
            frames: FrameStats { received: 5, analysed: 4, judged: 3, refused: 2, dropped: 1 },
            timings: Timings { total: Duration::from_millis(1500), ..Timings::default() },
            best_frame_index: Some(3),
            matched_frame_index: None,
            timeline: Vec::new(),
        }
    }

    #[test]
    fn a_verdict_keeps_its_numbers() {
        let wire = verdict(&sample(), "s", "reference");
        assert_eq!(wire.checks[0].score, Some(0.25));
        assert_eq!(wire.checks[0].source, "local");
        assert_eq!(wire.checks[1].score, None);
        assert_eq!(wire.checks[1].source, "facia");
        assert_eq!(wire.checks[1].detail, "NO_REFERENCE");
        assert_eq!(wire.faces[0].pose.unwrap().pitch, 2.0);
        assert_eq!(wire.faces[1].pose, None);
        assert_eq!(wire.faces[1].landmarks.len(), 5);
        let frames = wire.frames.unwrap();
        assert_eq!([frames.received, frames.analysed, frames.judged, frames.refused, frames.dropped], [5, 4, 3, 2, 1]);
        assert_eq!((wire.session_id.as_str(), wire.client_reference.as_str()), ("s", "reference"));
    }

    #[test]
    fn a_verdict_survives_its_json_form() {
        let wire = verdict(&sample(), "s", "reference");
        let value = json::to_value(json::VERDICT, &wire).unwrap();
        assert_eq!(value["decision"], "DECISION_REJECT");
        assert_eq!(value["bestFrameIndex"], "3", "64-bit numbers are strings in proto3 JSON");
        assert_eq!(value["timings"]["total"], "1.500s");
        let back: wire::Verdict = json::from_str(json::VERDICT, &value.to_string()).unwrap();
        assert_eq!(back, wire);
    }

    #[test]
    fn the_longest_duration_is_kept_in_range() {
        assert_eq!(duration(Duration::MAX).seconds, i64::MAX);
    }
}
