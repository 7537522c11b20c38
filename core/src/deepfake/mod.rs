//! Deepfake detection: is the face synthesised or swapped?
//!
//! A model knows one family of forgeries. Models of one group are averaged; each group's P(real) is calibrated so that the
//! manifest's `fake_at` becomes a score of 0.5; the least sure group counts, since a forgery is of one family only.
//!
//! That is one frame's score. Over the frames of a session or a video, the scores of the judged frames become one as the
//! policy's [`Aggregate`](crate::policy::Aggregate) says, the mean unless it says otherwise: a forged video is forged on every
//! frame, and these models err on single ones. The raw measure is aggregated in the same way. Frames that quality kept from
//! being judged have no say; a frame on which the check did not run leaves the whole NOT_RUN, one on which it broke makes it
//! an ERROR. Where the pack has no deepfake model the check is NOT_RUN with NO_MODEL, and a policy that requires it is
//! refused.

use crate::{
    Error,
    face::{
        Face, Reading,
        net::{Net, gives_probability, misfit},
    },
    frame::Frame,
    pack::{OutputSpec, Pack, Role},
    runtime::{Runtime, RuntimeError},
    verdict::ModelRef,
};

/// The deepfake models of a pack.
#[derive(Debug)]
pub struct Deepfake {
    nets: Vec<Net>,
    groups: Vec<Group>,
}

/// Models that know the same family of forgeries.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    name: String,
    fake_at: f32,
    members: Vec<usize>,
}

/// What the models say about a face.
#[derive(Debug, Clone, PartialEq)]
pub struct DeepfakeEvidence {
    /// The least calibrated score of a group, 0..=1, 1 = genuine.
    pub score: f32,
    /// That group's P(real) before calibration.
    pub probability_real: f32,
    /// Each group's name and P(real).
    pub groups: Vec<(String, f32)>,
    /// Each model's answer, in the manifest's order.
    pub readings: Vec<Reading>,
}

impl Deepfake {
    /// Loads them; `None` where the pack has none.
    ///
    /// # Errors
    /// [`Error::Pack`] where a model's output rule gives no probability, `fake_at` is not between 0 and 1, or models of
    /// one group disagree about it; [`Error::Runtime`] where one does not load.
    pub fn load(pack: &Pack, runtime: &dyn Runtime) -> Result<Option<Self>, Error> {
        let mut groups: Vec<Group> = Vec::new();
        for (index, (spec, _)) in pack.models(Role::Deepfake).enumerate() {
            let (group, fake_at) = match &spec.output {
                OutputSpec::ProbabilityReal { group, fake_at, .. } => (group, *fake_at),
                // A classifier stands for itself, and says fake where that is likelier than not.
                _ => (&spec.name, 0.5),
            };
            if !(fake_at > 0.0 && fake_at < 1.0) {
                return Err(misfit(pack, spec, "fake_at must lie between 0 and 1"));
            }
            match groups.iter_mut().find(|known| known.name == *group) {
                Some(known) if known.fake_at != fake_at => {
                    return Err(misfit(pack, spec, "models of one group must have the same fake_at"));
                }
                Some(known) => known.members.push(index),
                None => groups.push(Group { name: group.clone(), fake_at, members: vec![index] }),
            }
        }
        let nets = Net::load_all(pack, Role::Deepfake, runtime, gives_probability)?;
        Ok((!nets.is_empty()).then_some(Self { nets, groups }))
    }

    /// Names and versions.
    pub fn references(&self) -> Vec<ModelRef> {
        self.nets.iter().map(Net::reference).collect()
    }

    /// Judges a face.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where a model breaks.
    pub fn judge(&mut self, frame: &Frame, face: &Face) -> Result<DeepfakeEvidence, RuntimeError> {
        let mut readings = Vec::with_capacity(self.nets.len());
        if let Some((first, others)) = self.nets.split_first_mut() {
            first.cut(frame, face);
            readings.push(first.read()?);
            for net in others {
                // Models of one family want the same crop, which costs as much to cut as a small model costs to run.
                if net.wants_same_crop(first) {
                    readings.push(net.read_from(first.crop())?);
                } else {
                    net.cut(frame, face);
                    readings.push(net.read()?);
                }
            }
        }
        Ok(fuse(&self.groups, readings))
    }
}

fn fuse(groups: &[Group], readings: Vec<Reading>) -> DeepfakeEvidence {
    let mut evidence = DeepfakeEvidence { score: 1.0, probability_real: 1.0, groups: Vec::new(), readings };
    for group in groups {
        let members = group.members.iter().filter_map(|&index| evidence.readings.get(index));
        let sum: f32 = members.map(|reading| reading.probability).sum();
        let real = sum / group.members.len() as f32;
        let score = calibrate(real, group.fake_at);
        if score <= evidence.score {
            (evidence.score, evidence.probability_real) = (score, real);
        }
        evidence.groups.push((group.name.clone(), real));
    }
    evidence
}

/// Straight lines from (0, 0) over (`fake_at`, 0.5) to (1, 1). It keeps the order of the probabilities and makes 0.5 the
/// limit of every group, however its models are tuned.
fn calibrate(real: f32, fake_at: f32) -> f32 {
    if real <= fake_at { 0.5 * real / fake_at } else { 0.5 + 0.5 * (real - fake_at) / (1.0 - fake_at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(probability: f32) -> Reading {
        Reading { probability, raw: Box::new([probability]), probabilities: vec![probability] }
    }

    fn group(name: &str, fake_at: f32, members: &[usize]) -> Group {
        Group { name: name.to_owned(), fake_at, members: members.to_vec() }
    }

    #[test]
    fn calibration_puts_the_limit_at_one_half() {
        for fake_at in [0.1, 0.4, 0.5, 0.9] {
            assert_eq!(calibrate(0.0, fake_at), 0.0);
            assert!((calibrate(fake_at, fake_at) - 0.5).abs() < 1e-6);
            assert!((calibrate(1.0, fake_at) - 1.0).abs() < 1e-6);
            let scores: Vec<f32> = (0..=20).map(|i| calibrate(i as f32 / 20.0, fake_at)).collect();
            assert!(scores.windows(2).all(|pair| pair[0] < pair[1]), "{fake_at}");
        }
    }

    #[test]
    fn groups_are_averaged_and_the_worst_counts() {
        let groups = [group("swap", 0.5, &[0, 1]), group("reenactment", 0.4, &[2])];
        let evidence = fuse(&groups, vec![reading(0.9), reading(0.7), reading(0.2)]);
        assert!((evidence.score - 0.25).abs() < 1e-6);
        assert!((evidence.probability_real - 0.2).abs() < 1e-6);
        assert!((evidence.groups[0].1 - 0.8).abs() < 1e-6);
        let evidence = fuse(&groups, vec![reading(0.1), reading(0.3), reading(0.9)]);
        assert!((evidence.score - 0.2).abs() < 1e-6);
    }
}
