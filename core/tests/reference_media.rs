//! Reference images on real portraits: which pairs match, which pictures can serve as a reference, and which count as the
//! same picture. `cargo test -p lifesign-core --test reference_media -- --nocapture` prints the figures that the limits rest
//! on.
#![expect(clippy::print_stdout, reason = "the figures are what the command is named for")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use image::{DynamicImage, RgbImage, codecs::jpeg::JpegEncoder, imageops::FilterType};
use lifesign_core::{
    analysis::{Analyzer, FrameAnalysis, MotionPrint},
    frame::{Frame, FrameLimits},
    matching::{Reference, cosine},
    pack::Pack,
    runtime::Runtime,
    testing,
    verdict::Detail,
};

struct Bench {
    analyzer: Analyzer,
}

impl Bench {
    fn new(shared: &Path, runtime: &dyn Runtime) -> Self {
        let dir = tempfile::tempdir().unwrap();
        testing::open_pack(shared, dir.path()).unwrap();
        Self { analyzer: Analyzer::load(&Pack::open(dir.path()).unwrap(), runtime).unwrap() }
    }

    fn analyze(&mut self, frame: &Frame) -> FrameAnalysis {
        self.analyzer.analyze(frame, &Reference::plan()).unwrap()
    }
}

fn decode(path: &Path) -> Frame {
    Frame::decode(&std::fs::read(path).unwrap(), None, &FrameLimits::default()).unwrap()
}

fn files(shared: &Path, label: &str) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(shared.join("media").join(label)).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// File name and subject of each portrait whose subject the manifest knows.
fn subjects(shared: &Path) -> Vec<(String, String)> {
    let manifest = std::fs::read_to_string(shared.join("media/manifest.csv")).unwrap();
    let row = |line: &str| {
        let (file, subject) = (line.split(',').next()?, line.rsplit(',').next()?);
        (!subject.is_empty()).then(|| Some((file.strip_prefix("portrait/")?.to_owned(), subject.to_owned())))?
    };
    manifest.lines().skip(1).filter_map(row).collect()
}

/// The pack's card: at a cosine of 0.40, 0 of 1,766 pairs of different people match, and 6 % of pairs of the same person
/// do not. Of those pictures the manifest names the people of sixteen: 17 pairs of the same and 103 of different people.
/// The others show none of these people.
#[test]
fn portraits_match_as_the_packs_card_says_on_every_runtime() {
    const NAME: &str = "portraits_match_as_the_packs_card_says_on_every_runtime";
    let Some(shared) = testing::shared(NAME) else { return };
    let subjects: BTreeMap<_, _> = subjects(&shared).into_iter().collect();
    let runtimes = testing::runtimes(NAME).unwrap();
    let mut first: Option<Vec<Vec<f32>>> = None;
    for runtime in runtimes {
        let mut bench = Bench::new(&shared, &*runtime);
        let faces: Vec<_> = files(&shared, "portrait")
            .iter()
            .map(|path| (subjects.get(&name(path)), name(path), bench.analyze(&decode(path)).embedding.unwrap()))
            .collect();
        let (mut same, mut different) = (Vec::new(), Vec::new());
        for (place, (subject, file, face)) in faces.iter().enumerate() {
            for (other, other_file, other_face) in faces.iter().skip(place + 1) {
                let cosine = cosine(face, other_face).unwrap();
                match (subject, other) {
                    (None, None) => {}
                    (subject, other) if subject == other => same.push((cosine, file, other_file)),
                    _ => different.push((cosine, file, other_file)),
                }
            }
        }
        same.sort_by(|a, b| a.0.total_cmp(&b.0));
        different.sort_by(|a, b| b.0.total_cmp(&a.0));
        let missed = same.iter().filter(|pair| pair.0 < 0.40).count();
        let matched = different.iter().filter(|pair| pair.0 >= 0.40).count();
        println!(
            "{}: {missed} of {} genuine pairs do not match, {matched} of {} others do",
            runtime.describe().name,
            same.len(),
            different.len()
        );
        println!("  least genuine {:?}", &same[..3]);
        println!("  greatest other {:?}", &different[..3]);
        let vectors: Vec<_> = faces.into_iter().map(|(_, _, face)| face).collect();
        if let Some(first) = &first {
            assert!(first.iter().zip(&vectors).all(|(a, b)| cosine(a, b).unwrap() > 0.9995));
        }
        first.get_or_insert(vectors);
    }
}

#[test]
fn portraits_serve_as_references() {
    const NAME: &str = "portraits_serve_as_references";
    let Some(shared) = testing::shared(NAME) else { return };
    let mut bench = Bench::new(&shared, &*testing::runtimes(NAME).unwrap().pop().unwrap());
    for label in ["portrait", "live", "multi_face", "no_face", "quality", "genuine_media", "print"] {
        let mut counts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in files(&shared, label) {
            let analysis = bench.analyze(&decode(&path));
            let found = Reference::of(&analysis).embedding;
            let what = found.map_or_else(|detail: Detail| detail.code().to_owned(), |_| "fit".to_owned());
            let areas: Vec<f32> = analysis
                .faces
                .iter()
                .map(|f| {
                    (f.bbox.width * f.bbox.height / analysis.faces[0].bbox.width / analysis.faces[0].bbox.height).sqrt()
                })
                .collect();
            counts.entry(what).or_default().push(format!(
                "{} {:.2?}",
                name(&path),
                &areas[areas.len().min(1)..areas.len().min(2)]
            ));
        }
        for (what, files) in counts {
            println!(
                "{label:14} {what:26} {:3} {:?}",
                files.len(),
                if what == "fit" { &files[..0] } else { &files[..] }
            );
        }
    }
}

