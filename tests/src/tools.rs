//! Programs the tests run: the one under test, and the clients of real users.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::media::present;

/// The `lifesign` program of this workspace, built once by the cargo that runs the tests and in the same profile.
pub fn lifesign() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = env::current_exe().expect("the test's own path");
        // target/PROFILE/deps/test-hash → target/PROFILE
        let folder = test.ancestors().nth(2).expect("the profile's folder").to_owned();
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "-p", "lifesign-server", "--bin", "lifesign"]);
        if folder.file_name().is_some_and(|name| name == "release") {
            build.arg("--release");
        }
        let status = build.current_dir(crate::media::repository()).status().expect("cargo runs");
        assert!(status.success(), "lifesign does not build");
        folder.join(format!("lifesign{}", env::consts::EXE_SUFFIX))
    })
}

/// Whether a program answers; where it does not, says that `test` is skipped, and fails in CI.
pub fn has(test: &str, program: &str, probe: &[&str]) -> bool {
    let answers = Command::new(program)
        .args(probe)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    present(test, program, answers)
}

/// The ONNX Runtime library: `ORT_DYLIB_PATH`, else the one inside Python's `onnxruntime` package.
pub fn onnxruntime(test: &str) -> Option<PathBuf> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = LIBRARY.get_or_init(|| {
        if let Some(path) = env::var_os("ORT_DYLIB_PATH") {
            return Some(PathBuf::from(path));
        }
        let script = "import glob, os, onnxruntime as o; \
                      print(glob.glob(os.path.join(os.path.dirname(o.__file__), 'capi', 'libonnxruntime.so*'))[0])";
        let output = Command::new("python3").args(["-c", script]).output().ok()?;
        let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        path.is_file().then_some(path)
    });
    present(test, "libonnxruntime", found.is_some()).then(|| found.clone()).flatten()
}
