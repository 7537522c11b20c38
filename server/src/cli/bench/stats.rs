//! Medians and quartiles of times.

use std::time::Duration;

/// Times of one thing, one a round, in milliseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(Vec<f64>);

/// The middle of a set of samples and its spread.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(super) struct Quartiles {
    /// A quarter of the samples are at or below it.
    pub(super) q1: f64,
    /// Half of them.
    pub(super) median: f64,
    /// Three quarters of them.
    pub(super) q3: f64,
}

impl Samples {
    /// Adds a time.
    pub(super) fn push(&mut self, time: Duration) {
        self.push_number(time.as_secs_f64() * 1e3);
    }

    /// Adds a number that is not a time.
    pub(super) fn push_number(&mut self, number: f64) {
        self.0.push(number);
    }

    /// Quartiles by linear interpolation between ranks (Hyndman and Fan 1996, type 7); zeros without samples.
    pub(super) fn quartiles(&self) -> Quartiles {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |quarter: usize| {
            let position = sorted.len().saturating_sub(1) * quarter;
            let below = sorted.get(position / 4).copied().unwrap_or_default();
            let above = sorted.get(position.div_ceil(4)).copied().unwrap_or_default();
            let fraction = [0.0, 0.25, 0.5, 0.75].get(position % 4).copied().unwrap_or_default();
            below + (above - below) * fraction
        };
        Quartiles { q1: at(1), median: at(2), q3: at(3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quartiles(numbers: &[f64]) -> Quartiles {
        let mut samples = Samples::default();
        numbers.iter().for_each(|number| samples.push_number(*number));
        samples.quartiles()
    }

    #[test]
    fn quartiles_agree_with_numpy() {
        assert_eq!(quartiles(&[4.0, 1.0, 3.0, 2.0]), Quartiles { q1: 1.75, median: 2.5, q3: 3.25 });
        assert_eq!(quartiles(&[5.0, 1.0, 3.0]), Quartiles { q1: 2.0, median: 3.0, q3: 4.0 });
        assert_eq!(quartiles(&[7.0]), Quartiles { q1: 7.0, median: 7.0, q3: 7.0 });
    }

    #[test]
    fn times_are_in_milliseconds() {
        let mut samples = Samples::default();
        samples.push(Duration::from_micros(1500));
        assert_eq!(samples.quartiles().median, 1.5);
    }
}
