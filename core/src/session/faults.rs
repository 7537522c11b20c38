//! What the models that broke said, kept for the verdict's diagnostics.

use crate::runtime::RuntimeError;

/// Different errors that are kept. A pack has about eight models, and one that breaks mostly breaks in one way.
const MAX_KINDS: usize = 8;

/// Characters kept of an error: a runtime may put a model's whole signature into one.
const MAX_CHARS: usize = 200;

/// Different errors in the order they came, each with how often it did.
#[derive(Debug, Default)]
pub(super) struct Faults {
    kinds: Vec<(String, u32)>,
    others: u32,
}

impl Faults {
    /// Takes an error. It names a model and tensors; nothing of the frame is in it.
    pub(super) fn push(&mut self, error: &RuntimeError) {
        // A line each: what a runtime says may have several.
        let what = error.to_string();
        let line: String = what.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CHARS).collect();
        let room = self.kinds.len() < MAX_KINDS;
        let count = match self.kinds.iter().position(|(known, _)| *known == line) {
            Some(place) => self.kinds.get_mut(place).map(|(_, count)| count),
            None if room => {
                self.kinds.push((line, 0));
                self.kinds.last_mut().map(|(_, count)| count)
            }
            None => None,
        };
        let count = count.unwrap_or(&mut self.others);
        *count = count.saturating_add(1);
    }

    /// One line for each.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let others = (self.others > 0).then(|| format!("{} other faults", self.others));
        self.kinds
            .iter()
            .map(|(what, count)| if *count == 1 { what.clone() } else { format!("{what} ({count} times)") })
            .chain(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(what: impl Into<String>) -> RuntimeError {
        RuntimeError::Run { model: "m".to_owned(), what: what.into() }
    }

    #[test]
    fn the_same_fault_is_told_once_with_its_count() {
        let mut faults = Faults::default();
        for what in ["a", "b", "a", "a"] {
            faults.push(&fault(what));
        }
        assert_eq!(faults.lines().collect::<Vec<_>>(), ["model m: a (3 times)", "model m: b"]);
    }

    #[test]
    fn what_is_kept_is_bounded_and_of_one_line() {
        let mut faults = Faults::default();
        faults.push(&fault(format!("two\nlines {}", "x".repeat(10_000))));
        for n in 0..1000 {
            faults.push(&fault(n.to_string()));
        }
        let lines: Vec<_> = faults.lines().collect();
        assert_eq!(lines.len(), MAX_KINDS + 1);
        assert!(lines[0].starts_with("model m: two lines x") && lines[0].len() == MAX_CHARS, "{}", lines[0]);
        assert_eq!(lines[MAX_KINDS], "993 other faults");
    }
}
