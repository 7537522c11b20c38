//! Writes the table of the files that feature `builtin` embeds in the crate: those of `models/builtin`, or of the folder that
//! the variable `EMBED_LIFESIGN_PACK` names, for whoever ships a pack of their own in the program.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// A folder with a pack, as an absolute path. It does not begin with `LIFESIGN_`, as the settings of the program do.
const PACK_VARIABLE: &str = "EMBED_LIFESIGN_PACK";

fn main() -> io::Result<()> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(name.to_owned()));
    let out = variable("OUT_DIR")?.join("builtin.rs");
    let models = variable("CARGO_MANIFEST_DIR")?.join("../models");
    let named = env::var_os(PACK_VARIABLE).map(PathBuf::from);
    if let Some(named) = named.as_ref().filter(|named| !named.join("pack.toml").is_file()) {
        let what = format!("{PACK_VARIABLE} names {}, which has no pack.toml", named.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, what));
    }
    let folder = named.unwrap_or_else(|| models.join("builtin"));
    // A path that does not exist makes cargo run the script again every time, so the folder above stands in for it.
    let watched = if folder.is_dir() { &folder } else { &models };
    let mut out_lines = io::stdout();
    writeln!(out_lines, "cargo::rerun-if-changed=build.rs\ncargo::rerun-if-env-changed={PACK_VARIABLE}")?;
    writeln!(out_lines, "cargo::rerun-if-changed={}", watched.display())?;
    let embed = env::var_os("CARGO_FEATURE_BUILTIN").is_some() && folder.join("pack.toml").is_file();
    let files = if embed { files(&folder)? } else { Vec::new() };
    let rows: String =
        files.iter().map(|(name, path)| format!("    ({name:?}, include_bytes!({path:?})),\n")).collect();
    fs::write(out, format!("/// The files of `models/builtin`.\nconst BUILTIN: Files = &[\n{rows}];\n"))
}

/// The manifest and the models of a folder by name, in order, so that builds repeat.
fn files(folder: &Path) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path().canonicalize()?;
        let (Some(name), Some(full)) = (path.file_name().and_then(|name| name.to_str()), path.to_str()) else {
            continue;
        };
        if name == "pack.toml" || name.ends_with(".onnx") {
            files.push((name.to_owned(), full.to_owned()));
        }
    }
    files.sort();
    Ok(files)
}
