//! The labelled images through `lifesign check --json`, against the reference pipeline on the same files.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use lifesign_e2e::{media, tools};
use serde_json::Value;

/// The least distance from 0.5 at which two JPEG decoders must agree on the side. The reference decodes with another
/// library; a one-level pixel difference was seen to move a borderline score by 0.03.
const BORDERLINE: f64 = 0.03;

/// The detector's confidence below which this engine sees no face where the reference, at 0.6, still does.
const FACE_SCORE: f64 = 0.7;

fn lines(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

#[test]
fn decisions_equal_the_reference_at_one_half() {
    let test = "media_table::decisions_equal_the_reference_at_one_half";
    let Some(shared) = media::shared(test) else { return };
    let Some(onnxruntime) = tools::onnxruntime(test) else { return };
    if !tools::has(test, "python3", &["-c", "import cv2, onnxruntime, numpy"]) {
        return;
    }
    let pack = media::open_pack(&shared);
    let labels = ["live", "replay", "print", "mask"];
    let files: Vec<PathBuf> = labels.iter().flat_map(|label| media::files(&shared.join("media").join(label))).collect();

    let ours = Command::new(tools::lifesign())
        .args(["check", "--json", "--policy", "presentation-attack-only", "--pack"])
        .arg(pack.path())
        .arg("--onnxruntime")
        .arg(&onnxruntime)
        .args(&files)
        .output()
        .expect("lifesign runs");
    assert_eq!(ours.status.code(), Some(1), "some are attacks: {}", String::from_utf8_lossy(&ours.stderr));
    let ours = lines(&ours);
    assert_eq!(ours.len(), files.len());

    let reference = Command::new("python3")
        .arg(media::repository().join("tests/clients/reference_scores.py"))
        .arg(shared.join("models"))
        .args(&files)
        .output()
        .expect("python3 runs");
    assert!(reference.status.success(), "{}", String::from_utf8_lossy(&reference.stderr));
    let reference = lines(&reference);
    assert_eq!(reference.len(), files.len());

    let mut table: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut worst = 0.0_f64;
    for ((path, ours), reference) in files.iter().zip(&ours).zip(&reference) {
        let label = labels.iter().find(|label| path.parent().is_some_and(|p| p.ends_with(label))).expect("a label");
        let verdict = &ours["verdict"];
        let attack = verdict["checks"]
            .as_array()
            .and_then(|checks| checks.iter().find(|check| check["id"] == "PresentationAttack"));
        let score = attack.and_then(|check| check["score"].as_f64());
        let passed = attack.is_some_and(|check| check["state"] == "CHECK_STATE_PASSED");
        let counts = table.entry(label).or_default();
        counts.0 += u32::from(passed);
        counts.1 += 1;
        assert_eq!(verdict["decision"] == "DECISION_ACCEPT", passed, "{}: {verdict}", path.display());
        match (reference["live"].as_f64(), score) {
            (Some(expected), Some(score)) => {
                worst = worst.max((expected - score).abs());
                if (expected - 0.5).abs() > BORDERLINE {
                    assert_eq!(expected >= 0.5, passed, "{}: {score}, reference {expected}", path.display());
                }
            }
            (None, None) => {}
            (Some(_), None) => {
                let confidence = reference["detector"].as_f64().expect("a confidence");
                assert!(confidence < FACE_SCORE, "{}: no score, reference {reference}", path.display());
            }
            (None, Some(_)) => panic!("{}: a score where the reference sees no face", path.display()),
        }
    }
    println!("largest difference of a score from the reference: {worst:.4}");
    for (label, (accepted, all)) in &table {
        println!("{label}: {accepted} of {all} accepted");
    }
}
