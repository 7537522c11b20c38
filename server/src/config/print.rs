//! The effective configuration as TOML, with where each setting came from as a comment. What is printed can be read back, but
//! for secrets, which are not printed.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::{ConfigError, Loaded, vendors::HIDDEN};

/// The settings, tables after plain values, each line that is not a default with its origin. A setting that is not set
/// and has no default is a comment.
///
/// # Errors
/// [`ConfigError::Part`] where a setting has no TOML form; none of this program's is so.
pub fn to_toml(loaded: &Loaded) -> Result<String, ConfigError> {
    let unwritable = |what: String| ConfigError::Part(format!("the configuration has no TOML form: {what}"));
    // JSON in between, since it keeps what is not set.
    let Value::Object(table) = serde_json::to_value(&loaded.config).map_err(|error| unwritable(error.to_string()))?
    else {
        return Err(unwritable("it is no table".to_owned()));
    };
    let mut out = String::new();
    write_table(&mut out, loaded, &mut Vec::new(), &table).map_err(unwritable)?;
    Ok(out)
}

fn write_table(
    out: &mut String,
    loaded: &Loaded,
    path: &mut Vec<String>,
    table: &Map<String, Value>,
) -> Result<(), String> {
    let (tables, plain): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.is_object());
    if !path.is_empty() && (!plain.is_empty() || tables.is_empty()) {
        let name: Vec<String> = path.iter().map(|part| quoted(part)).collect();
        line(out, format_args!("\n[{}]", name.join(".")));
    }
    for (key, value) in plain {
        path.push(key.clone());
        let origin = loaded.origin(path).map(|origin| format!("  # {}", origin.replace(char::is_control, " ")));
        let origin = origin.unwrap_or_default();
        match value {
            Value::Null => line(out, format_args!("# {} is not set", quoted(key))),
            Value::String(text) if text == HIDDEN => {
                line(out, format_args!("# {} is set, and not shown{origin}", quoted(key)));
            }
            value => line(out, format_args!("{} = {}{origin}", quoted(key), toml_value(value)?)),
        }
        path.pop();
    }
    for (key, value) in tables {
        if let Value::Object(inner) = value {
            path.push(key.clone());
            write_table(out, loaded, path, inner)?;
            path.pop();
        }
    }
    Ok(())
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn toml_value(value: &Value) -> Result<String, String> {
    if let Some(number) = value.as_f64().filter(|_| value.is_f64()) {
        // Every fractional setting is a 32-bit number: its own shortest form, not that of its 64-bit neighbour.
        #[expect(clippy::cast_possible_truncation, reason = "the value was widened from an f32")]
        let number = number as f32;
        return Ok(format!("{number:?}"));
    }
    toml::Value::try_from(value).map(|value| value.to_string()).map_err(|error| error.to_string())
}

/// A key as TOML wants it: bare where that is allowed.
fn quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { key.to_owned() } else { toml::Value::String(key.to_owned()).to_string() }
}
