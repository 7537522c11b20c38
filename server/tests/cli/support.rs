//! Runs the program in a home of its own, on a generated pack.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use lifesign_server::convert::json;
use serde_json::Value;

/// A user: a home folder with nothing in it but what a test puts there.
pub(crate) struct User {
    folder: tempfile::TempDir,
}

impl User {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A path in the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the home, with the folders around it.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, content).expect("a file");
        path
    }

    /// Puts a sample of the repository in the home.
    pub(crate) fn sample(&self, sample: &str, name: &str) -> PathBuf {
        self.file(name, fs::read(samples().join(sample)).expect("a sample"))
    }

    /// Writes an evenly grey picture in the home. The tiny pack's detector sees a face in it, and its liveness model takes
    /// [`LIVE`] for a live one and [`ATTACK`] for an attack.
    pub(crate) fn grey(&self, level: u8, name: &str) -> PathBuf {
        let path = self.file(name, b"");
        image::RgbImage::from_pixel(320, 240, image::Rgb([level; 3])).save(&path).expect("a picture");
        path
    }

    /// Writes the tiny generated pack.
    pub(crate) fn pack(&self) -> PathBuf {
        let folder = self.path("tiny-pack");
        fs::create_dir_all(&folder).expect("a folder");
        lifesign_core::testing::tiny_pack(&folder).expect("the tiny pack");
        folder
    }

    /// The program with these arguments: the user's home, and none of the settings of whoever runs the tests.
    pub(crate) fn lifesign<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifesign"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LIFESIGN_") {
                command.env_remove(name);
            }
        }
        command.env("LIFESIGN_HOME", self.folder.path()).current_dir(self.folder.path()).args(arguments);
        command
    }

    /// Runs it.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.lifesign(arguments).output().expect("lifesign runs")
    }

    /// Runs `check --json` on the tiny pack and rten, with a policy that its models can pass.
    pub(crate) fn check<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        let pack = self.pack();
        let mut command = self.lifesign(["check", "--json", "--onnxruntime", "off", "--pack"]);
        command.arg(pack).args(["--policy", "presentation-attack-only"]).args(arguments);
        command.output().expect("lifesign runs")
    }
}

/// A level of grey that the tiny pack takes for a live face.
pub(crate) const LIVE: u8 = 200;

/// A level of grey that the tiny pack takes for an attack.
pub(crate) const ATTACK: u8 = 60;

/// The pictures in the repository.
pub(crate) fn samples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples"))
}

/// What was printed to standard output.
pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

/// What was printed to standard error.
pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

/// The JSON objects of a `check --json`; every verdict must be one of `lifesign.v1`, with no key of its own.
pub(crate) fn lines(output: &Output) -> Vec<Value> {
    let parse = |line: &str| -> Value {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        if let Some(verdict) = object.get("verdict") {
            let parsed: Result<lifesign_proto::v1::Verdict, _> = json::from_str(json::VERDICT, &verdict.to_string());
            let parsed = parsed.unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_ne!(parsed.decision, 0, "the unspecified decision is never sent: {line}");
        }
        object
    };
    stdout(output).lines().map(parse).collect()
}
