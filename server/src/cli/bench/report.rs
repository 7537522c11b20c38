//! What `bench` prints.

use std::{
    io::{self, Write},
    time::Duration,
};

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use lifesign_core::verdict::Verdict;
use serde_json::{Value, json};

use super::{
    Samples,
    kernels::{BareModels, Call},
    stats::Quartiles,
};

/// The times of one picture.
pub(super) struct Measured {
    name: String,
    size: (usize, usize),
    decision: String,
    whole: Samples,
    kernels: Samples,
    ratio: Samples,
    bare_decode: Samples,
    models: Vec<ModelTimes>,
    decode: Samples,
    rest: Samples,
    session: Samples,
}

struct ModelTimes {
    name: String,
    runs: usize,
    bare: Samples,
    inside: Samples,
}

impl Measured {
    /// Begins with no times.
    pub(super) fn new(name: &str, size: (usize, usize), verdict: &Verdict, bare: &BareModels) -> Self {
        let models = bare.counts().into_iter();
        Self {
            name: name.to_owned(),
            size,
            decision: format!("{:?}", verdict.decision),
            whole: Samples::default(),
            kernels: Samples::default(),
            ratio: Samples::default(),
            bare_decode: Samples::default(),
            models: models
                .map(|(name, runs)| ModelTimes { name, runs, bare: Samples::default(), inside: Samples::default() })
                .collect(),
            decode: Samples::default(),
            rest: Samples::default(),
            session: Samples::default(),
        }
    }

    /// Adds a round: the whole, the bare decoder, the bare models, and the watched pass with its model runs.
    pub(super) fn add(
        &mut self,
        whole: Duration,
        bare_decode: Duration,
        bare_models: &[(String, Duration)],
        watched: &Verdict,
        inside: &[Call],
    ) {
        let kernels = bare_decode + bare_models.iter().map(|(_, time)| *time).sum::<Duration>();
        self.whole.push(whole);
        self.bare_decode.push(bare_decode);
        self.kernels.push(kernels);
        self.ratio.push_number(whole.as_secs_f64() / kernels.as_secs_f64());
        for model in &mut self.models {
            let of_bare = bare_models.iter().filter(|(name, _)| *name == model.name);
            model.bare.push(of_bare.map(|(_, time)| *time).sum());
            model.inside.push(inside.iter().filter(|call| call.model == model.name).map(|call| call.time).sum());
        }
        let timings = &watched.timings;
        let in_models: Duration = inside.iter().map(|call| call.time).sum();
        self.decode.push(timings.decode);
        self.rest.push(timings.analysis.saturating_sub(in_models));
        self.session.push(timings.total.saturating_sub(timings.decode + timings.analysis));
    }

    /// The ratio of the medians: whole to kernels.
    fn of_medians(&self) -> f64 {
        self.whole.quartiles().median / self.kernels.quartiles().median
    }

    /// The stages of the pipeline in their order, each with its bare kernel where it has one.
    fn stages(&self) -> Vec<(String, Quartiles, Option<Quartiles>)> {
        let decode = ("decode".to_owned(), self.decode.quartiles(), Some(self.bare_decode.quartiles()));
        let models = self.models.iter().map(|model| {
            let name = format!("{} x{}", model.name, model.runs);
            (name, model.inside.quartiles(), Some(model.bare.quartiles()))
        });
        let rest = ("crops, tensors, measures".to_owned(), self.rest.quartiles(), None);
        let session = ("session and verdict".to_owned(), self.session.quartiles(), None);
        [decode].into_iter().chain(models).chain([rest, session]).collect()
    }

    /// A table for people.
    pub(super) fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        table.set_header(["median ms (quartiles)", "in the pipeline", "bare kernel"]);
        for (name, inside, bare) in self.stages() {
            table.add_row([name, show(inside), bare.map(show).unwrap_or_default()]);
        }
        table.add_row(["whole".to_owned(), show(self.whole.quartiles()), show(self.kernels.quartiles())]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let (width, height) = self.size;
        writeln!(out, "\n{} ({width}x{height}), decision {}\n{table}", self.name, self.decision)?;
        let Quartiles { q1, q3, .. } = self.ratio.quartiles();
        writeln!(out, "whole / bare kernels: {:.3} (rounds: quartiles {q1:.3} to {q3:.3})", self.of_medians())
    }

    /// The same as JSON; times in milliseconds.
    pub(super) fn json(&self) -> Value {
        let stages = self.stages().into_iter();
        let stages: Vec<Value> = stages
            .map(|(name, pipeline, bare)| json!({"stage": name, "pipeline_ms": pipeline, "bare_ms": bare}))
            .collect();
        json!({
            "image": self.name,
            "width": self.size.0,
            "height": self.size.1,
            "decision": self.decision,
            "stages": stages,
            "whole_ms": self.whole.quartiles(),
            "kernels_ms": self.kernels.quartiles(),
            "ratio": self.of_medians(),
            "ratio_rounds": self.ratio.quartiles(),
        })
    }
}

fn show(Quartiles { q1, median, q3 }: Quartiles) -> String {
    format!("{median:.2} ({q1:.2} to {q3:.2})")
}
