//! `GetCapabilities`: what this server can do.

use std::time::Duration;

use lifesign_core::{pack::ModelSpec, policy::Policy};
use lifesign_proto::v1::{self, get_capabilities_response as capabilities};

use super::shared::Shared;
use crate::convert;

/// The answer. But for how vendors stand it changes only with the configuration.
pub(super) fn capabilities(shared: &Shared) -> v1::GetCapabilitiesResponse {
    let setup = &shared.setup;
    let stream = shared.config.stream;
    let millis = |ms| Some(convert::duration(Duration::from_millis(ms)));
    v1::GetCapabilitiesResponse {
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        pack: Some(convert::pack_ref(&setup.pack.reference())),
        models: setup.pack.manifest().models.iter().map(model).collect(),
        runtime: Some(convert::runtime_ref(&setup.runtime.describe())),
        policies: setup.policies.iter().map(|policy| describe(policy, setup.policies.default_name())).collect(),
        limits: Some(shared.media_limits()),
        stream_limits: Some(capabilities::StreamLimits {
            initial_timeout: millis(stream.initial_timeout_ms),
            idle_timeout: millis(stream.idle_timeout_ms),
            lifetime: millis(stream.lifetime_ms),
            max_sessions: shared.config.sessions.max_sessions,
        }),
        vendors: setup.vendors.members().iter().map(convert::vendor).collect(),
        inline_sessions_allowed: shared.inline_allowed,
    }
}

fn model(spec: &ModelSpec) -> capabilities::Model {
    capabilities::Model {
        role: spec.role.name().to_owned(),
        model: Some(v1::ModelRef { name: spec.name.clone(), version: spec.version.clone() }),
        license: spec.license.clone(),
        sha256: spec.sha256.clone(),
        size: spec.size,
    }
}

fn describe(policy: &Policy, default: &str) -> capabilities::Policy {
    let config = policy.config();
    let names = |checks: &[lifesign_core::verdict::CheckId]| checks.iter().map(|id| id.name().to_owned()).collect();
    capabilities::Policy {
        reference_decides: policy.reference_decides(),
        policy: Some(convert::policy_ref(policy.reference())),
        is_default: policy.reference().id == default,
        frames_needed: config.frames_needed,
        required_checks: names(&config.required),
        advisory_checks: names(&config.advisory),
        thresholds: config
            .required
            .iter()
            .chain(&config.advisory)
            .map(|id| (id.name().to_owned(), policy.threshold(*id)))
            .collect(),
        vendors: convert::vendor_rule(&config.vendors),
    }
}
