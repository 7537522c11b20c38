//! The effective configuration as TOML, with where each setting came from as a comment. What is printed can be read back.

use std::fmt::Write;

use toml::{Table, Value};

use super::Loaded;

/// The settings, tables after plain values, each line that is not a default with its origin.
///
/// # Errors
/// What the TOML serialiser says of a value it cannot write; no setting has such a value.
pub fn to_toml(loaded: &Loaded) -> Result<String, toml::ser::Error> {
    let table = Table::try_from(&loaded.config)?;
    let mut out = String::new();
    write_table(&mut out, loaded, &mut Vec::new(), &table);
    Ok(out)
}

fn write_table(out: &mut String, loaded: &Loaded, path: &mut Vec<String>, table: &Table) {
    let (tables, plain): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.is_table());
    if !path.is_empty() && (!plain.is_empty() || tables.is_empty()) {
        let name: Vec<String> = path.iter().map(|part| quoted(part)).collect();
        // Writing to a string cannot fail; the same holds below.
        let _ = writeln!(out, "\n[{}]", name.join("."));
    }
    for (key, value) in plain {
        path.push(key.clone());
        let _ = write!(out, "{} = {value}", quoted(key));
        if let Some(origin) = loaded.origin(path) {
            let _ = write!(out, "  # {}", origin.replace(char::is_control, " "));
        }
        out.push('\n');
        path.pop();
    }
    for (key, value) in tables {
        if let Value::Table(inner) = value {
            path.push(key.clone());
            write_table(out, loaded, path, inner);
            path.pop();
        }
    }
}

/// A key as TOML wants it: bare where that is allowed.
fn quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}
