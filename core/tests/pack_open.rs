//! Opening and verifying packs: the tiny one made by code, altered in every way, and the open one on both runtimes.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests fail as tests do")]

use std::{fs, path::Path};

use lifesign_core::{
    Error,
    pack::{Manifest, OPEN_MANIFEST, Pack, PackError, Role, verify},
    testing,
    verdict::Assurance,
};

fn tiny() -> (tempfile::TempDir, Pack) {
    let dir = tempfile::tempdir().unwrap();
    let pack = testing::tiny_pack(dir.path()).unwrap();
    (dir, pack)
}

fn manifest(dir: &Path) -> String {
    fs::read_to_string(dir.join("pack.toml")).unwrap()
}

#[test]
fn the_tiny_pack_verifies_on_both_runtimes() {
    let (_dir, pack) = tiny();
    assert_eq!(pack.reference().assurance, Assurance::Custom);
    assert_eq!(pack.reference().sha256.len(), 64);
    assert_eq!(pack.models(Role::Liveness).count(), 1);
    assert!(!pack.has(Role::Deepfake));
    for runtime in testing::runtimes("the_tiny_pack_verifies_on_both_runtimes").unwrap() {
        let report = verify(&pack, &*runtime).unwrap();
        assert_eq!(report.models.iter().map(|model| model.self_tests).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(report.runtime, runtime.describe());
    }
}

#[test]
fn the_open_pack_verifies_on_both_runtimes() {
    let Some(shared) = testing::shared("the_open_pack_verifies_on_both_runtimes") else { return };
    let dir = tempfile::tempdir().unwrap();
    testing::open_pack(&shared, dir.path()).unwrap();
    let pack = Pack::open(dir.path()).unwrap();
    assert_eq!(pack.manifest().models.len(), 8);
    for runtime in testing::runtimes("the_open_pack_verifies_on_both_runtimes").unwrap() {
        let report = verify(&pack, &*runtime).unwrap_or_else(|error| panic!("{:?}: {error}", runtime.describe()));
        for model in &report.models {
            eprintln!("{} {}: {:?}", report.runtime.name, model.name, model);
            assert!(model.self_tests > 0, "{} has no self-test", model.name);
        }
    }
}

#[test]
fn the_open_manifest_is_valid_and_hashes_are_those_of_the_golden_numbers() {
    let manifest = Manifest::parse(OPEN_MANIFEST, "open").unwrap();
    let Some(shared) = testing::shared("the_open_manifest_…_golden_numbers") else { return };
    let golden = fs::read_to_string(shared.join("models/golden/golden.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&golden).unwrap();
    for model in &manifest.models {
        assert_eq!(golden["models"][&model.file], model.sha256, "{}", model.file);
    }
}

#[test]
fn a_wrong_number_fails_the_self_test() {
    let (dir, _) = tiny();
    let text = manifest(dir.path()).replace("expect = [0.0, 1.0]", "expect = [0.0, 1.1]");
    fs::write(dir.path().join("pack.toml"), text).unwrap();
    let pack = Pack::open(dir.path()).unwrap();
    let runtime = &testing::runtimes("a_wrong_number_fails_the_self_test").unwrap()[0];
    match verify(&pack, &**runtime) {
        Err(Error::Pack(PackError::SelfTest { model, what, .. })) => {
            assert_eq!(model, "tiny-liveness");
            assert!(what.starts_with("value 1 of logits is "), "{what}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn altered_and_missing_files_are_refused() {
    let (dir, _) = tiny();
    let file = dir.path().join("liveness.onnx");
    let whole = fs::read(&file).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        match Pack::open(dir.path()) {
            Err(PackError::Altered { file, expected, actual, .. }) => {
                assert_eq!(file, "liveness.onnx");
                (expected, actual)
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&whole[1..]).1, format!("{} bytes", whole.len() - 1));
    assert_eq!(refused(&[&whole[..], b"x"].concat()).1, "more");
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    assert!(refused(&flipped).0.starts_with("sha256 "));
    fs::remove_file(&file).unwrap();
    assert!(matches!(Pack::open(dir.path()), Err(PackError::Unreadable { file, .. }) if file == "liveness.onnx"));
    fs::create_dir(&file).unwrap();
    assert!(matches!(Pack::open(dir.path()), Err(PackError::Unreadable { what, .. }) if what == "it is not a file"));
    fs::remove_dir(&file).unwrap();
    fs::write(&file, &whole).unwrap();
    assert!(Pack::open(dir.path()).is_ok());
    fs::write(dir.path().join("pack.toml"), vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(
        matches!(Pack::open(dir.path()), Err(PackError::Manifest { what, .. }) if what.contains("more than 1048576"))
    );
    fs::remove_file(dir.path().join("pack.toml")).unwrap();
    assert!(matches!(Pack::open(dir.path()), Err(PackError::Unreadable { file, .. }) if file == "pack.toml"));
}

#[test]
fn a_manifest_that_says_anything_wrong_is_refused() {
    let (dir, _) = tiny();
    let good = manifest(dir.path());
    for (from, to, part) in [
        ("id = \"tiny\"", "id = \"Tiny\"", "lower-case"),
        ("id = \"tiny\"", "id = \"../tiny\"", "lower-case"),
        ("id = \"tiny\"", "id = \"tiny\"\nextra = 1", "unknown field"),
        ("version = \"1.0.0\"", "version = \"1 0\"", "without spaces"),
        ("assurance = \"CUSTOM\"", "assurance = \"BEST\"", "unknown variant"),
        ("file = \"detector.onnx\"", "file = \"../detector.onnx\"", "plain name"),
        ("file = \"detector.onnx\"", "file = \"a/detector.onnx\"", "plain name"),
        ("file = \"detector.onnx\"", "file = \"pack.toml\"", "reserved"),
        ("name = \"tiny-detector\"", "name = \"tiny-liveness\"", "there twice"),
        ("role = \"detector\"", "role = \"liveness\"", "does not fit"),
        ("rule = \"letterbox\"", "rule = \"box\"", "unknown variant"),
        ("shape = [1, 3, 320, 320]", "shape = [1, 1, 320, 320]", "must be [1, 3"),
        ("shape = [1, 3, 32, 32]", "shape = [1, 3, 0, 32]", "must be [1, 3"),
        ("strides = [8, 16, 32]", "strides = [8, 16, 30]", "stride 30"),
        ("strides = [8, 16, 32]", "strides = [8, 8]", "repeat"),
        ("strides = [8, 16, 32]", "strides = [0]", "stride 0"),
        ("longest = [320]", "longest = [640]", "640 does not fit"),
        ("longest = [320]", "longest = []", "no lengths"),
        ("nms = 0.3", "nms = 1.3", "nms"),
        ("face_score = 0.7", "face_score = nan", "face_score"),
        ("face_score = 0.7", "face_score = 0.5", "below"),
        ("colour = \"rgb\", divide = 1.0", "colour = \"rgb\", divide = 0.0", "divide"),
        ("colour = \"rgb\", divide = 1.0", "colour = \"rgb\", divide = 1.0, std = [1.0, 0.0, 1.0]", "std"),
        ("scale = 1.0", "scale = -1.0", "scale"),
        (
            "crop = { rule = \"scaled_box\", scale = 1.0 }",
            "crop = { rule = \"arcface\", scale = 1.0 }",
            "unknown field",
        ),
        ("score = 0.5\nmeasured", "score = 1.5\nmeasured", "not in 0..=1"),
        ("measured = \"by construction\"", "measured = \"\"", "where it was measured"),
        ("check = \"PresentationAttack\"", "check = \"Liveness\"", "unknown variant"),
        ("model = \"tiny-liveness\"", "model = \"other\"", "no such model"),
        ("output = \"logits\"\nexpect", "output = \"other\"\nexpect", "no output"),
        ("expect = [0.0, 1.0]", "expect = []", "expect"),
        ("tolerance = 0.01", "tolerance = 0.0", "tolerance"),
        ("source = \"made by the tests\"", "source = \"http://example.org\"\nfetchable = true", "https://"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from} is not in the manifest");
        match Manifest::parse(&text, "test") {
            Err(PackError::Manifest { what, .. }) => assert!(what.contains(part), "{to}: {what}"),
            other => panic!("{to}: {other:?}"),
        }
    }
    let oblong = good
        .replacen("crop = { rule = \"scaled_box\", scale = 1.0 }", "crop = { rule = \"arcface\" }", 1)
        .replacen("shape = [1, 3, 32, 32]", "shape = [1, 3, 32, 48]", 1);
    match Manifest::parse(&oblong, "test") {
        Err(PackError::Manifest { what, .. }) => assert!(what.contains("square input, not 48x32"), "{what}"),
        other => panic!("{other:?}"),
    }
    let no_detector = good.replacen("role = \"detector\"", "role = \"mesh\"", 1);
    assert!(Manifest::parse(&no_detector, "test").is_err());
}

#[test]
fn a_pack_opens_from_embedded_files_and_without_them_there_is_none() {
    let (dir, pack) = tiny();
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    let (text, detector, liveness) = (read("pack.toml"), read("detector.onnx"), read("liveness.onnx"));
    let files: [(&str, &[u8]); 3] = [("detector.onnx", &detector), ("liveness.onnx", &liveness), ("pack.toml", &text)];
    assert_eq!(Pack::from_embedded(&files).unwrap().reference(), pack.reference());
    assert_eq!(Pack::from_embedded(&files[..2]).unwrap_err(), PackError::NoBuiltin);
    assert!(
        matches!(Pack::from_embedded(&files[1..]), Err(PackError::Unreadable { file, .. }) if file == "detector.onnx")
    );
}
