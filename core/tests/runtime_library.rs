//! Which library is loaded, and that a broken one is an error. A process of its own: ONNX Runtime is loaded only once.
#![expect(clippy::print_stderr, reason = "a test that cannot run says so")]

use lifesign_core::{
    runtime::{RuntimeChoice, RuntimeError, find::Places, select, select_from},
    testing,
};

/// One test, because the order matters: broken libraries first, then the real one, then another.
#[test]
fn a_library_that_does_not_load_is_an_error_and_never_a_fallback() {
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("libonnxruntime.so");
    std::fs::write(&fake, "this is no library\n").unwrap();
    let refused =
        |result: Result<_, RuntimeError>, part: &str| match result.map(|_: lifesign_core::runtime::SharedRuntime| ()) {
            Err(RuntimeError::Library { path, what }) => assert!(what.contains(part), "{path}: {what}"),
            other => panic!("{other:?}"),
        };

    refused(select(&RuntimeChoice::Library(fake.clone())), "");
    refused(select(&RuntimeChoice::Library(folder.path().join("absent.so"))), "no such file");
    let beside = Places { beside: Some(folder.path().to_owned()), ..Places::default() };
    #[cfg(target_os = "linux")]
    refused(select_from(&RuntimeChoice::Auto, &beside), "");
    let variable = Places { variable: Some(fake.clone().into()), ..Places::default() };
    refused(select_from(&RuntimeChoice::Auto, &variable), "");
    assert_eq!(select_from(&RuntimeChoice::Off, &beside).unwrap().describe().name, "rten", "off does not look");
    assert_eq!(select_from(&RuntimeChoice::Auto, &Places::default()).unwrap().describe().name, "rten");

    let Some(real) = testing::onnxruntime("a_library_that_does_not_load_is_an_error_and_never_a_fallback") else {
        return;
    };
    let first = select(&RuntimeChoice::Library(real.clone())).unwrap().describe();
    assert_eq!(first.name, "onnxruntime");
    assert!(first.version.starts_with("1."), "{first:?}");
    let again = Places { variable: Some(real.into()), ..Places::default() };
    assert_eq!(select_from(&RuntimeChoice::Auto, &again).unwrap().describe(), first);
    refused(select(&RuntimeChoice::Library(fake)), "already runs");
}

/// A real shared library that is not ONNX Runtime.
#[test]
#[cfg(target_os = "linux")]
fn another_library_is_refused() {
    let candidates = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6"];
    let Some(other) = candidates.iter().map(std::path::PathBuf::from).find(|path| path.exists()) else {
        eprintln!("SKIPPED another_library_is_refused: no libm in the usual places");
        return;
    };
    assert!(matches!(select(&RuntimeChoice::Library(other)), Err(RuntimeError::Library { .. })));
}
