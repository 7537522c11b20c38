//! Where settings come from, in rising order of precedence, and which of those places said what.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    error::Kind,
    util::nest,
    value::{Dict, Map, Value},
};
use lifesign_core::{vendors::VENDORS as VENDORS_TABLE, verdict::CheckId};

use super::{
    Config, ConfigError,
    vendors::{VendorSettings, is_text},
};
use crate::video::VideoConfig;

/// Variables that begin so are settings; `__` nests.
pub const VARIABLE_PREFIX: &str = "LIFESIGN_";

/// Variables with the prefix that are not settings: the data folder, the configuration file, the log filter.
pub const EXEMPT_VARIABLES: [&str; 3] = ["LIFESIGN_HOME", "LIFESIGN_CONFIG", "LIFESIGN_LOG"];

/// Settings below this key are defined by vendors.
const VENDORS: &str = "vendors.";

/// The configuration file's name in the folder that `LIFESIGN_HOME` names.
const FILE_NAME: &str = "lifesign.toml";

/// The places that settings are read from. Handed in rather than read from the process, so that tests can choose them.
#[derive(Clone, Default)]
pub struct Sources {
    /// The value of `--config`.
    pub file: Option<PathBuf>,
    /// The process's environment, whole.
    pub environment: Vec<(String, String)>,
    /// What flags set: the flag's name, the setting's dotted key, the value.
    pub flags: Vec<(&'static str, &'static str, Value)>,
}

impl Sources {
    /// The process's environment and the value of `--config`. A variable that is not valid UTF-8 has its bad bytes
    /// replaced, which then fails as a value.
    pub fn from_process(file: Option<PathBuf>) -> Self {
        let text = |value: OsString| value.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { file, environment, flags: Vec::new() }
    }

    /// Adds what a flag sets, if it was given.
    pub fn flag<T: Into<Value>>(&mut self, flag: &'static str, key: &'static str, value: Option<T>) {
        if let Some(value) = value {
            self.flags.push((flag, key, value.into()));
        }
    }

    /// The file that will be read: `--config`, else `LIFESIGN_CONFIG`, else `lifesign.toml` in the folder that
    /// `LIFESIGN_HOME` names, if it is there.
    pub fn chosen_file(&self) -> Option<PathBuf> {
        if self.file.is_some() {
            return self.file.clone();
        }
        if let Some(file) = self.variable("LIFESIGN_CONFIG") {
            return Some(PathBuf::from(file));
        }
        let file = Path::new(self.variable("LIFESIGN_HOME")?).join(FILE_NAME);
        file.is_file().then_some(file)
    }

    /// Reads, merges and validates everything.
    ///
    /// # Errors
    /// [`ConfigError`] for the first fault: a file that cannot be read, an unknown key, a bad value, a setting out of
    /// range.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let mut layers = Vec::new();
        if let Some(path) = self.chosen_file() {
            layers.push(read_file(&path)?);
        }
        layers.extend(self.variables());
        for (flag, key, value) in &self.flags {
            layers.push(Layer::single(format!("the flag {flag}"), key, value.clone()));
        }
        Loaded::merge(layers)
    }

    /// An exempt variable's value; an empty one counts as unset.
    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// One layer a variable, in the order of their names, so that the result does not hang on the process's order.
    fn variables(&self) -> Vec<Layer> {
        let mut given: Vec<&(String, String)> = self.environment.iter().collect();
        given.sort();
        let settings = given.into_iter().filter(|(name, _)| !EXEMPT_VARIABLES.contains(&name.as_str()));
        settings
            .filter_map(|(name, value)| {
                let key = name.strip_prefix(VARIABLE_PREFIX)?.split("__").map(segment).collect::<Vec<_>>().join(".");
                let origin = format!("the environment variable {name}");
                if key.starts_with(VENDORS) && is_text(&key) {
                    return Some(Layer::single(origin, &key, Value::from(value.as_str())));
                }
                // Numbers, booleans and lists are recognised; anything else is text. Parsing cannot fail.
                let value = value.parse().unwrap_or_else(|_: std::convert::Infallible| Value::from(value.as_str()));
                Some(Layer::single(origin, &key, value))
            })
            .collect()
    }
}

/// A part of a variable's name as a part of a key: lower case, but for the names of checks, which have their own.
fn segment(part: &str) -> String {
    let check = CheckId::ALL.iter().find(|check| check.name().eq_ignore_ascii_case(part));
    check.map_or_else(|| part.to_ascii_lowercase(), |check| check.name().to_owned())
}

fn read_file(path: &Path) -> Result<Layer, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), what: error.to_string() })?;
    let syntax = |what: String| ConfigError::Syntax { path: path.to_owned(), what };
    // The parser's whole message quotes the line, which may hold a secret.
    let fault = |error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or_default().lines().count().max(1);
        syntax(format!("line {line}: {}", error.message()))
    };
    let table: toml::Table = toml::from_str(&text).map_err(fault)?;
    let value = Value::serialize(table).map_err(|error| syntax(error.to_string()))?;
    let values = value.into_dict().unwrap_or_default();
    Ok(Layer { origin: format!("the file {}", path.display()), values })
}

