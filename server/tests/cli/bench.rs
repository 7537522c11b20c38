//! `lifesign bench`: the figures are there and agree with each other.

use serde_json::Value;

use crate::support::{User, stderr, stdout};

#[test]
fn stages_and_ratio_are_reported() {
    let user = User::new();
    let pack = user.pack();
    let output = user
        .lifesign(["bench", "--json", "--iterations", "3", "--warmup", "1", "--onnxruntime", "off", "--policy"])
        .args(["presentation-attack-only", "--pack"])
        .arg(&pack)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sizes: Vec<_> = lines.iter().map(|line| (line["width"].as_u64(), line["height"].as_u64())).collect();
    assert_eq!(sizes, [(Some(640), Some(480)), (Some(1920), Some(1080))]);
    for line in &lines {
        let median = |value: &Value| value["median"].as_f64().unwrap();
        let (whole, kernels) = (median(&line["whole_ms"]), median(&line["kernels_ms"]));
        let ratio = line["ratio"].as_f64().unwrap();
        assert!((ratio - whole / kernels).abs() < 1e-9, "{line}");
        let stages: Vec<&str> =
            line["stages"].as_array().unwrap().iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
        assert_eq!(stages.first(), Some(&"decode"));
        assert!(stages.iter().any(|stage| stage.ends_with(" x1")), "a model ran: {stages:?}");
    }
}

#[test]
fn what_is_no_jpeg_is_refused() {
    let user = User::new();
    let pack = user.pack();
    let image = user.file("text.jpg", "no picture");
    let output = user
        .lifesign(["bench", "--onnxruntime", "off", "--pack"])
        .arg(&pack)
        .arg("--image")
        .arg(image)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("text.jpg"), "{}", stderr(&output));
}
