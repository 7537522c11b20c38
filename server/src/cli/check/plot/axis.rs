//! The axis that all panels share: time where every frame has one, else the frames' numbers.

use lifesign_core::verdict::FrameRecord;

use super::sheet::{LEFT, RIGHT, Sheet, line};

/// Between a panel's edge and the first and last frame.
const INSET: f64 = 16.0;

/// More labels than this are in each other's way.
const MOST_TICKS: f64 = 10.0;

/// Where each frame stands.
pub(super) struct Axis {
    timed: bool,
    from: f64,
    to: f64,
    /// Half the room of one frame, where they stand evenly.
    pub(super) half: f64,
}

impl Axis {
    pub(super) fn of(timeline: &[FrameRecord]) -> Self {
        let timed = !timeline.is_empty() && timeline.iter().all(|record| record.captured.is_some());
        let values = timeline.iter().map(|record| value(record, timed));
        let (from, to) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), at| (from.min(at), to.max(at)));
        let (from, to) = if from <= to { (from, to) } else { (0.0, 0.0) };
        let gaps = timeline.len().saturating_sub(1).max(1) as f64;
        Self { timed, from, to, half: ((RIGHT - LEFT - 2.0 * INSET) / gaps / 2.0).min(INSET) }
    }

    /// Where a frame stands.
    pub(super) fn x(&self, record: &FrameRecord) -> f64 {
        self.place(value(record, self.timed))
    }

    /// A frame in words: its number, and its time where that is known.
    pub(super) fn name(record: &FrameRecord) -> String {
        match record.captured {
            Some(time) => format!("frame {}, {:.2} s", record.index, time.as_secs_f64()),
            None => format!("frame {}", record.index),
        }
    }

    /// Grid lines from `top` to where the sheet ends by now, their numbers, and what is counted.
    pub(super) fn draw(&self, sheet: &mut Sheet, top: f64) {
        let bottom = sheet.y + 4.0;
        let (ticks, digits) = self.ticks();
        for tick in ticks {
            let x = self.place(tick);
            sheet.lay(line("grid", (x, top), (x, bottom)));
            sheet.text(x, bottom + 16.0, "small middle", &format!("{tick:.digits$}"));
        }
        let label = if self.timed { "time, s" } else { "number of the frame" };
        sheet.text((LEFT + RIGHT) / 2.0, bottom + 34.0, "middle", label);
        sheet.y = bottom + 40.0;
    }

    fn place(&self, value: f64) -> f64 {
        if self.to > self.from {
            LEFT + INSET + (value - self.from) / (self.to - self.from) * (RIGHT - LEFT - 2.0 * INSET)
        } else {
            (LEFT + RIGHT) / 2.0
        }
    }

    /// Round numbers, and the decimals that they need.
    fn ticks(&self) -> (Vec<f64>, usize) {
        let span = self.to - self.from;
        if span <= 0.0 {
            return (vec![self.from], if self.timed { 2 } else { 0 });
        }
        // The least of 1, 2 and 5 times a power of ten that gives few enough.
        let power = 10_f64.powf((span / MOST_TICKS).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| span / step <= MOST_TICKS);
        let step = step.unwrap_or(span).max(if self.timed { 0.001 } else { 1.0 });
        let first = (self.from / step).ceil();
        let count = (self.to / step).floor() - first;
        let digits = if step >= 1.0 { 0 } else { (-step.log10()).ceil() as usize };
        ((0..=count.clamp(0.0, MOST_TICKS + 1.0) as u32).map(|i| (first + f64::from(i)) * step).collect(), digits)
    }
}

fn value(record: &FrameRecord, timed: bool) -> f64 {
    match record.captured {
        Some(time) if timed => time.as_secs_f64(),
        _ => record.index as f64,
    }
}
