//! Settings of vendors: tables whose keys the vendors themselves define, with secrets that are never shown.

use std::fmt;

use lifesign_core::vendors::{self, VENDORS};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// A secret of every vendor's line, beside those that the vendor names: the proxy's address may hold a password.
const PROXY: &str = "proxy";

/// What stands for a secret that is set, where settings are printed.
pub(super) const HIDDEN: &str = "(hidden)";

/// One vendor's settings: its defaults, and what was configured over them.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct VendorSettings(Map<String, Value>);

impl VendorSettings {
    /// A vendor's defaults; `None` where there is no such vendor.
    pub fn defaults(id: &str) -> Option<Self> {
        match (vendors::find(id)?.settings)() {
            Value::Object(map) => Some(Self(map)),
            _ => None,
        }
    }

    /// The settings as the vendor reads them, secrets included.
    pub fn value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The settings at a path below the vendor's table: the keys that are known there, or `None` where a single value is.
    pub(super) fn keys(&self, path: &[&str]) -> Option<Vec<&str>> {
        let table = path.iter().try_fold(&self.0, |table, part| table.get(*part)?.as_object())?;
        Some(table.keys().map(String::as_str).collect())
    }
}

/// Whether the setting at this dotted key is a text, such as an id of digits only, which is no number.
pub(super) fn is_text(key: &str) -> bool {
    let mut path = key.split('.').skip(1);
    let Some(defaults) = path.next().and_then(VendorSettings::defaults) else { return false };
    let parts: Vec<&str> = path.collect();
    let Some((last, tables)) = parts.split_last() else { return false };
    let table = tables.iter().try_fold(&defaults.0, |table, part| table.get(*part)?.as_object());
    is_secret(last) || table.is_some_and(|table| table.get(*last).is_some_and(Value::is_string))
}

/// Whether a setting of this name holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    name == PROXY || VENDORS.iter().any(|spec| spec.secrets.contains(&name))
}

fn hidden(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let shown = if is_secret(key) && !value.is_null() { HIDDEN.into() } else { hidden(value) };
                (key.clone(), shown)
            })
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

impl Serialize for VendorSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hidden(&self.value()).serialize(serializer)
    }
}

impl fmt::Debug for VendorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&hidden(&self.value()), f)
    }
}
