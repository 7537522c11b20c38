//! What became of each frame, which frames were chosen, and what the person should have done.

use lifesign_core::{
    quality::Hint,
    verdict::{FrameRecord, FrameState, Verdict},
};
use svg::node::element::{Path, Rectangle};

use super::{
    axis::Axis,
    sheet::{LEFT, LETTER, MARGIN, RESULTS, RIGHT, Sheet, at, line, named, path},
};
use crate::convert;

/// Height of a hint's lane.
const LANE: f64 = 18.0;

/// One mark a frame, its shape saying what became of it, and a key with how many there are of each.
pub(super) fn marks(sheet: &mut Sheet, verdict: &Verdict, axis: &Axis) {
    let middle = sheet.y + 14.0;
    sheet.panel(28.0);
    sheet.text(MARGIN, middle + 4.0, "section", "Frames");
    let size = (0.8 * axis.half).clamp(1.5, 5.0);
    for record in &verdict.timeline {
        let name = told(record);
        sheet.draw(named("frame", &name, mark(&record.state, axis.x(record), middle, size)));
    }
    let mut x = LEFT;
    sheet.y += 28.0;
    for kind in [
        FrameState::Judged,
        FrameState::Blocked(lifesign_core::verdict::CheckId::Sharpness),
        FrameState::NoFace,
        FrameState::Refused,
        FrameState::Fault,
    ] {
        let same = |record: &&FrameRecord| std::mem::discriminant(&record.state) == std::mem::discriminant(&kind);
        let count = verdict.timeline.iter().filter(same).count();
        if count > 0 {
            let words = format!("{count} {}", word(&kind));
            sheet.draw(mark(&kind, x + 6.0, sheet.y + 12.0, 4.5));
            sheet.text(x + 16.0, sheet.y + 16.0, "small", &words);
            x += 36.0 + LETTER * words.len() as f64;
        }
    }
    if verdict.timeline.is_empty() {
        sheet.text(x, sheet.y + 16.0, "small", "no frame was looked at");
    }
    sheet.y += 30.0;
}

/// Flags over the frames that were chosen.
pub(super) fn chosen(sheet: &mut Sheet, verdict: &Verdict, axis: &Axis) {
    for (record, words) in choices(verdict) {
        let x = axis.x(record);
        sheet.y += 18.0;
        // Beside the line, on the side where there is room.
        let (class, beside) = if x > (LEFT + RIGHT) / 2.0 { ("flag end", x - 9.0) } else { ("flag", x + 9.0) };
        sheet.draw(named("choice", &words, path("flag", format!("M{} {}l5 -9h-10z", at(x), at(sheet.y)))));
        sheet.text(beside, sheet.y, class, &words);
    }
    sheet.y += 8.0;
}

/// Lines from the flags down through all panels, to where the sheet ends by now.
pub(super) fn chosen_lines(sheet: &mut Sheet, verdict: &Verdict, axis: &Axis, top: f64) {
    let bottom = sheet.y - 36.0;
    for (nth, (record, _)) in choices(verdict).into_iter().enumerate() {
        let x = axis.x(record);
        sheet.lay(line("chosen", (x, top + 18.0 * (nth as f64 + 1.0)), (x, bottom)));
    }
}

/// A lane for each hint, a bar over the frames that gave it. "Hold still" is no lane: it says that there is nothing to
/// mend, as the frames' marks do.
pub(super) fn hints(sheet: &mut Sheet, verdict: &Verdict, axis: &Axis) {
    let mut given: Vec<Hint> = verdict.timeline.iter().flat_map(|record| record.hints.iter().copied()).collect();
    given.sort();
    given.dedup();
    given.retain(|hint| *hint != Hint::HoldStill);
    if given.is_empty() {
        return;
    }
    sheet.text(MARGIN, sheet.y + 2.0, "section", "Hints");
    sheet.y += 8.0;
    for hint in given {
        let name = convert::hint(hint).as_str_name().trim_start_matches("HINT_");
        let has = |record: &&FrameRecord| record.hints.contains(&hint);
        let frames = verdict.timeline.iter().filter(has).count();
        sheet.panel(LANE - 2.0);
        sheet.text(MARGIN, sheet.y + 12.0, "small", name);
        sheet.text(RESULTS, sheet.y + 12.0, "small soft", &counted(frames, "frame"));
        for run in verdict.timeline.chunk_by(|one, next| has(&one) == has(&next)) {
            if let (Some(first), Some(last)) = (run.first().filter(has), run.last()) {
                let from = axis.x(first) - axis.half.max(2.0);
                let width = axis.x(last) + axis.half.max(2.0) - from;
                let bar = Rectangle::new().set("class", "hint").set("x", at(from)).set("y", at(sheet.y + 3.0));
                let bar = bar.set("width", at(width)).set("height", LANE - 8.0).set("rx", 2);
                let words = format!("{name}: {}", counted(run.len(), "frame"));
                sheet.draw(named("span", &words, bar));
            }
        }
        sheet.y += LANE;
    }
    sheet.y += 10.0;
}

/// So many of something.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The chosen frames that the timeline has, with what they were chosen for.
fn choices(verdict: &Verdict) -> Vec<(&FrameRecord, String)> {
    let find = |index: Option<u64>| verdict.timeline.iter().find(|record| Some(record.index) == index);
    let (best, matched) = (find(verdict.best_frame_index), find(verdict.matched_frame_index));
    match (best, matched) {
        (Some(best), Some(matched)) if best.index == matched.index => {
            vec![(best, format!("best, and compared with the reference: {}", Axis::name(best)))]
        }
        (best, matched) => {
            let best = best.map(|record| (record, format!("best: {}", Axis::name(record))));
            let matched =
                matched.map(|record| (record, format!("compared with the reference: {}", Axis::name(record))));
            best.into_iter().chain(matched).collect()
        }
    }
}

fn told(record: &FrameRecord) -> String {
    let state = match record.state {
        FrameState::Blocked(check) => format!("blocked by {check}"),
        state => word(&state).to_owned(),
    };
    let hints: Vec<_> =
        record.hints.iter().map(|&hint| convert::hint(hint).as_str_name().trim_start_matches("HINT_")).collect();
    let hints = if hints.is_empty() { String::new() } else { format!("; {}", hints.join(", ")) };
    format!("{}: {state}{hints}", Axis::name(record))
}

fn word(state: &FrameState) -> &'static str {
    match state {
        FrameState::Judged => "judged",
        FrameState::Blocked(_) => "not good enough to judge",
        FrameState::NoFace => "without a face",
        FrameState::Refused => "refused",
        FrameState::Fault => "broke the detector",
    }
}

/// A full circle, an empty square, a cross, a triangle, a full diamond.
fn mark(state: &FrameState, x: f64, y: f64, size: f64) -> Path {
    let (left, top, right, bottom) = (at(x - size), at(y - size), at(x + size), at(y + size));
    let (x, y, both) = (at(x), at(y), at(2.0 * size));
    match state {
        FrameState::Judged => path(
            "mark solid",
            format!("M{left} {y}a{size} {size} 0 1 0 {both} 0a{size} {size} 0 1 0 -{both} 0z", size = at(size)),
        ),
        FrameState::Blocked(_) => path("mark", format!("M{left} {top}H{right}V{bottom}H{left}z")),
        FrameState::NoFace => path("mark", format!("M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}")),
        FrameState::Refused => path("mark", format!("M{x} {top}L{right} {bottom}H{left}z")),
        FrameState::Fault => path("mark solid", format!("M{x} {top}L{right} {y}L{x} {bottom}L{left} {y}z")),
    }
}
