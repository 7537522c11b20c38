//! Each check's score on each frame, beside the least that passes and what the verdict made of it.

use lifesign_core::verdict::{Check, CheckId, CheckKind, CheckState, FrameRecord, Verdict};
use svg::node::element::Circle;

use super::{
    axis::Axis,
    sheet::{LEFT, MARGIN, RESULTS, RIGHT, Sheet, at, line, named, path},
};
use crate::convert;

/// Height of a panel of an attack or identity check.
const TALL: f64 = 92.0;

/// Height of a quality check's, of which there are many.
const LOW: f64 = 26.0;

/// Between panels.
const GAP: f64 = 8.0;

/// A panel for each check that gave frames a score: attacks and identity first, then the capture's quality.
pub(super) fn rows(sheet: &mut Sheet, verdict: &Verdict, axis: &Axis) {
    let scored = |id: &CheckId| verdict.timeline.iter().any(|record| score(record, *id).is_some());
    let (quality, rest): (Vec<CheckId>, Vec<CheckId>) =
        CheckId::ALL.iter().copied().filter(scored).partition(|id| id.kind() == CheckKind::Quality);
    for (title, ids) in [("Scores", rest), ("Quality of the capture", quality)] {
        if ids.is_empty() {
            continue;
        }
        sheet.y += 14.0;
        sheet.text(MARGIN, sheet.y, "section", title);
        sheet.text(RESULTS, sheet.y, "small soft", "score and least that passes");
        sheet.y += 8.0;
        ids.into_iter().for_each(|id| row(sheet, verdict, axis, id));
    }
}

/// Whether a frame's check has a number.
pub(super) fn score(record: &FrameRecord, id: CheckId) -> Option<f64> {
    let found = record.scores.iter().find(|(check, _)| *check == id).map(|(_, score)| f64::from(*score));
    found.filter(|score| score.is_finite()).map(|score| score.clamp(0.0, 1.0))
}

/// What a check came to, in a line: `0.32 < 0.50 FAILED`.
pub(super) fn result(check: &Check) -> String {
    let state = convert::check(check).state().as_str_name().trim_start_matches("CHECK_STATE_");
    let detail = check.detail.map(|detail| format!(" ({})", detail.code())).unwrap_or_default();
    match (check.score, check.threshold) {
        (Some(score), Some(threshold)) => {
            let sign = if score >= threshold { "≥" } else { "<" };
            format!("{} {sign} {} {state}{detail}", two(score), two(threshold))
        }
        (Some(score), None) => format!("{} {state}{detail}", two(score)),
        (None, _) => format!("{state}{detail}"),
    }
}

/// The class of a check's name and result: bold where ACCEPT needs the check.
pub(super) fn class(check: Option<&Check>) -> &'static str {
    if check.is_some_and(|check| check.required) { "required" } else { "advisory" }
}

/// Two decimals, cut off rather than rounded: 0.499 must not read as the 0.50 that it stays below.
fn two(score: f32) -> String {
    // A little is added for what binary fractions fall short of: 0.57 is stored as 0.569999….
    format!("{:.2}", ((f64::from(score) * 100.0 + 1e-4).floor()) / 100.0)
}

fn row(sheet: &mut Sheet, verdict: &Verdict, axis: &Axis, id: CheckId) {
    let low = id.kind() == CheckKind::Quality;
    let height = if low { LOW } else { TALL };
    let (top, check) = (sheet.y, verdict.check(id));
    // Dots at 0 and 1 stay inside.
    let inset = if low { 4.0 } else { 8.0 };
    let y = |score: f64| top + inset + (1.0 - score) * (height - 2.0 * inset);
    let foot = top + height / 2.0 + 4.0;
    sheet.panel(height);
    sheet.text(MARGIN, foot, class(check), id.name());
    match check {
        Some(check) => {
            let class = if check.state == CheckState::Passed { "advisory" } else { "required" };
            sheet.text(RESULTS, foot, class, &result(check));
        }
        None => sheet.text(RESULTS, foot, "soft", "not asked for"),
    }
    if !low {
        let word = if check.is_some_and(|check| check.required) { "required" } else { "advisory" };
        sheet.text(MARGIN, foot + 16.0, "small soft", word);
        for number in [0.0, 0.5, 1.0] {
            sheet.lay(line("grid", (LEFT, y(number)), (RIGHT, y(number))));
            sheet.text(LEFT - 6.0, y(number) + 4.0, "small soft end", &format!("{number}"));
        }
    }
    let threshold = check.and_then(|check| check.threshold).map(f64::from).filter(|limit| limit.is_finite());
    if let Some(limit) = threshold {
        let limit = y(limit.clamp(0.0, 1.0));
        sheet.draw(line("threshold", (LEFT, limit), (RIGHT, limit)));
    }
    // A frame without a score breaks the line: nothing is known there.
    for run in verdict.timeline.chunk_by(|one, next| score(one, id).is_some() == score(next, id).is_some()) {
        let points: Vec<_> =
            run.iter().filter_map(|record| Some((record, axis.x(record), score(record, id)?))).collect();
        if points.len() > 1 {
            let places: Vec<_> = points.iter().map(|(_, x, score)| format!("{} {}", at(*x), at(y(*score)))).collect();
            let class = if low { "score thin" } else { "score" };
            sheet.draw(path(class, format!("M{}", places.join("L"))));
        }
        for (record, x, score) in points {
            let reached = threshold.is_none_or(|limit| score >= limit);
            let size = (0.5 * axis.half).clamp(1.2, if low { 2.2 } else { 3.6 });
            let dot = Circle::new().set("class", if reached { "dot reached" } else { "dot below" });
            let dot = dot.set("cx", at(x)).set("cy", at(y(score))).set("r", at(size));
            sheet.draw(named("point", &format!("{id}, {}: {score:.3}", Axis::name(record)), dot));
        }
    }
    sheet.y += height + if low { GAP / 2.0 } else { GAP };
}
