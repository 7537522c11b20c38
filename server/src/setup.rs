//! What the program judges with, made once at start-up and refused as a whole if any part is wrong: model pack, ONNX
//! runtime, policies, vendors, limits, video decoders.

use std::{collections::BTreeMap, sync::Arc};

use lifesign_core::{
    frame::FrameLimits,
    pack::{Pack, PackError},
    policy::{Policy, PolicyError},
    runtime::{self, RuntimeError, SharedRuntime},
    vendors::{self, ConnectError, Panel},
    verdict::Assurance,
};

use crate::{
    config::{Config, VendorSettings},
    engine::EngineConfigError,
    models,
    video::{VideoConfigError, VideoSetup},
};

/// Why the program refuses to start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The model pack cannot be used.
    #[error(transparent)]
    Pack(PackError),
    /// There is no pack to judge with.
    #[error(
        "this build carries no built-in model pack; name one with --pack: run `lifesign models pull open` and pass \
         `--pack open`, or pass a folder with a pack.toml"
    )]
    NoBuiltin,
    /// The ONNX runtime cannot be used.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A policy cannot be used with the pack.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A setting of the pool is out of range.
    #[error(transparent)]
    Engine(#[from] EngineConfigError),
    /// A vendor cannot be set up.
    #[error("vendors.{id}.{source}")]
    Vendor {
        /// The vendor.
        id: String,
        /// Why; it begins with the setting's name.
        source: ConnectError,
    },
    /// Videos cannot be decoded as configured.
    #[error(transparent)]
    Video(#[from] VideoConfigError),
    /// The pack can claim less than is required.
    #[error("pack {pack} has assurance {actual:?}; require_assurance asks for {required:?} at least")]
    Assurance {
        /// The pack.
        pack: String,
        /// What is required.
        required: Assurance,
        /// What it can claim.
        actual: Assurance,
    },
}

/// Everything a judgement needs. Shared by all workers and calls.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The verified model pack.
    pub pack: Arc<Pack>,
    /// The ONNX runtime.
    pub runtime: SharedRuntime,
    /// The policies, checked against the pack.
    pub policies: Policies,
    /// The vendors that may be asked.
    pub vendors: Arc<Panel>,
    /// What images are accepted.
    pub limits: FrameLimits,
    /// What videos are accepted, and how they are looked at.
    pub video: VideoSetup,
}

/// The policies a call may name.
#[derive(Debug, Clone)]
pub struct Policies {
    default: String,
    by_name: BTreeMap<String, Arc<Policy>>,
}

impl From<PackError> for SetupError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::NoBuiltin => SetupError::NoBuiltin,
            error => SetupError::Pack(error),
        }
    }
}

impl Setup {
    /// Opens and verifies the pack, takes the runtime, and checks the policies against the pack.
    ///
    /// # Errors
    /// [`SetupError`] for the first thing that is wrong; nothing is half set up.
    pub fn load(config: &Config) -> Result<Self, SetupError> {
        let pack = models::locate(&config.pack.parse()?, &models::home())?;
        let actual = pack.manifest().pack.assurance;
        if let Some(required) = config.require_assurance.filter(|required| actual < *required) {
            let pack = pack.manifest().pack.id.clone();
            return Err(SetupError::Assurance { pack, required, actual });
        }
        let runtime = runtime::select(&runtime_choice(&config.onnxruntime))?;
        let vendors = panel(config)?;
        let policies = Policies::compile(config, &pack, &vendors)?;
        let (workers, _) = config.engine.resolve()?;
        let video = config.video.resolve(workers)?;
        Ok(Self { pack: Arc::new(pack), runtime, policies, vendors: Arc::new(vendors), limits: config.limits, video })
    }

    /// What a start-up line says: pack with version and assurance, runtime with version, video codecs,
    /// policies.
    pub fn summary(&self) -> String {
        let pack = self.pack.reference();
        let runtime = self.runtime.describe();
        let policies: Vec<&str> = self.policies.iter().map(|policy| policy.reference().id.as_str()).collect();
        let vendors: Vec<&str> = self.vendors.members().iter().map(|member| member.vendor().spec().id).collect();
        format!(
            "pack {} {} (assurance {}), runtime {} {}, videos {}, vendors {}, policies {} (default {})",
            pack.id,
            pack.version,
            crate::convert::assurance(pack.assurance).as_str_name().trim_start_matches("ASSURANCE_"),
            runtime.name,
            runtime.version,
            self.video.codecs().join(" "),
            if vendors.is_empty() { "none".to_owned() } else { vendors.join(" ") },
            policies.join(", "),
            self.policies.default_name(),
        )
    }
}

/// The configured vendors, none of them asked anything yet.
///
/// # Errors
/// [`SetupError::Vendor`] for the first that cannot be set up, with the setting's name.
pub fn panel(config: &Config) -> Result<Panel, SetupError> {
    let connect = |(id, settings): (&String, &VendorSettings)| {
        let fault = |source| SetupError::Vendor { id: id.clone(), source };
        // The configuration names no others.
        let spec = vendors::find(id).ok_or_else(|| fault(ConnectError::Setting("is no vendor".to_owned())))?;
        (spec.connect)(settings.value()).map_err(fault)
    };
    Ok(Panel::new(config.vendors.iter().map(connect).collect::<Result<_, _>>()?))
}

impl Policies {
    /// Checks the configured policies against a pack. A policy of the binary that nobody touched and that asks for a model
    /// which the pack lacks is left out; it is never weakened to fit.
    ///
    /// # Errors
    /// [`PolicyError`] of a policy that was configured, or that is the default.
    pub fn compile(config: &Config, pack: &Pack, vendors: &Panel) -> Result<Self, PolicyError> {
        let mut by_name = BTreeMap::new();
        for (name, settings) in &config.policies {
            let wanted = *name == config.default_policy || config.configured_policies.contains(name);
            match Policy::compile_with(name, settings.clone(), pack.manifest(), &|id| vendors.judges(id)) {
                Ok(policy) => {
                    by_name.insert(name.clone(), Arc::new(policy));
                }
                Err(PolicyError::MissingRole { .. }) if !wanted => {}
                Err(error) => return Err(error),
            }
        }
        if !by_name.contains_key(&config.default_policy) {
            return Err(PolicyError::Unknown(config.default_policy.clone()));
        }
        Ok(Self { default: config.default_policy.clone(), by_name })
    }

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

/// `auto`, `off`, or a path.
pub(crate) fn runtime_choice(setting: &str) -> runtime::RuntimeChoice {
    match setting {
        "auto" => runtime::RuntimeChoice::Auto,
        "off" => runtime::RuntimeChoice::Off,
        path => runtime::RuntimeChoice::Library(path.into()),
    }
}
