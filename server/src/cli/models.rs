//! `lifesign models`: what packs there are, fetching one, verifying one.

use std::{
    fs,
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use lifesign_core::{
    pack::{self, Fetch, Folder, Manifest, OPEN_MANIFEST, Pack, PackError, Progress},
    runtime::{self, RuntimeChoice},
};
use serde_json::json;

use super::{CliError, Exit};
use crate::models::{self, PackChoice, http::Http};

/// What to do with packs.
#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the packs that there are
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Fetch a pack into the data folder ($LIFESIGN_HOME, else the user's)
    Pull {
        /// The pack: open
        #[arg(value_name = "NAME", value_parser = ["open"])]
        name: String,
        /// Take the files from this folder instead of the network
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Check a pack's files and run its models against their recorded numbers
    Verify {
        /// builtin, open, or a folder with a pack.toml
        #[arg(value_name = "NAME|DIR")]
        pack: String,
    },
}

/// Runs `lifesign models …` on the data folder `home`.
///
/// # Errors
/// Where a pack or the runtime cannot be used, or nobody reads the output any more.
pub(super) fn run(
    args: &ModelsArgs,
    home: &Path,
    runtime: &RuntimeChoice,
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    match &args.command {
        Command::List { json } => list(home, *json, out)?,
        Command::Pull { name, from } => {
            let manifest = models::known(name).ok_or_else(|| CliError::failed(format!("there is no pack {name:?}")))?;
            let fetch: Box<dyn Fetch> = match from {
                Some(folder) => Box::new(Folder(folder.clone())),
                None => Box::new(Http::new()),
            };
            pull(name, manifest, &*fetch, home, out)?;
        }
        Command::Verify { pack } => verify(&pack.parse().map_err(CliError::failed)?, home, runtime, out)?,
    }
    Ok(Exit::Success)
}

/// A line of the list.
struct Listed {
    name: String,
    /// The manifest, where there is a valid one.
    manifest: Option<Manifest>,
    /// `installed`, `not installed`, or what is wrong with it.
    state: String,
    folder: Option<PathBuf>,
}

impl Listed {
    fn size(&self) -> Option<u64> {
        self.manifest.as_ref().map(|manifest| manifest.models.iter().map(|model| model.size).sum())
    }
}

fn list(home: &Path, json: bool, out: &mut dyn Write) -> Result<(), CliError> {
    for pack in packs(home) {
        let info = pack.manifest.as_ref().map(|manifest| &manifest.pack);
        let assurance = info.map(|info| format!("{:?}", info.assurance).to_uppercase());
        if json {
            let line = json!({
                "name": pack.name, "state": pack.state, "version": info.map(|info| &info.version),
                "assurance": assurance, "bytes": pack.size(), "folder": pack.folder,
            });
            writeln!(out, "{line}")?;
        } else {
            let (version, assurance) = (info.map_or("-", |info| &info.version), assurance.as_deref().unwrap_or("-"));
            let size = pack.size().map_or_else(|| "-".to_owned(), megabytes);
            writeln!(out, "{:<12} {version:<12} {assurance:<8} {size:>9}  {}", pack.name, pack.state)?;
        }
    }
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

/// The one in the binary, those that can be pulled, and whatever else lies in the data folder.
fn packs(home: &Path) -> Vec<Listed> {
    let builtin = match Pack::builtin() {
        Ok(pack) => Listed {
            name: "builtin".to_owned(),
            manifest: Some(pack.manifest().clone()),
            state: "installed".to_owned(),
            folder: None,
        },
        Err(PackError::NoBuiltin) => {
            Listed { name: "builtin".to_owned(), manifest: None, state: "not in this build".to_owned(), folder: None }
        }
        Err(error) => Listed { name: "builtin".to_owned(), manifest: None, state: error.to_string(), folder: None },
    };
    let mut names: Vec<String> = fs::read_dir(home.join("packs"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().filter(|entry| entry.path().is_dir())?.file_name().into_string().ok())
        .filter(|name| name != "open")
        .collect();
    names.sort();
    let pulled = std::iter::once("open".to_owned()).chain(names).map(|name| {
        let folder = models::installed(home, &name);
        let there = folder.join(pack::MANIFEST_FILE).exists();
        let opened = Pack::open(&folder);
        let state = match &opened {
            Ok(_) => "installed".to_owned(),
            Err(_) if !there => "not installed".to_owned(),
            Err(error) => error.to_string(),
        };
        let known = || models::known(&name).and_then(|_| Manifest::parse(OPEN_MANIFEST, "open").ok());
        let manifest = opened.ok().map(|pack| pack.manifest().clone()).or_else(known);
        Listed { name, manifest, state, folder: there.then_some(folder) }
    });
    std::iter::once(builtin).chain(pulled).collect()
}

fn pull(name: &str, manifest: &str, fetch: &dyn Fetch, home: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let folder = models::installed(home, name);
    let mut display = Display::new(io::stderr().is_terminal());
    let pack = pack::pull(manifest, fetch, &folder, &mut |progress| display.show(progress, out));
    display.bar.finish_and_clear();
    display.written?;
    let pack = pack.map_err(CliError::failed)?;
    let info = &pack.manifest().pack;
    writeln!(out, "pack {} {} is in {}", info.id, info.version, folder.display())?;
    Ok(())
}

/// A bar on a terminal; elsewhere a line for each file that is done.
struct Display {
    bar: ProgressBar,
    written: io::Result<()>,
}

impl Display {
    fn new(terminal: bool) -> Self {
        let bar = if terminal { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{msg:40} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}");
        Self { bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())), written: Ok(()) }
    }

    fn show(&mut self, progress: Progress<'_>, out: &mut dyn Write) {
        self.bar.set_length(progress.size);
        self.bar.set_position(progress.done);
        self.bar.set_message(progress.file.to_owned());
        if progress.done == progress.size && self.written.is_ok() {
            let how = if progress.kept { "kept" } else { "fetched" };
            self.written = self.bar.suspend(|| writeln!(out, "{how} {} ({} bytes)", progress.file, progress.size));
        }
    }
}

fn verify(choice: &PackChoice, home: &Path, runtime: &RuntimeChoice, out: &mut dyn Write) -> Result<(), CliError> {
    let pack = models::locate(choice, home).map_err(CliError::failed)?;
    let runtime = runtime::select(runtime).map_err(CliError::failed)?;
    let report = pack::verify(&pack, &*runtime).map_err(CliError::failed)?;
    let reference = pack.reference();
    let assurance = format!("{:?}", reference.assurance).to_uppercase();
    writeln!(out, "pack {} {}, assurance {assurance}, sha256 {}", reference.id, reference.version, reference.sha256)?;
    writeln!(out, "runtime {} {}", report.runtime.name, report.runtime.version)?;
    for (spec, model) in pack.manifest().models.iter().zip(&report.models) {
        let result = match model.self_tests {
            0 => "no self-test; runs, output finite".to_owned(),
            count => format!("{count} self-tests passed, greatest difference {:.1e}", model.deviation),
        };
        writeln!(out, "{} {} ({}): {} bytes, {}", spec.name, spec.version, spec.role.name(), spec.size, spec.license)?;
        writeln!(out, "  sha256 {}", spec.sha256)?;
        writeln!(out, "  {result}")?;
    }
    writeln!(out, "verified")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use lifesign_core::testing;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ModelsArgs,
    }

    fn models(line: &str, home: &Path) -> Result<String, String> {
        let line = Line::try_parse_from(std::iter::once("models").chain(line.split(' '))).map_err(|e| e.to_string())?;
        let mut out = Vec::new();
        match run(&line.args, home, &RuntimeChoice::Off, &mut out) {
            Ok(_) => Ok(String::from_utf8(out).unwrap()),
            Err(CliError::Failed(message)) => Err(message),
            Err(CliError::OutputClosed) => Err("closed".to_owned()),
        }
    }

    #[test]
    fn the_open_pack_is_listed_pulled_and_verified() {
        let home = tempfile::tempdir().unwrap();
        let listed = models("list", home.path()).unwrap();
        assert!(listed.contains("open") && listed.contains("not installed"), "{listed}");
        assert!(models("verify open", home.path()).unwrap_err().contains("lifesign models pull open"));
        assert!(models("pull other", home.path()).is_err());

        let Some(shared) = testing::shared("the_open_pack_is_listed_pulled_and_verified") else { return };
        let from = shared.join("models/open");
        let pull = format!("pull open --from {}", from.display());
        let pulled = models(&pull, home.path()).unwrap();
        assert_eq!(pulled.matches("fetched ").count(), 8, "{pulled}");
        assert_eq!(models(&pull, home.path()).unwrap().matches("kept ").count(), 8);
        let verified = models("verify open", home.path()).unwrap();
        assert!(verified.contains("runtime rten ") && verified.ends_with("verified\n"), "{verified}");
        let lines = models("list --json", home.path()).unwrap();
        let open = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let open = open.into_iter().find(|line| line["name"] == "open").unwrap();
        assert_eq!(open["state"], "installed");
        assert_eq!(open["assurance"], "OPEN");
    }

    #[test]
    fn a_pack_in_a_folder_is_verified_and_an_altered_one_refused() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("packs/tiny");
        fs::create_dir_all(&folder).unwrap();
        testing::tiny_pack(&folder).unwrap();
        let verify = format!("verify {}", folder.display());
        let verified = models(&verify, home.path()).unwrap();
        assert!(
            verified.contains("tiny-detector 1 (detector)") && verified.contains("1 self-tests passed"),
            "{verified}"
        );
        assert!(models("list", home.path()).unwrap().contains("tiny"));
        fs::write(folder.join("liveness.onnx"), b"other").unwrap();
        assert!(models(&verify, home.path()).unwrap_err().contains("liveness.onnx"));
        assert!(models("list", home.path()).unwrap().contains("liveness.onnx: expected"));
    }
}
