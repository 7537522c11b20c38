//! Which vendors a policy asks, when, and what their answers are worth: settings only; `fusion` decides by them.

use serde::{Deserialize, Serialize};

/// How the local checks and vendors' answers become one decision.
///
/// Whatever the strategy, vendors are asked only about a capture that passed the required local checks, so that a hopeless
/// call costs nothing, and ACCEPT needs every required local check as well as what the strategy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The local checks decide; no vendor is asked.
    #[default]
    Local,
    /// Vendors are asked one after the other until one answers; that one decides.
    First,
    /// The local PresentationAttack check decides where it is sure; where its score lies within `unsure`, or it broke, the
    /// vendors decide in its place, asked as by `First`.
    Escalate,
    /// All vendors are asked at once, and all must say live.
    All,
    /// All vendors are asked at once, and `quorum` of them, more than half, must say the same.
    Quorum,
    /// All vendors are asked at once, for the record; the local checks decide.
    Shadow,
}

impl Strategy {
    /// The name in configuration and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::Local => "local",
            Strategy::First => "first",
            Strategy::Escalate => "escalate",
            Strategy::All => "all",
            Strategy::Quorum => "quorum",
            Strategy::Shadow => "shadow",
        }
    }

    /// Whether vendors' answers can change the decision.
    pub const fn decides(self) -> bool {
        matches!(self, Strategy::First | Strategy::Escalate | Strategy::All | Strategy::Quorum)
    }
}

/// What a policy says about vendors.
///
/// Whatever is accepted was judged for presentation attacks by somebody whose word counts: by the local check where it is
/// required, else by every vendor under `first`, at least one under `all`, and enough of them under `quorum` that none is
/// reached without one. Under `escalate` each vendor has to, as it decides in place of the local check. A rule that cannot
/// keep to this does not compile; with vendors that can, `first`, `all` and `quorum` need no attack check among `required`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VendorRule {
    /// How answers become a decision.
    pub strategy: Strategy,
    /// The vendors by id, in the order in which they are asked; 1..=8 of them, each once.
    pub ask: Vec<String>,
    /// Answers that must agree, for `quorum`; more than half of `ask`. 0 where the strategy is another.
    pub quorum: u32,
    /// The scores of PresentationAttack between which, both included, `escalate` asks; 0..=1, the lower first.
    pub unsure: [f32; 2],
    /// Milliseconds from the first question to the decision, 100..=300000. What has not answered by then has failed.
    pub deadline_ms: u64,
    /// Most that one check may cost, in millionths of the operator's currency. Unset: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_micros: Option<u64>,
    /// Most that the checks of one day (UTC) may cost together under this policy, in millionths. Unset: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_daily_cost_micros: Option<u64>,
}

/// Half of the range on either side of the usual threshold: an operator is expected to narrow it with figures of their own.
const UNSURE: [f32; 2] = [0.25, 0.75];

/// A synchronous vendor answers within seconds; FACIA is asked again and again until it has a result. A person waits no
/// longer than this (a unary call of the server has 30 s by default).
const DEADLINE_MS: u64 = 20_000;

impl Default for VendorRule {
    fn default() -> Self {
        Self {
            strategy: Strategy::Local,
            ask: Vec::new(),
            quorum: 0,
            unsure: UNSURE,
            deadline_ms: DEADLINE_MS,
            max_cost_micros: None,
            max_daily_cost_micros: None,
        }
    }
}

/// What a policy has to know of a vendor: what its answers are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judges {
    /// Prints, screens and masks. A vendor that does not look at them cannot stand for the local PresentationAttack.
    pub presentation_attack: bool,
    /// Synthesised and swapped faces.
    pub deepfake: bool,
    /// The face against a reference image.
    pub face_match: bool,
}
