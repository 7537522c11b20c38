//! Tests that walk the table of measures.

use super::{region::tests::painted, *};
use crate::{
    face::{Point, Rect},
    verdict::CheckKind,
};

fn face(x: f32, side: f32) -> Face {
    let at = |dx: f32, dy: f32| Point { x: x + dx * side, y: 100.0 + dy * side };
    Face {
        bbox: Rect { x, y: 100.0, width: side, height: side },
        score: 0.9,
        landmarks: [at(0.3, 0.4), at(0.7, 0.4), at(0.5, 0.6), at(0.35, 0.8), at(0.65, 0.8)],
    }
}

fn good<'a>(faces: &'a [Face], region: &'a FaceRegion) -> QualityInput<'a> {
    QualityInput {
        width: 640,
        height: 480,
        faces,
        region: Some(region),
        pose: Evidence::Known(HeadPose::default()),
        eye_aspect: Evidence::Known(0.3),
        uncovered: Evidence::Known(0.99),
    }
}

fn textured() -> FaceRegion {
    painted(|x, y| 90.0 + 3.0 * x as f32 + if (x + y) % 2 == 0 { 25.0 } else { 0.0 })
}

fn outcome(id: CheckId, input: &QualityInput<'_>) -> Outcome {
    MEASURES.iter().find(|measure| measure.id() == id).unwrap().measure(input)
}

fn score_of(id: CheckId, input: &QualityInput<'_>) -> f32 {
    match outcome(id, input) {
        Outcome::Scored { score, .. } => score,
        other => panic!("{id}: {other:?}"),
    }
}

fn hint_of(id: CheckId, input: &QualityInput<'_>) -> Option<Hint> {
    let outcome = outcome(id, input);
    hint(&Measurement { id, outcome, models: Vec::new(), duration: std::time::Duration::ZERO })
}

#[test]
fn every_quality_check_has_exactly_one_measure() {
    let quality = CheckId::ALL.iter().filter(|id| id.kind() == CheckKind::Quality);
    for id in quality {
        assert_eq!(MEASURES.iter().filter(|measure| measure.id() == *id).count(), 1, "{id}");
    }
    assert!(MEASURES.iter().all(|measure| measure.id().kind() == CheckKind::Quality));
}

#[test]
fn a_good_capture_passes_every_measure() {
    let (faces, region) = ([face(200.0, 240.0)], textured());
    // FaceArea is no fault of a capture: its score is the share itself, and whoever asks for it says how much.
    for measure in MEASURES.iter().filter(|measure| !measure.on_request()) {
        let score = score_of(measure.id(), &good(&faces, &region));
        assert!((0.5..=1.0).contains(&score), "{}: {score}", measure.id());
    }
}

#[test]
fn without_a_face_only_the_count_of_faces_scores() {
    let region = textured();
    let input = QualityInput {
        region: None,
        pose: Evidence::Absent(Detail::NoFace),
        eye_aspect: Evidence::Absent(Detail::NoFace),
        uncovered: Evidence::Absent(Detail::NoFace),
        ..good(&[], &region)
    };
    for measure in MEASURES {
        let expected = match measure.id() {
            CheckId::SingleFacePresent => Outcome::Scored { score: 0.0, raw: RawMeasure { value: 0.0, unit: "count" } },
            _ => Outcome::NotRun(Detail::NoFace),
        };
        assert_eq!(measure.measure(&input), expected, "{}", measure.id());
    }
    assert_eq!(hint_of(CheckId::SingleFacePresent, &input), Some(Hint::NoFace));
}

#[test]
fn what_is_no_number_never_scores() {
    let mut broken = face(200.0, 240.0);
    broken.bbox.width = f32::NAN;
    broken.landmarks[0].x = f32::NAN;
    let (faces, region) = ([broken, face(10.0, 50.0)], painted(|_, _| f32::NAN));
    let nan = HeadPose { yaw: f32::NAN, pitch: 0.0, roll: f32::NAN };
    let input = QualityInput {
        pose: Evidence::Known(nan),
        eye_aspect: Evidence::Known(f32::NAN),
        uncovered: Evidence::Known(f32::NAN),
        ..good(&faces, &region)
    };
    for measure in MEASURES {
        if let Outcome::Scored { score, raw } = measure.measure(&input) {
            assert!((0.0..=1.0).contains(&score) && raw.value.is_finite(), "{}", measure.id());
        }
    }
    for id in [CheckId::HeadPose, CheckId::EyesOpen, CheckId::FaceOcclusionPrevention, CheckId::SingleFacePresent] {
        assert_eq!(outcome(id, &input), Outcome::Broken(Detail::ModelFault), "{id}");
    }
}

