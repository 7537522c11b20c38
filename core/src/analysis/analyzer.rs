//! The order of things on one frame: detector, cheap measures, mesh, and behind the gates the costly models.

use std::time::Instant;

use super::{FrameAnalysis, Measurement, MotionPrint, Outcome, Plan};
use crate::{
    Error,
    deepfake::Deepfake,
    face::{Detector, Face, HeadPose, Mesh, Mesher, Panel, pose},
    frame::Frame,
    liveness::Liveness,
    matching::Embedder,
    pack::{Pack, Role},
    quality::{Evidence, FaceRegion, MEASURES, QualityInput, QualityMeasure},
    runtime::{Runtime, RuntimeError},
    verdict::{CheckId, Detail, ModelRef, RawMeasure},
};

/// The least face flag at which the mesh's word counts: below, the model itself says that there is no face in its crop.
const MESH_FACE: f32 = 0.5;

/// A worker's own models. Neither `Send` nor `Sync`: make one on each worker thread.
#[derive(Debug)]
pub struct Analyzer {
    detector: Detector,
    detector_ref: Vec<ModelRef>,
    mesh: Option<Mesher>,
    occlusion: Option<Panel>,
    liveness: Option<Liveness>,
    deepfake: Option<Deepfake>,
    embedder: Option<Embedder>,
}

impl Analyzer {
    /// Loads every model of the pack.
    ///
    /// # Errors
    /// [`Error::Runtime`] where a model does not load; [`Error::Pack`] where a rule does not fit its role, or there is no
    /// detector.
    pub fn load(pack: &Pack, runtime: &dyn Runtime) -> Result<Self, Error> {
        let detector = Detector::load(pack, runtime)?;
        Ok(Self {
            detector_ref: vec![detector.reference()],
            detector,
            mesh: Mesher::load(pack, runtime)?,
            occlusion: Panel::load(pack, Role::Occlusion, runtime)?,
            liveness: Liveness::load(pack, runtime)?,
            deepfake: Deepfake::load(pack, runtime)?,
            embedder: Embedder::load(pack, runtime)?,
        })
    }

    /// Analyses one frame. Quality failures and absent models are outcomes, not errors.
    ///
    /// Measures that need no model of their own always run. The mesh runs where EyesOpen or HeadPose is asked for, once the
    /// other gates are passed; liveness, deepfake and embedding once all are. A gate whose check gave no score is not passed.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where the detector breaks: then nothing is known about the frame. A later model that breaks
    /// leaves [`Outcome::Broken`] on its check and its error in [`FrameAnalysis::faults`]. The checks of the embedding
    /// model are the session's, so it leaves them only where it breaks.
    pub fn analyze(&mut self, frame: &Frame, plan: &Plan) -> Result<FrameAnalysis, RuntimeError> {
        let started = Instant::now();
        let mut faults = Vec::new();
        let faces = self.detector.detect(frame)?.faces;
        let face = faces.first();
        let region = face.and_then(|face| FaceRegion::of(frame, face));
        let landmark_pose = face.and_then(|face| pose::from_landmarks(&face.landmarks));
        let unmeasured = if face.is_some() { Detail::NotRequested } else { Detail::NoFace };
        let mut input = QualityInput {
            width: frame.width(),
            height: frame.height(),
            faces: &faces,
            region: region.as_ref(),
            pose: landmark_pose.map_or(Evidence::Absent(Detail::NoFace), Evidence::Known),
            eye_aspect: Evidence::Absent(unmeasured),
            uncovered: Evidence::Absent(unmeasured),
        };
        let mut measurements: Vec<Measurement> = MEASURES
            .iter()
            .filter(|measure| !measure.costly() && (!measure.on_request() || plan.wants(measure.id())))
            .map(|measure| measured(*measure, &input, &self.detector_ref))
            .collect();

        // The pose from five landmarks is coarse. Where the mesh will refine it, it must not close the gate on the mesh.
        let refines = self.mesh.is_some() && (plan.wants(CheckId::EyesOpen) || plan.wants(CheckId::HeadPose));
        let late = |id: CheckId| is_costly(id) || (refines && id == CheckId::HeadPose);
        let open = passes(plan, &measurements, |id| !late(id));
        if refines || plan.wants(CheckId::EyesOpen) {
            faults.extend(self.refine(frame, face, open, plan, &mut input, &mut measurements));
        }
        if plan.wants(CheckId::FaceOcclusionPrevention) {
            faults.extend(self.look_for_covers(frame, face, open, &mut input, &mut measurements));
        }

        let open = passes(plan, &measurements, |_| true);
        self.attack_checks(frame, face, open, plan, &mut measurements, &mut faults);
        let embedding = match face {
            Some(face) if plan.embedding && open => self.embed(frame, face, &mut measurements, &mut faults),
            _ => None,
        };
        measurements.sort_by_key(|measurement| measurement.id);
        let pose = if let Evidence::Known(pose) = input.pose { Some(pose) } else { None };
        let motion = face.and_then(|face| MotionPrint::of(frame, face));
        Ok(FrameAnalysis {
            width: frame.width(),
            height: frame.height(),
            pose,
            measurements,
            faults,
            embedding,
            motion,
            duration: started.elapsed(),
            faces,
        })
    }

