//! Several models of one role that answer the same question; the mean of their probabilities counts.

use super::{
    Face,
    net::{Net, Reading, gives_probability},
};
use crate::{
    Error,
    frame::Frame,
    pack::{Pack, Role},
    runtime::{Runtime, RuntimeError},
    verdict::ModelRef,
};

/// The models of one role.
#[derive(Debug)]
pub struct Panel {
    nets: Vec<Net>,
}

/// What the models of a panel say about a face.
#[derive(Debug, Clone, PartialEq)]
pub struct Vote {
    /// The mean of the models' probabilities, 0..=1, 1 = bona fide or free.
    pub mean: f32,
    /// Each model's answer, in the manifest's order.
    pub readings: Vec<Reading>,
}

impl Panel {
    /// Loads every model of the role; `None` where the pack has none.
    ///
    /// # Errors
    /// [`Error::Pack`] where a model's rules give no probability of a face; [`Error::Runtime`] where one does not load.
    pub fn load(pack: &Pack, role: Role, runtime: &dyn Runtime) -> Result<Option<Self>, Error> {
        let nets = Net::load_all(pack, role, runtime, gives_probability)?;
        Ok((!nets.is_empty()).then_some(Self { nets }))
    }

    /// Names and versions.
    pub fn references(&self) -> Vec<ModelRef> {
        self.nets.iter().map(Net::reference).collect()
    }

    /// Asks every model.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where one of them breaks: a mean over the others would be another measure.
    pub fn ask(&mut self, frame: &Frame, face: &Face) -> Result<Vote, RuntimeError> {
        let readings = self
            .nets
            .iter_mut()
            .map(|net| {
                net.cut(frame, face);
                net.read()
            })
            .collect::<Result<Vec<_>, _>>()?;
        let sum: f32 = readings.iter().map(|reading| reading.probability).sum();
        Ok(Vote { mean: sum / readings.len() as f32, readings })
    }
}