#[test]
fn absent_and_broken_models_are_handed_on() {
    let (faces, region) = ([face(200.0, 240.0)], textured());
    let input = QualityInput {
        eye_aspect: Evidence::Absent(Detail::NoModel),
        uncovered: Evidence::Broken(Detail::ModelFault),
        ..good(&faces, &region)
    };
    assert_eq!(outcome(CheckId::EyesOpen, &input), Outcome::NotRun(Detail::NoModel));
    assert_eq!(outcome(CheckId::FaceOcclusionPrevention, &input), Outcome::Broken(Detail::ModelFault));
}

#[test]
fn each_fault_fails_its_measure_with_its_hint() {
    let region = textured();
    let cases: [(CheckId, Hint, Vec<Face>, FaceRegion); 9] = [
        (CheckId::SingleFacePresent, Hint::MultipleFaces, vec![face(0.0, 200.0), face(300.0, 180.0)], region.clone()),
        (CheckId::HeadSize, Hint::MoveCloser, vec![face(200.0, 40.0)], region.clone()),
        (CheckId::HeadSize, Hint::MoveBack, vec![face(-50.0, 700.0)], region.clone()),
        (CheckId::InterEyeDistance, Hint::MoveCloser, vec![face(200.0, 60.0)], region.clone()),
        (CheckId::CropOfTheFaceImage, Hint::CenterFace, vec![face(-100.0, 240.0)], region.clone()),
        (CheckId::Sharpness, Hint::Blurry, vec![face(200.0, 240.0)], painted(|x, y| (3 * x + y) as f32 + 90.0)),
        (CheckId::Luminance, Hint::TooDark, vec![face(200.0, 240.0)], painted(|x, _| x as f32 / 2.0)),
        (CheckId::Luminance, Hint::TooBright, vec![face(200.0, 240.0)], painted(|x, _| 245.0 + x as f32 / 4.0)),
        (CheckId::DynamicRange, Hint::LowContrast, vec![face(200.0, 240.0)], painted(|x, _| 120.0 + (x / 8) as f32)),
    ];
    for (id, expected, faces, region) in cases {
        let input = good(&faces, &region);
        assert!(score_of(id, &input) < 0.5, "{id}: {:?}", outcome(id, &input));
        assert_eq!(hint_of(id, &input), Some(expected), "{id}");
    }
    let faces = [face(200.0, 240.0)];
    let black = painted(|_, _| 10.0);
    assert!(score_of(CheckId::UnderExposurePrevention, &good(&faces, &black)) < 0.5);
    let burnt = painted(|x, _| if x < 12 { 255.0 } else { 150.0 });
    assert!(score_of(CheckId::OverExposurePrevention, &good(&faces, &burnt)) < 0.5);
    for pose in [
        HeadPose { yaw: -50.0, ..HeadPose::default() },
        HeadPose { pitch: 45.0, ..HeadPose::default() },
        HeadPose { roll: 60.0, ..HeadPose::default() },
    ] {
        let input = QualityInput { pose: Evidence::Known(pose), ..good(&faces, &region) };
        assert!(score_of(CheckId::HeadPose, &input) < 0.5);
        assert_eq!(hint_of(CheckId::HeadPose, &input), Some(Hint::LookStraight));
    }
    let shut = QualityInput { eye_aspect: Evidence::Known(0.03), ..good(&faces, &region) };
    assert!(score_of(CheckId::EyesOpen, &shut) < 0.5);
}

#[test]
fn the_share_of_the_frame_is_of_the_shorter_sides_square_and_of_what_lies_inside() {
    let region = textured();
    let share = |face: Face| score_of(CheckId::FaceArea, &good(&[face], &region));
    assert_eq!(share(face(200.0, 240.0)), 0.25);
    assert_eq!(share(face(-120.0, 240.0)), 0.125);
    assert_eq!(share(face(-400.0, 240.0)), 0.0);
    assert_eq!(hint_of(CheckId::FaceArea, &good(&[face(200.0, 240.0)], &region)), Some(Hint::MoveCloser));

    // What 3/5 asks for is well inside HeadSize's range, in either orientation, and within reach of a face three quarters
    // as wide as high.
    for (width, height) in [(1280, 720), (720, 1280), (800, 600)] {
        let mut close = face(0.0, 0.9 * 600_f32.max(width.min(height) as f32));
        (close.bbox.y, close.bbox.width) = (0.0, 0.75 * close.bbox.height);
        let faces = [close];
        let input = QualityInput { width, height, ..good(&faces, &region) };
        assert!(score_of(CheckId::FaceArea, &input) >= 0.6, "{width}x{height}");
        assert_eq!(score_of(CheckId::HeadSize, &input), 1.0, "{width}x{height}");
        assert_eq!(score_of(CheckId::CropOfTheFaceImage, &input), 1.0, "{width}x{height}");
    }
}

#[test]
fn a_small_face_in_the_background_is_no_second_person() {
    let region = textured();
    let faces = [face(200.0, 240.0), face(10.0, 60.0)];
    assert!(score_of(CheckId::SingleFacePresent, &good(&faces, &region)) >= 0.5);
}
