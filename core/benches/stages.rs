//! Each stage of one frame's analysis, on the runtime at hand (ONNX Runtime where `ORT_DYLIB_PATH` or Python has one, else
//! rten): `cargo bench -p lifesign-core --bench stages`. Needs the shared models.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run stops")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lifesign_core::{
    analysis::{Analyzer, MotionPrint, Plan},
    deepfake::Deepfake,
    face::{Crop, Detector, Mesher},
    frame::{Frame, FrameLimits},
    liveness::Liveness,
    matching::Embedder,
    pack::{Pack, Role},
    quality::FaceRegion,
    testing,
    verdict::CheckId,
};

fn stages(criterion: &mut Criterion) {
    let Some(shared) = testing::shared("stages") else { return };
    let dir = tempfile::tempdir().unwrap();
    testing::open_pack(&shared, dir.path()).unwrap();
    let pack = Pack::open(dir.path()).unwrap();
    let runtime = testing::runtimes("stages").unwrap().pop().unwrap();
    // 640x480 and 1440x1080: a webcam's picture and one that must be scaled down.
    for (size, file) in [("640x480", "live/gaurav_03.jpg"), ("1440x1080", "live/vietmoney_true_001.jpg")] {
        let bytes = std::fs::read(shared.join("media").join(file)).unwrap();
        let limits = FrameLimits::default();
        let frame = Frame::decode(&bytes, None, &limits).unwrap();
        let mut group = criterion.benchmark_group(size);
        group.bench_function("decode", |b| b.iter(|| Frame::decode(black_box(&bytes), None, &limits).unwrap()));

        let mut detector = Detector::load(&pack, &*runtime).unwrap();
        group.bench_function("letterbox", |b| b.iter(|| detector.prepare(black_box(&frame)).len()));
        group.bench_function("detect", |b| b.iter(|| detector.detect(black_box(&frame)).unwrap()));
        let face = detector.detect(&frame).unwrap().faces.swap_remove(0);

        for role in [Role::Liveness, Role::Deepfake, Role::Embedding, Role::Mesh] {
            for (spec, _) in pack.models(role) {
                let mut crop = Crop::new(&spec.input).unwrap();
                let name = format!("crop {}", spec.name);
                group.bench_function(&name, |b| b.iter(|| crop.cut(black_box(&frame), &face).len()));
            }
        }
        group.bench_function("face region", |b| b.iter(|| FaceRegion::of(black_box(&frame), &face).unwrap()));
        group.bench_function("motion print", |b| b.iter(|| MotionPrint::of(black_box(&frame), &face).unwrap()));

        let mut liveness = Liveness::load(&pack, &*runtime).unwrap().unwrap();
        group.bench_function("liveness", |b| b.iter(|| liveness.judge(black_box(&frame), &face).unwrap()));
        let mut deepfake = Deepfake::load(&pack, &*runtime).unwrap().unwrap();
        group.bench_function("deepfake", |b| b.iter(|| deepfake.judge(black_box(&frame), &face).unwrap()));
        let mut embedder = Embedder::load(&pack, &*runtime).unwrap().unwrap();
        group.bench_function("embedding", |b| b.iter(|| embedder.embed(black_box(&frame), &face).unwrap()));
        let mut mesher = Mesher::load(&pack, &*runtime).unwrap().unwrap();
        group.bench_function("mesh", |b| b.iter(|| mesher.fit(black_box(&frame), &face).unwrap()));

        let mut analyzer = Analyzer::load(&pack, &*runtime).unwrap();
        let cheap = Plan::default();
        group.bench_function("analysis, quality only", |b| b.iter(|| analyzer.analyze(&frame, &cheap).unwrap()));
        let checks = vec![CheckId::HeadPose, CheckId::EyesOpen, CheckId::PresentationAttack];
        let plan = Plan { checks, ..Plan::default() };
        group.bench_function("analysis, with liveness", |b| b.iter(|| analyzer.analyze(&frame, &plan).unwrap()));
        group.finish();
    }
}

criterion_group!(benches, stages);
criterion_main!(benches);
