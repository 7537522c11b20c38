//! What `check` prints: JSON lines for programs as answers come, or one table for people at the end.

use std::{io::Write, path::PathBuf, time::Duration};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressStyle};
use lifesign_core::verdict::{self, CheckId};
use lifesign_proto::v1::{CheckState, Decision, VendorResult, Verdict};

use crate::{
    cli::{CliError, Exit, judge::FileError},
    convert::{self, json},
    setup::Setup,
};

/// What became of a file.
pub(super) type Answer = Result<verdict::Verdict, FileError>;

/// Collects answers and prints them.
pub(super) struct Report<'a> {
    out: &'a mut dyn Write,
    /// `None` for JSON lines.
    table: Option<Table>,
    /// The checks whose scores the table shows.
    shown: &'static [CheckId],
    /// Whether it shows what vendors said.
    vendors: bool,
    bar: ProgressBar,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    accepted: usize,
    not_accepted: usize,
    errors: usize,
}

impl<'a> Report<'a> {
    /// A report on `expected` answers, `compared` with a reference or not, with what `vendors` said or without. The progress
    /// bar appears on standard error, and only where that is a terminal.
    pub(super) fn new(out: &'a mut dyn Write, json: bool, (compared, vendors): (bool, bool), expected: usize) -> Self {
        let bar = ProgressBar::new(u64::try_from(expected).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        let shown: &[CheckId] =
            if compared { &[CheckId::PresentationAttack, CheckId::FaceMatch] } else { &[CheckId::PresentationAttack] };
        let table = (!json).then(|| {
            let mut table = Table::new();
            table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
            let names = shown.iter().map(|id| id.name());
            let last = if vendors { &["vendors", "reasons"][..] } else { &["reasons"] };
            table.set_header(["file", "decision"].into_iter().chain(names).chain(last.iter().copied()));
            table
        });
        Self { out, table, shown, vendors, bar, counts: Counts::default() }
    }

    /// Takes the answer on a file, or on several that were judged as one.
    pub(super) fn add(&mut self, files: &[PathBuf], answer: Answer) -> Result<(), CliError> {
        self.bar.inc(1);
        let answer = answer.map(|verdict| convert::verdict(&verdict, "", ""));
        match &answer {
            Ok(verdict) if verdict.decision() == Decision::Accept => self.counts.accepted += 1,
            Ok(_) => self.counts.not_accepted += 1,
            Err(_) => self.counts.errors += 1,
        }
        match &mut self.table {
            Some(table) => {
                table.add_row(row(files, &answer, self.shown, self.vendors));
            }
            None => {
                let line = line(files, &answer)?;
                // The bar is taken off the terminal while a line is written, so that they don't mix.
                self.bar.suspend(|| writeln!(self.out, "{line}").and_then(|()| self.out.flush()))?;
            }
        }
        Ok(())
    }

    /// Prints what is left to print, and says how it all ended.
    pub(super) fn finish(self, setup: &Setup) -> Result<Exit, CliError> {
        self.bar.finish_and_clear();
        let counts = self.counts;
        if let Some(table) = self.table {
            writeln!(self.out, "{table}")?;
            let Counts { accepted, not_accepted, errors } = counts;
            writeln!(self.out, "{accepted} accepted, {not_accepted} not accepted, {errors} errors")?;
            writeln!(self.out, "{}", setup.summary())?;
        }
        Ok(match counts {
            Counts { errors: 1.., .. } => Exit::Error,
            Counts { not_accepted: 1.., .. } => Exit::NotAccepted,
            // Nothing judged is nothing accepted.
            Counts { accepted: 0, .. } => Exit::Error,
            Counts { .. } => Exit::Success,
        })
    }
}

/// One answer as a JSON object: `file`, or `files` where several were judged as one.
fn line(files: &[PathBuf], answer: &Result<Verdict, FileError>) -> Result<serde_json::Value, CliError> {
    let mut object = serde_json::Map::new();
    // JSON is Unicode; the bytes of a name that are not are replaced.
    let mut names: Vec<serde_json::Value> = files.iter().map(|file| file.display().to_string().into()).collect();
    match names.pop() {
        Some(only) if names.is_empty() => object.insert("file".to_owned(), only),
        last => object.insert("files".to_owned(), names.into_iter().chain(last).collect()),
    };
    match answer {
        Ok(verdict) => {
            let verdict = json::to_value(json::VERDICT, verdict).map_err(CliError::failed)?;
            object.insert("verdict".to_owned(), verdict)
        }
        Err(error) => {
            let error = serde_json::json!({"code": error.code(), "message": error.to_string()});
            object.insert("error".to_owned(), error)
        }
    };
    Ok(object.into())
}

fn row(files: &[PathBuf], answer: &Result<Verdict, FileError>, shown: &[CheckId], vendors: bool) -> Vec<Cell> {
    let name = match files {
        [only] => only.display().to_string(),
        [first, ..] => format!("{} and {} more", first.display(), files.len() - 1),
        [] => String::new(),
    };
    let mut cells = vec![Cell::new(name)];
    match answer {
        Ok(verdict) => {
            cells.push(decision(verdict));
            cells.extend(shown.iter().map(|id| score(verdict, *id)));
            if vendors {
                cells.push(Cell::new(vendor_words(verdict)));
            }
            cells.push(Cell::new(reasons(verdict)));
        }
        Err(error) => {
            cells.push(Cell::new("ERROR").add_attribute(Attribute::Bold));
            cells.extend(shown.iter().map(|_| Cell::new("")));
            if vendors {
                cells.push(Cell::new(""));
            }
            cells.push(Cell::new(format!("{}: {error}", error.code())));
        }
    }
    cells
}

fn decision(verdict: &Verdict) -> Cell {
    let decision = verdict.decision();
    let colour = match decision {
        Decision::Accept => Color::Green,
        Decision::Reject => Color::Red,
        Decision::Unspecified | Decision::Retry | Decision::Review | Decision::Indeterminate => Color::Yellow,
    };
    Cell::new(decision.as_str_name().trim_start_matches("DECISION_")).fg(colour)
}

fn score(verdict: &Verdict, id: CheckId) -> Cell {
    let check = verdict.checks.iter().find(|check| check.id == id.name() && check.source == convert::LOCAL);
    Cell::new(match check.map(|check| (check.score, check)) {
        Some((Some(score), _)) => format!("{score:.3}"),
        Some((None, check)) => state(check.state(), &check.detail),
        None => String::new(),
    })
}

fn state(state: CheckState, detail: &str) -> String {
    let state = state.as_str_name().trim_start_matches("CHECK_STATE_");
    if detail.is_empty() { state.to_owned() } else { format!("{state} ({detail})") }
}

/// How each vendor's answer reads, or why there is none.
fn vendor_words(verdict: &Verdict) -> String {
    let word = |result: &VendorResult| {
        let what =
            if result.outcome.is_empty() { state(result.state(), &result.detail) } else { result.outcome.clone() };
        format!("{} {what}", result.vendor)
    };
    verdict.vendor_results.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The reasons' codes; where the policy gives none, the required checks that did not pass.
fn reasons(verdict: &Verdict) -> String {
    if !verdict.reasons.is_empty() {
        return verdict.reasons.iter().map(|reason| reason.code.as_str()).collect::<Vec<_>>().join(", ");
    }
    let missed = verdict.checks.iter().filter(|check| check.required && check.state() != CheckState::Passed);
    missed.map(|check| format!("{} {}", check.id, state(check.state(), &check.detail))).collect::<Vec<_>>().join(", ")
}
