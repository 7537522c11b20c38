//! Policies: which checks must pass, how well, on how many frames, and how much the person is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    analysis::Plan,
    pack::Pack,
    verdict::{CheckId, PolicyRef},
};

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// No such policy.
    #[error("there is no policy named {0}")]
    Unknown(String),
    /// It asks for what the pack does not have.
    #[error("policy {policy} requires {check}, but pack {pack} has no {role} model")]
    MissingRole {
        /// The policy.
        policy: String,
        /// The check.
        check: CheckId,
        /// The pack.
        pack: String,
        /// The role that is missing.
        role: &'static str,
    },
    /// A setting is out of range or contradicts another.
    #[error("policy {policy}: {setting}: {what}")]
    Invalid {
        /// The policy.
        policy: String,
        /// The setting.
        setting: String,
        /// What is wrong with it.
        what: String,
    },
}

/// How scores of several frames become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The mean.
    #[default]
    Mean,
    /// The least: one doubtful frame fails the session.
    Min,
    /// The median.
    Median,
}

/// How much of the reasons the person is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Which quality fault to mend, and that an attack was suspected.
    Full,
    /// Quality faults only; a rejection says no more than that the check was not passed, so that an attacker learns
    /// nothing from it.
    #[default]
    Quality,
    /// Nothing.
    None,
}

/// What a required check that broke does to the decision. Never an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// A person should look.
    Review,
    /// No judgement.
    #[default]
    Indeterminate,
}

/// A policy as configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// The operator's own label; the verdict adds a hash of the settings to it.
    pub version: String,
    /// Checks that ACCEPT needs.
    pub required: Vec<CheckId>,
    /// Checks that are run and reported without deciding.
    #[serde(default)]
    pub advisory: Vec<CheckId>,
    /// The least passing score by check, 0..=1. What is absent comes from the pack, else it is 0.5.
    #[serde(default)]
    pub thresholds: BTreeMap<CheckId, f32>,
    /// Frames that must be judged before a session or a list has a verdict, 1..=64. One image is judged on one frame.
    #[serde(default = "default_frames")]
    pub frames_needed: u32,
    /// How their scores become one.
    #[serde(default)]
    pub aggregate: Aggregate,
    /// Whether frames that fail a required quality check are kept from the costly models.
    #[serde(default = "yes")]
    pub gate: bool,
    /// What the person is told.
    #[serde(default)]
    pub reasons: Visibility,
    /// What a broken check does.
    #[serde(default)]
    pub on_error: OnError,
}

fn default_frames() -> u32 {
    5
}

fn yes() -> bool {
    true
}

/// A policy that was checked against a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    reference: PolicyRef,
    config: PolicyConfig,
    thresholds: BTreeMap<CheckId, f32>,
}

impl Policy {
    /// Checks a policy against itself and a pack.
    ///
    /// # Errors
    /// [`PolicyError::MissingRole`] where a required check needs a model that the pack lacks; [`PolicyError::Invalid`]
    /// where a setting is out of range.
    pub fn compile(_id: &str, _config: PolicyConfig, _pack: &Pack) -> Result<Self, PolicyError> {
        unimplemented!()
    }

    /// Name and version.
    pub fn reference(&self) -> &PolicyRef {
        &self.reference
    }

    /// The settings.
    pub fn config(&self) -> &PolicyConfig {
        &self.config
    }

    /// The least passing score of a check.
    pub fn threshold(&self, id: CheckId) -> f32 {
        self.thresholds.get(&id).copied().unwrap_or(1.0)
    }

    /// What to run on each frame.
    pub fn plan(&self) -> Plan {
        unimplemented!()
    }
}
