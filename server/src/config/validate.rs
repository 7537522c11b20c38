//! Ranges and contradictions that the types of the settings cannot rule out.

use super::{Config, ConfigError};

impl Config {
    /// Checks every setting, and those of the engine, the videos and the server by their own rules.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] or [`ConfigError::Part`] for the first fault.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (key, value) in [("pack", &self.pack), ("onnxruntime", &self.onnxruntime)] {
            require(!value.trim().is_empty(), key, "empty", "a name or a path")?;
        }
        let limits = &self.limits;
        require(limits.max_bytes > 0, "limits.max_bytes", limits.max_bytes, "1 and more")?;
        require(limits.max_pixels > 0, "limits.max_pixels", limits.max_pixels, "1 and more")?;
        require(limits.min_dimension > 0, "limits.min_dimension", limits.min_dimension, "1 and more")?;
        require(
            limits.max_dimension >= limits.min_dimension,
            "limits.max_dimension",
            limits.max_dimension,
            format!("limits.min_dimension ({}) and more", limits.min_dimension),
        )?;
        require(
            self.policies.contains_key(&self.default_policy),
            "default_policy",
            &self.default_policy,
            self.policies.keys().cloned().collect::<Vec<_>>().join(", "),
        )?;
        self.exposure().map_err(|error| ConfigError::Part(error.to_string()))?;
        self.engine.resolve().map_err(|error| ConfigError::Part(error.to_string()))?;
        let needed = self.policies.values().map(|policy| policy.frames_needed).max().unwrap_or_default();
        self.video.validate(needed).map_err(|error| ConfigError::Part(error.to_string()))?;
        self.grpc.validate(&self.limits, &self.video.limits).map_err(|error| ConfigError::Part(error.to_string()))?;
        for (section, tls) in [("grpc.tls", &self.grpc.tls), ("http.tls", &self.http.tls)] {
            if let Some(tls) = tls {
                tls.validate(section).map_err(|error| ConfigError::Part(error.to_string()))?;
            }
        }
        for (policy, retention) in &self.retention {
            require(
                self.policies.contains_key(policy),
                "retention",
                policy,
                self.policies.keys().cloned().collect::<Vec<_>>().join(", "),
            )?;
            retention.validate().map_err(|what| ConfigError::Part(format!("retention.{policy}.{what}")))?;
        }
        self.http.validate(&self.policies.keys().map(String::as_str).collect::<Vec<_>>()).map_err(ConfigError::Part)?;
        self.access.validate().map_err(|error| ConfigError::Part(error.to_string()))?;
        self.queue.validate().map_err(ConfigError::Part)
    }
}

fn require(
    holds: bool,
    key: &str,
    actual: impl std::fmt::Display,
    allowed: impl std::fmt::Display,
) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError::OutOfRange { key: key.to_owned(), actual: actual.to_string(), allowed: allowed.to_string() })
}