impl std::fmt::Debug for Sources {
    /// No values: some of the environment's are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("file", &self.file).finish_non_exhaustive()
    }
}

/// What one place said.
#[derive(Clone)]
pub struct Layer {
    /// In words: `the file …`, `the environment variable …`, `the flag …`.
    pub origin: String,
    values: Dict,
}

impl std::fmt::Debug for Layer {
    /// No values: some are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layer").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Layer {
    fn single(origin: String, key: &str, value: Value) -> Self {
        Self { origin, values: nest(key, value).into_dict().unwrap_or_default() }
    }

    /// Whether this place said something about the setting at `path`, about one inside it, or about the list that holds
    /// it.
    fn mentions(&self, path: &[String]) -> bool {
        let mut table = &self.values;
        for part in path {
            match table.get(part) {
                Some(Value::Dict(_, inner)) => table = inner,
                Some(_) => return true,
                None => return false,
            }
        }
        true
    }
}

impl Layer {
    /// The defaults of the vendors that this place names. A key that a vendor does not have is refused here, since only the
    /// vendor's own defaults know its keys.
    fn vendors(&self) -> Result<Vec<(String, VendorSettings)>, ConfigError> {
        let tables = self.values.get("vendors").and_then(Value::as_dict).into_iter().flatten();
        tables
            .map(|(id, given)| {
                let unknown = |key: String, known: &[&str]| ConfigError::UnknownKey {
                    key,
                    origin: self.origin.clone(),
                    known: known.join(", "),
                };
                let known: Vec<&str> = VENDORS_TABLE.iter().map(|spec| spec.id).collect();
                let defaults = VendorSettings::defaults(id).ok_or_else(|| unknown(format!("{VENDORS}{id}"), &known))?;
                check_keys(&defaults, given, &mut Vec::new())
                    .map_err(|(path, known)| unknown(format!("{VENDORS}{id}.{path}"), &known))?;
                Ok((id.clone(), defaults))
            })
            .collect()
    }
}

/// Finds a key that the defaults do not have: its dotted path, and the keys that are known at its place.
fn check_keys<'a>(
    defaults: &'a VendorSettings,
    given: &'a Value,
    path: &mut Vec<&'a str>,
) -> Result<(), (String, Vec<&'a str>)> {
    let (Some(table), Some(known)) = (given.as_dict(), defaults.keys(path)) else { return Ok(()) };
    for (key, value) in table {
        path.push(key);
        if !known.contains(&key.as_str()) {
            return Err((path.join("."), known));
        }
        check_keys(defaults, value, path)?;
        path.pop();
    }
    Ok(())
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// A configuration and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    layers: Vec<Layer>,
}

impl Loaded {
    /// Where the setting at `path` was last set; `None` where the default in the binary stands.
    pub fn origin(&self, path: &[String]) -> Option<&str> {
        origin(&self.layers, path)
    }

    fn merge(layers: Vec<Layer>) -> Result<Self, ConfigError> {
        let given = layers.iter().fold(Figment::new(), |figment, layer| figment.merge(layer.clone()));
        // A preset is a set of defaults: whatever place names it, any place may say otherwise.
        let mut defaults = Config::default();
        if let Ok(preset) = given.extract_inner::<String>("video.preset") {
            defaults.video = VideoConfig::of_preset(&preset);
        }
        for layer in &layers {
            defaults.vendors.extend(layer.vendors()?);
        }
        let figment = Figment::from(figment::providers::Serialized::defaults(defaults)).merge(given);
        let mut config: Config = figment.extract().map_err(|error| explain(&layers, error))?;
        config.configured_policies = configured_policies(&layers);
        config.validate()?;
        Ok(Self { config, layers })
    }
}

fn configured_policies(layers: &[Layer]) -> BTreeSet<String> {
    let touched = layers.iter().filter_map(|layer| layer.values.get("policies")?.as_dict());
    touched.flat_map(|policies| policies.keys().cloned()).collect()
}

fn origin<'a>(layers: &'a [Layer], path: &[String]) -> Option<&'a str> {
    layers.iter().rev().find(|layer| layer.mentions(path)).map(|layer| layer.origin.as_str())
}

/// figment's error in this program's words. Which place is to blame is looked up by key: figment itself attributes an
/// unknown key to the table around it.
fn explain(layers: &[Layer], error: figment::Error) -> ConfigError {
    let mut path = error.path.clone();
    if let Kind::UnknownField(field, known) = &error.kind {
        if path.last() != Some(field) {
            path.push(field.clone());
        }
        return ConfigError::UnknownKey {
            key: path.join("."),
            origin: origin(layers, &path).unwrap_or("the defaults").to_owned(),
            known: known.join(", "),
        };
    }
    // What is missing is missing from the table that was begun, so that is where to look.
    ConfigError::BadValue {
        key: path.join("."),
        origin: origin(layers, &path).unwrap_or("the defaults").to_owned(),
        what: error.kind.to_string().replace('`', ""),
    }
}
