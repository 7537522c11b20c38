//! The quality limits against real captures. `cargo test -p lifesign-core --test quality_media -- --nocapture` prints, for
//! each measure, how many captures of each kind pass, and the raw value of every failure.
#![expect(clippy::print_stdout, reason = "the table is what the command is named for")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use lifesign_core::{
    analysis::{Analyzer, FrameAnalysis, Outcome, Plan},
    frame::{Frame, FrameLimits},
    pack::Pack,
    quality::MEASURES,
    testing,
    verdict::CheckId,
};

/// The score at which a measure passes by default.
const LIMIT: f32 = 0.5;

struct Bench {
    shared: PathBuf,
    analyzer: Analyzer,
}

impl Bench {
    fn new(name: &str) -> Option<Self> {
        let shared = testing::shared(name)?;
        let dir = tempfile::tempdir().unwrap();
        testing::open_pack(&shared, dir.path()).unwrap();
        let pack = Pack::open(dir.path()).unwrap();
        let runtime = testing::runtimes(name).unwrap().pop().unwrap();
        Some(Self { shared, analyzer: Analyzer::load(&pack, &*runtime).unwrap() })
    }

    fn analyze(&mut self, file: &Path) -> FrameAnalysis {
        let bytes = std::fs::read(file).unwrap();
        let frame = Frame::decode(&bytes, None, &FrameLimits::default()).unwrap();
        let plan = Plan { checks: vec![CheckId::EyesOpen, CheckId::HeadPose], ..Plan::default() };
        self.analyzer.analyze(&frame, &plan).unwrap()
    }
}

/// What failed, with its raw value.
fn failures(analysis: &FrameAnalysis) -> BTreeMap<CheckId, f64> {
    let measurements = analysis.measurements.iter();
    measurements
        .filter_map(|measurement| match measurement.outcome {
            Outcome::Scored { score, raw } => (score < LIMIT).then_some((measurement.id, raw.value)),
            // A mesh that sees no face in its crop has not found open eyes.
            Outcome::NotRun(_) => Some((measurement.id, f64::NAN)),
            Outcome::Broken(_) => panic!("{} broke", measurement.id),
        })
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn captures_of_real_people_pass() {
    let Some(mut bench) = Bench::new("captures_of_real_people_pass") else { return };
    // The most captures of a kind that may fail a measure, and any measure at all.
    for (label, one, any) in
        [("live", 2, 3), ("portrait", 2, 3), ("genuine_media", 3, 5), ("replay", 27, 27), ("quality", 17, 17)]
    {
        let (mut failed, mut faulty, mut total) = (BTreeMap::<CheckId, usize>::new(), 0, 0);
        for file in files(&bench.shared.join("media").join(label)) {
            let found = failures(&bench.analyze(&file));
            total += 1;
            faulty += usize::from(!found.is_empty());
            for (id, value) in found {
                *failed.entry(id).or_default() += 1;
                println!("{label}/{}: {id} {value:.3}", file.file_name().unwrap().to_string_lossy());
            }
        }
        for measure in MEASURES.iter().filter(|measure| measure.id() != CheckId::FaceOcclusionPrevention) {
            let failed = failed.get(&measure.id()).copied().unwrap_or(0);
            println!("{label:14} {:24} {:3} of {total} pass", measure.id().name(), total - failed);
            assert!(failed <= one, "{label}: {} fails {failed} of {total}", measure.id());
        }
        println!("{label:14} {:24} {:3} of {total} pass", "all of them", total - faulty);
        assert!(faulty <= any, "{label}: {faulty} of {total} fail some measure");
    }
}

#[test]
fn faulty_captures_fail_the_right_measure() {
    let Some(mut bench) = Bench::new("faulty_captures_fail_the_right_measure") else { return };
    for (file, id) in [
        ("quality/inspire_left_face.jpeg", CheckId::HeadPose),
        ("quality/inspire_right_face.png", CheckId::HeadPose),
        ("quality/inspire_lower_face.jpeg", CheckId::HeadPose),
        ("quality/inspire_left_wryneck.png", CheckId::HeadPose),
        ("quality/inspire_right_wryneck.png", CheckId::HeadPose),
        ("multi_face/ag_two_people.png", CheckId::SingleFacePresent),
        ("multi_face/ag_obama_and_biden.jpg", CheckId::SingleFacePresent),
        ("no_face/inspire_view.jpg", CheckId::SingleFacePresent),
    ] {
        let path = bench.shared.join("media").join(file);
        let path = if path.is_file() { path } else { path.with_extension("jpg") };
        let found = failures(&bench.analyze(&path));
        assert!(found.contains_key(&id), "{file}: {found:?}");
    }
}

#[test]
fn the_sample_pictures_fail_as_they_were_made_to() {
    let Some(mut bench) = Bench::new("the_sample_pictures_fail_as_they_were_made_to") else { return };
    let samples = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples"));
    for (file, expected) in [
        ("astronaut.jpg", None),
        ("blurred.jpg", Some(CheckId::Sharpness)),
        ("dark.jpg", Some(CheckId::Luminance)),
        ("no_face.jpg", Some(CheckId::SingleFacePresent)),
        ("tiny.jpg", Some(CheckId::HeadSize)),
        ("two_faces.jpg", Some(CheckId::SingleFacePresent)),
    ] {
        let analysis = bench.analyze(&samples.join(file));
        let found = failures(&analysis);
        for measurement in &analysis.measurements {
            if let Outcome::Scored { score, raw } = measurement.outcome {
                println!("{file}: {} {:.3} {}, score {score:.2}", measurement.id, raw.value, raw.unit);
            }
        }
        match expected {
            Some(id) => assert!(found.contains_key(&id), "{file}: {found:?}"),
            None => assert!(found.is_empty(), "{file}: {found:?}"),
        }
    }
}
