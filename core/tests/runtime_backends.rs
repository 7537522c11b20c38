//! Both runtimes on models made by code: the same numbers, and the same refusals.
#![expect(clippy::panic, clippy::print_stderr, reason = "helpers of tests fail as tests do")]

use lifesign_core::{
    runtime::{Model, RuntimeChoice, RuntimeError, select},
    testing::{
        onnx::{Attribute, Graph},
        runtimes,
    },
};

/// Means of the three channels, then a 3x2 matrix and a bias; beside it the index of the largest, which is no float.
fn means() -> Vec<u8> {
    Graph::new()
        .input("in", &[1, 3, 4, 4])
        .floats("weights", &[3, 2], &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
        .floats("bias", &[2], &[0.0, 10.0])
        .node("GlobalAveragePool", &["in"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[Attribute::Int("axis", 1)])
        .node("Gemm", &["flat", "weights", "bias"], "out", &[])
        .node("ArgMax", &["flat"], "largest", &[Attribute::Int("axis", 1)])
        .output("out", &[1, 2])
        .output_int64("largest", &[1, 1])
        .encode()
}

fn what(result: Result<Vec<lifesign_core::runtime::Tensor>, RuntimeError>) -> String {
    match result {
        Err(RuntimeError::Run { model, what }) => {
            assert_eq!(model, "means");
            what
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn both_runtimes_run_a_model_and_refuse_what_does_not_fit() {
    let data: Vec<f32> = (0..48).map(|i| i as f32).collect();
    for runtime in runtimes("both_runtimes_run_a_model_and_refuse_what_does_not_fit").unwrap() {
        eprintln!("on {:?}", runtime.describe());
        let mut model = runtime.load("means", &means()).unwrap();
        let shape = [1, 3, 4, 4];
        let outputs = model.run("in", &shape, &data, &["out"]).unwrap();
        assert_eq!(outputs.len(), 1);
        assert_eq!(outputs[0].shape, [1, 2]);
        assert_eq!(outputs[0].data, [7.5, 33.5]);

        assert!(what(model.run("in", &shape, &data[1..], &["out"])).contains("47 values"));
        assert!(what(model.run("in", &[usize::MAX, 3, 4, 4], &data, &["out"])).contains("48 values"));
        assert!(what(model.run("in", &[0, 3, 4, 4], &[], &["out"])).contains("0 values"));
        what(model.run("in", &[1, 3, 2, 8], &data, &["out"]));
        what(model.run("in", &[3, 4, 4], &data, &["out"]));
        assert!(what(model.run("other", &shape, &data, &["out"])).contains("no input \"other\""));
        assert!(what(model.run("", &shape, &data, &["out"])).contains("no input"));
        assert!(what(model.run("in", &shape, &data, &["out", "absent"])).contains("no output \"absent\""));
        assert!(what(model.run("in", &shape, &data, &[""])).contains("no output"));
        assert!(what(model.run("in", &shape, &data, &["pooled"])).contains("no output"), "inner values are no outputs");
        let refusal = what(model.run("in", &shape, &data, &["largest"]));
        assert!(refusal.contains("not float"), "{refusal}");
        assert_eq!(
            model.run("in", &shape, &data, &["out"]).unwrap()[0].data,
            [7.5, 33.5],
            "still works after refusals"
        );
    }
}

#[test]
fn both_runtimes_refuse_bytes_that_are_no_model() {
    let whole = means();
    // An integer of more than ten bytes, and a graph longer than the file: rten 0.27 loops on the one and aborts on the other.
    let overlong: Vec<u8> = [vec![0x08], vec![0x80; 12], vec![0x00]].concat();
    let endless: Vec<u8> = [&[0x08, 0x08, 0x12][..], &[0xff; 8], &[0x7f]].concat();
    for runtime in runtimes("both_runtimes_refuse_bytes_that_are_no_model").unwrap() {
        let load = |bytes: &[u8]| runtime.load("broken", bytes).map(|_| ());
        assert!(load(&whole).is_ok());
        for bytes in [&b""[..], b"not a model", &[0xff; 64], &overlong, &endless, &whole[..whole.len() / 2]] {
            match load(bytes) {
                Err(RuntimeError::Load { model, .. }) => assert_eq!(model, "broken"),
                other => panic!("{} bytes on {:?}: {other:?}", bytes.len(), runtime.describe()),
            }
        }
    }
}

#[test]
fn both_runtimes_refuse_a_model_whose_weights_are_in_another_file() {
    // The file is there and fits, so that nothing but the refusal keeps it from being read.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.bin");
    std::fs::write(&file, 1.5_f32.to_le_bytes()).unwrap();
    let graph = Graph::new().input("in", &[1]).node("Add", &["in", "weights"], "out", &[]).output("out", &[1]);
    let inside = graph.clone().floats("weights", &[1], &[1.5]).encode();
    let outside = graph.external_floats("weights", &[1], file.to_str().unwrap()).encode();
    for runtime in runtimes("both_runtimes_refuse_a_model_whose_weights_are_in_another_file").unwrap() {
        let load = |bytes: &[u8]| runtime.load("split", bytes).map(|_| ());
        assert_eq!(load(&inside), Ok(()));
        match load(&outside) {
            Err(error @ RuntimeError::Load { .. }) => assert_eq!(
                error.to_string(),
                "model split: cannot be loaded: tensor \"weights\" keeps its data outside of the file, where the pack's \
                 hash does not reach"
            ),
            other => panic!("on {:?}: {other:?}", runtime.describe()),
        }
    }
}

#[test]
fn a_model_stays_on_its_thread() {
    static_assertions::assert_not_impl_any!(Box<dyn Model>: Send, Sync);
    static_assertions::assert_impl_all!(lifesign_core::runtime::SharedRuntime: Send, Sync);
}

#[test]
fn off_is_rten_with_the_version_in_the_lock_file() {
    let found = select(&RuntimeChoice::Off).unwrap().describe();
    assert_eq!(found.name, "rten");
    let lock = include_str!("../../Cargo.lock");
    assert!(lock.contains(&format!("name = \"rten\"\nversion = \"{}\"", found.version)), "{found:?}");
}