    /// Fits the mesh and measures again what it knows better; gives the mesh's fault.
    fn refine(
        &mut self,
        frame: &Frame,
        face: Option<&Face>,
        open: bool,
        plan: &Plan,
        input: &mut QualityInput<'_>,
        measurements: &mut Vec<Measurement>,
    ) -> Option<RuntimeError> {
        let started = Instant::now();
        let mut fault = None;
        let evidence = evidence(&mut self.mesh, face, open, &mut fault, |mesher, face| mesher.fit(frame, face));
        let mesh = match evidence {
            Evidence::Known(mesh) if mesh.face_probability >= MESH_FACE => Evidence::Known(mesh),
            Evidence::Known(_) => Evidence::Absent(Detail::NoFace),
            Evidence::Absent(detail) => Evidence::Absent(detail),
            Evidence::Broken(detail) => Evidence::Broken(detail),
        };
        input.eye_aspect = match &mesh {
            Evidence::Known(mesh) => Evidence::Known(mesh.right_eye_aspect.min(mesh.left_eye_aspect)),
            Evidence::Absent(detail) => Evidence::Absent(*detail),
            Evidence::Broken(detail) => Evidence::Broken(*detail),
        };
        let refined: Option<HeadPose> = if let Evidence::Known(Mesh { pose, .. }) = &mesh { *pose } else { None };
        if let Some(pose) = refined {
            input.pose = Evidence::Known(pose);
        }
        let models: Vec<ModelRef> = self.mesh.iter().map(Mesher::reference).collect();
        for measure in MEASURES {
            let known = match measure.id() {
                CheckId::EyesOpen => plan.wants(CheckId::EyesOpen),
                CheckId::HeadPose => refined.is_some(),
                _ => false,
            };
            if known {
                measurements.retain(|measurement| measurement.id != measure.id());
                let mut measurement = measured(*measure, input, &models);
                measurement.duration = started.elapsed();
                measurements.push(measurement);
            }
        }
        fault
    }

    /// Asks the occlusion models; gives their fault.
    fn look_for_covers(
        &mut self,
        frame: &Frame,
        face: Option<&Face>,
        open: bool,
        input: &mut QualityInput<'_>,
        measurements: &mut Vec<Measurement>,
    ) -> Option<RuntimeError> {
        let started = Instant::now();
        let mut fault = None;
        input.uncovered =
            evidence(&mut self.occlusion, face, open, &mut fault, |panel, face| Ok(panel.ask(frame, face)?.mean));
        let models = self.occlusion.as_ref().map(Panel::references).unwrap_or_default();
        for measure in MEASURES.iter().filter(|measure| measure.id() == CheckId::FaceOcclusionPrevention) {
            let mut measurement = measured(*measure, input, &models);
            measurement.duration = started.elapsed();
            measurements.push(measurement);
        }
        fault
    }

    /// Asks the liveness and the deepfake models.
    fn attack_checks(
        &mut self,
        frame: &Frame,
        face: Option<&Face>,
        open: bool,
        plan: &Plan,
        measurements: &mut Vec<Measurement>,
        faults: &mut Vec<RuntimeError>,
    ) {
        if plan.wants(CheckId::PresentationAttack) {
            let started = Instant::now();
            let mut fault = None;
            let judged = evidence(&mut self.liveness, face, open, &mut fault, |liveness, face| {
                let mean = liveness.judge(frame, face)?.mean;
                Ok((mean, mean))
            });
            let models = self.liveness.as_ref().map(Liveness::references).unwrap_or_default();
            measurements.push(attack(CheckId::PresentationAttack, judged, models, started));
            faults.extend(fault);
        }
        if plan.wants(CheckId::Deepfake) {
            let started = Instant::now();
            let mut fault = None;
            let judged = evidence(&mut self.deepfake, face, open, &mut fault, |deepfake, face| {
                let said = deepfake.judge(frame, face)?;
                Ok((said.score, said.probability_real))
            });
            let models = self.deepfake.as_ref().map(Deepfake::references).unwrap_or_default();
            measurements.push(attack(CheckId::Deepfake, judged, models, started));
            faults.extend(fault);
        }
    }

    /// Makes the face's vector. A fault breaks the checks that compare vectors: without it FrameContinuity would rest on
    /// the boxes alone, and pass for what it looked at.
    fn embed(
        &mut self,
        frame: &Frame,
        face: &Face,
        measurements: &mut Vec<Measurement>,
        faults: &mut Vec<RuntimeError>,
    ) -> Option<Vec<f32>> {
        let started = Instant::now();
        let embedder = self.embedder.as_mut()?;
        let error = match embedder.embed(frame, face) {
            Ok(embedding) => return Some(embedding),
            Err(error) => error,
        };
        measurements.extend([CheckId::FrameContinuity, CheckId::FaceMatch].map(|id| Measurement {
            id,
            outcome: Outcome::Broken(Detail::ModelFault),
            models: vec![embedder.reference()],
            duration: started.elapsed(),
        }));
        faults.push(error);
        None
    }
}

