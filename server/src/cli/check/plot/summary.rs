//! The words of the plot: what was decided and by what, and the checks that look at all frames at once.

use lifesign_core::verdict::{Check, CheckState, FrameState, Verdict};

use super::{
    frames::counted,
    scores::{class, result, score},
    sheet::{LEFT, MARGIN, Sheet},
};
use crate::convert;

/// The decision, the reasons, and what judged.
pub(super) fn head(sheet: &mut Sheet, verdict: &Verdict) {
    sheet.text(MARGIN, 42.0, "decision", decision(verdict));
    let reasons: Vec<_> = verdict.reasons.iter().map(|reason| reason.code).collect();
    if reasons.is_empty() {
        sheet.text(LEFT, 42.0, "soft", &judged_by(verdict));
    } else {
        sheet.text(LEFT, 34.0, "required", &format!("Reasons: {}", reasons.join(", ")));
        sheet.text(LEFT, 52.0, "soft", &judged_by(verdict));
    }
    sheet.y = 72.0;
}

/// The checks that have no score on any frame.
pub(super) fn whole(sheet: &mut Sheet, verdict: &Verdict) {
    let single = |check: &&Check| !verdict.timeline.iter().any(|record| score(record, check.id).is_some());
    let checks: Vec<_> = verdict.checks.iter().filter(single).collect();
    if checks.is_empty() {
        return;
    }
    sheet.y += 18.0;
    sheet.text(MARGIN, sheet.y, "section", "Over all frames");
    for check in checks {
        sheet.y += 18.0;
        sheet.text(MARGIN, sheet.y, class(Some(check)), check.id.name());
        let class = if check.state == CheckState::Passed { "advisory" } else { "required" };
        sheet.text(LEFT, sheet.y, class, &result(check));
    }
    sheet.y += 6.0;
}

/// How to read it.
pub(super) fn notes(sheet: &mut Sheet, verdict: &Verdict) {
    sheet.y += 14.0;
    let shown = verdict.timeline.len();
    let all = verdict.frames.received.try_into().unwrap_or(usize::MAX);
    let only = (shown < all).then(|| format!("Shown are the first {shown} of {all} frames."));
    let fixed = [
        "A score goes from 0 (an attack, or worst) to 1 (bona fide, or best). Dashed line: the least that passes.",
        "Hollow dots lie below it. Bold name: ACCEPT needs the check. Bold result: it did not pass.",
    ];
    let notes = fixed.into_iter().map(str::to_owned).chain(only);
    for note in notes {
        sheet.y += 16.0;
        sheet.text(MARGIN, sheet.y, "small soft", &note);
    }
    sheet.y += 20.0;
}

/// The document's title.
pub(super) fn title(verdict: &Verdict) -> String {
    format!("Lifesign: {}, {}", decision(verdict), judged_by(verdict))
}

/// The picture in words, for those who do not see it.
pub(super) fn description(verdict: &Verdict) -> String {
    let judged = verdict.timeline.iter().filter(|record| record.state == FrameState::Judged).count();
    let frames = counted(verdict.timeline.len(), "frame");
    let checks: Vec<_> = verdict.checks.iter().map(|check| format!("{} {}", check.id, result(check))).collect();
    format!(
        "What became of {frames}, of which {judged} were judged, and the scores of each check on each frame. {}.",
        checks.join("; ")
    )
}

fn decision(verdict: &Verdict) -> &'static str {
    convert::decision(verdict.decision).as_str_name().trim_start_matches("DECISION_")
}

fn judged_by(verdict: &Verdict) -> String {
    let (policy, pack, runtime) = (&verdict.policy, &verdict.pack, &verdict.runtime);
    let assurance = convert::assurance(pack.assurance).as_str_name().trim_start_matches("ASSURANCE_");
    format!(
        "policy {} {}, pack {} {} ({assurance}), {} {}",
        policy.id, policy.version, pack.id, pack.version, runtime.name, runtime.version
    )
}
