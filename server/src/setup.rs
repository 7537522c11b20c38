//! What the program judges with, made once at start-up and refused as a whole if any part is wrong: model pack, ONNX
//! runtime, policies, limits.

use std::{collections::BTreeMap, sync::Arc};

use lifesign_core::{
    frame::FrameLimits,
    pack::Pack,
    policy::{Policy, PolicyError},
    runtime::SharedRuntime,
};

/// Everything a judgement needs. Shared by all workers and calls.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The verified model pack.
    pub pack: Arc<Pack>,
    /// The ONNX runtime.
    pub runtime: SharedRuntime,
    /// The policies, checked against the pack.
    pub policies: Policies,
    /// What media is accepted.
    pub limits: FrameLimits,
}

/// The policies a call may name.
#[derive(Debug, Clone)]
pub struct Policies {
    default: String,
    by_name: BTreeMap<String, Arc<Policy>>,
}

impl Policies {
    /// The policy of this name; the default one for an empty name.
    ///
    /// # Errors
    /// [`PolicyError::Unknown`].
    pub fn get(&self, name: &str) -> Result<&Arc<Policy>, PolicyError> {
        let name = if name.is_empty() { &self.default } else { name };
        self.by_name.get(name).ok_or_else(|| PolicyError::Unknown(name.to_owned()))
    }

    /// The name of the default policy.
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.by_name.values()
    }
}