/// Runs a model on the face, or says why not: no model before no face before a closed gate, so that what could never have
/// run says so. What a model that breaks says is left in `fault`.
fn evidence<M, T>(
    model: &mut Option<M>,
    face: Option<&Face>,
    open: bool,
    fault: &mut Option<RuntimeError>,
    run: impl FnOnce(&mut M, &Face) -> Result<T, RuntimeError>,
) -> Evidence<T> {
    match (model, face) {
        (None, _) => Evidence::Absent(Detail::NoModel),
        (Some(_), None) => Evidence::Absent(Detail::NoFace),
        (Some(_), Some(_)) if !open => Evidence::Absent(Detail::QualityGate),
        (Some(model), Some(face)) => match run(model, face) {
            Ok(value) => Evidence::Known(value),
            Err(error) => {
                *fault = Some(error);
                Evidence::Broken(Detail::ModelFault)
            }
        },
    }
}

fn measured(measure: &dyn QualityMeasure, input: &QualityInput<'_>, models: &[ModelRef]) -> Measurement {
    let started = Instant::now();
    let outcome = measure.measure(input);
    let models = if matches!(outcome, Outcome::NotRun(_)) { Vec::new() } else { models.to_vec() };
    Measurement { id: measure.id(), outcome, models, duration: started.elapsed() }
}

/// A measurement of score and raw probability.
fn attack(id: CheckId, judged: Evidence<(f32, f32)>, models: Vec<ModelRef>, started: Instant) -> Measurement {
    let (outcome, models) = match judged {
        Evidence::Known((score, raw)) if score.is_finite() && raw.is_finite() => {
            let raw = RawMeasure { value: f64::from(raw), unit: "probability" };
            (Outcome::Scored { score: score.clamp(0.0, 1.0), raw }, models)
        }
        Evidence::Known(_) => (Outcome::Broken(Detail::ModelFault), models),
        Evidence::Broken(detail) => (Outcome::Broken(detail), models),
        Evidence::Absent(detail) => (Outcome::NotRun(detail), Vec::new()),
    };
    Measurement { id, outcome, models, duration: started.elapsed() }
}

fn is_costly(id: CheckId) -> bool {
    MEASURES.iter().any(|measure| measure.id() == id && measure.costly())
}

/// Whether the gates that `concern` says are passed. A gate without a measurement, or whose measurement has no score, is
/// closed.
fn passes(plan: &Plan, measurements: &[Measurement], concern: impl Fn(CheckId) -> bool) -> bool {
    plan.gates.iter().filter(|(id, _)| concern(*id)).all(|(id, least)| {
        let found = measurements.iter().find(|measurement| measurement.id == *id);
        found.and_then(Measurement::score).is_some_and(|score| score >= *least)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(id: CheckId, outcome: Outcome) -> Measurement {
        Measurement { id, outcome, models: Vec::new(), duration: std::time::Duration::ZERO }
    }

    fn scored(score: f32) -> Outcome {
        Outcome::Scored { score, raw: RawMeasure { value: 0.0, unit: "ratio" } }
    }

    #[test]
    fn a_gate_opens_for_a_sufficient_score_only() {
        let plan = Plan { gates: vec![(CheckId::HeadSize, 0.5)], ..Plan::default() };
        for (outcome, open) in [
            (scored(0.5), true),
            (scored(0.49), false),
            (scored(f32::NAN), false),
            (Outcome::NotRun(Detail::NoModel), false),
            (Outcome::Broken(Detail::ModelFault), false),
        ] {
            let measurements = [measurement(CheckId::HeadSize, outcome.clone())];
            assert_eq!(passes(&plan, &measurements, |_| true), open, "{outcome:?}");
        }
        assert!(!passes(&plan, &[], |_| true));
        assert!(passes(&plan, &[], |id| id != CheckId::HeadSize));
        assert!(passes(&Plan::default(), &[], |_| true));
    }

    #[test]
    fn what_could_never_have_run_says_so_first() {
        let face = Face { bbox: Default::default(), score: 1.0, landmarks: Default::default() };
        let run = |model: Option<()>, face: Option<&Face>, open| {
            evidence(&mut model.clone(), face, open, &mut None, |_, _| Ok::<_, RuntimeError>(1.0_f32))
        };
        assert_eq!(run(None, None, false), Evidence::Absent(Detail::NoModel));
        assert_eq!(run(Some(()), None, false), Evidence::Absent(Detail::NoFace));
        assert_eq!(run(Some(()), Some(&face), false), Evidence::Absent(Detail::QualityGate));
        assert_eq!(run(Some(()), Some(&face), true), Evidence::Known(1.0));
    }

    #[test]
    fn a_score_that_is_no_number_is_broken() {
        let made = attack(CheckId::Deepfake, Evidence::Known((f32::NAN, 0.5)), Vec::new(), Instant::now());
        assert_eq!(made.outcome, Outcome::Broken(Detail::ModelFault));
    }
}