/// What one may do to a picture and still have the same one.
fn alterations(frame: &Frame, face: &FrameAnalysis) -> Vec<(&'static str, Frame)> {
    let rgb = RgbImage::from_raw(frame.width(), frame.height(), frame.rgb().to_vec()).unwrap();
    let whole = DynamicImage::ImageRgb8(rgb);
    let bbox = face.faces[0].bbox;
    let around = |margin: f32| {
        let left = (bbox.x - margin * bbox.width).max(0.0) as u32;
        let top = (bbox.y - margin * bbox.height).max(0.0) as u32;
        let right = (bbox.x + (1.0 + margin) * bbox.width).min(frame.width() as f32) as u32;
        let bottom = (bbox.y + (1.0 + margin) * bbox.height).min(frame.height() as f32) as u32;
        whole.crop_imm(left, top, right - left, bottom - top)
    };
    let scaled = |picture: &DynamicImage, by: f32| {
        let side = |length: u32| ((length as f32 * by) as u32).max(1);
        picture.resize_exact(side(picture.width()), side(picture.height()), FilterType::Triangle)
    };
    let jpeg = |picture: &DynamicImage, quality: u8| {
        let mut bytes = Vec::new();
        picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).unwrap();
        Frame::decode(&bytes, None, &FrameLimits::default()).unwrap()
    };
    vec![
        ("JPEG at 90", jpeg(&whole, 90)),
        ("JPEG at 60", jpeg(&whole, 60)),
        ("JPEG at 30", jpeg(&whole, 30)),
        ("half the size", jpeg(&scaled(&whole, 0.5), 90)),
        ("twice the size", jpeg(&scaled(&whole, 2.0), 90)),
        ("cropped to 0.6 around the face", jpeg(&around(0.6), 90)),
        ("cropped to 0.3 around the face", jpeg(&around(0.3), 90)),
        ("cropped, half the size, JPEG at 60", jpeg(&scaled(&around(0.5), 0.5), 60)),
        ("mirrored", jpeg(&whole.fliph(), 90)),
        ("mirrored, cropped, JPEG at 60", jpeg(&around(0.5).fliph(), 60)),
        ("brighter", jpeg(&whole.brighten(25), 90)),
        ("more contrast", jpeg(&whole.adjust_contrast(20.0), 90)),
        (
            "stretched by 5 %",
            jpeg(&whole.resize_exact(frame.width() * 21 / 20, frame.height(), FilterType::Triangle), 90),
        ),
    ]
}

/// The lesser residual of the two and of the mirrored one, as the session takes it.
fn residual(a: &MotionPrint, b: &MotionPrint) -> f64 {
    let both = |a: &MotionPrint| a.residual(b).unwrap().max(b.residual(a).unwrap());
    both(a).min(both(&a.mirrored()))
}

fn quantiles(what: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |part: f64| values[((values.len() - 1) as f64 * part).round() as usize];
    println!(
        "{what:36} {:5}  {:.3} {:.3} {:.3} {:.3} {:.3} {:.3} {:.3}",
        values.len(),
        at(0.0),
        at(0.02),
        at(0.1),
        at(0.5),
        at(0.9),
        at(0.98),
        at(1.0)
    );
}

#[test]
fn the_same_picture_is_told_from_another_of_the_person() {
    const NAME: &str = "the_same_picture_is_told_from_another_of_the_person";
    let Some(shared) = testing::shared(NAME) else { return };
    let mut bench = Bench::new(&shared, &*testing::runtimes(NAME).unwrap().pop().unwrap());
    let mut altered: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut prints = Vec::new();
    for label in ["portrait", "live"] {
        for path in files(&shared, label) {
            let frame = decode(&path);
            let analysis = bench.analyze(&frame);
            let Some(print) = analysis.motion.clone() else { continue };
            for (what, frame) in alterations(&frame, &analysis) {
                if let Some(other) = bench.analyze(&frame).motion {
                    let r = residual(&print, &other);
                    if r > 0.05 {
                        println!("{} {what} {r:.3}", name(&path));
                    }
                    altered.entry(what).or_default().push(r);
                }
            }
            prints.push((name(&path), print));
        }
    }
    println!("{:36} {:>5}  quantiles: 0, 2, 10, 50, 90, 98, 100 %", "", "n");
    for (what, values) in altered {
        quantiles(what, values);
    }
    let subjects: BTreeMap<_, _> = subjects(&shared).into_iter().collect();
    let (mut same, mut others, mut close) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (file, print)) in prints.iter().enumerate() {
        for (other, other_print) in prints.iter().skip(place + 1) {
            let apart = residual(print, other_print);
            close.push((apart, file, other));
            if subjects.contains_key(file) && subjects.get(file) == subjects.get(other) {
                same.push(apart)
            } else {
                others.push(apart)
            }
        }
    }
    quantiles("another picture of the person", same);
    quantiles("any other picture", others);
    close.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (a, f, o) in &close[..25] {
        println!("{a:.3} {f} {o}");
    }
}
