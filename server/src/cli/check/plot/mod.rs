//! `--plot`: a verdict's timeline as one picture, for people who look rather than read.
//!
//! From top to bottom, over one axis of time (or of frame numbers where the times are not known): what became of each
//! frame and which were chosen, the hints, each check's score on each frame beside its threshold, and what the checks
//! came to. Marks differ in shape, not in colour alone. Of the person and of the file nothing is in it: no picture, no
//! name.
//!
//! The elements and their escaping are the `svg` crate's. The layout is our own: charting crates draw panels of lines with
//! measured fonts, and give elements neither descriptions nor classes nor a style for dark viewers.

mod axis;
mod frames;
mod scores;
mod sheet;
mod summary;
mod target;

#[cfg(test)]
mod tests;

use lifesign_core::verdict::Verdict;

use axis::Axis;
use sheet::Sheet;
pub(super) use target::Target;

/// The verdict as an SVG document.
pub(super) fn svg(verdict: &Verdict) -> String {
    let axis = Axis::of(&verdict.timeline);
    let mut sheet = Sheet::new();
    summary::head(&mut sheet, verdict);
    let top = sheet.y;
    frames::chosen(&mut sheet, verdict, &axis);
    frames::marks(&mut sheet, verdict, &axis);
    frames::hints(&mut sheet, verdict, &axis);
    scores::rows(&mut sheet, verdict, &axis);
    axis.draw(&mut sheet, top);
    frames::chosen_lines(&mut sheet, verdict, &axis, top);
    summary::whole(&mut sheet, verdict);
    summary::notes(&mut sheet, verdict);
    sheet.finish(&summary::title(verdict), &summary::description(verdict))
}
