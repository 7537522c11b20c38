//! Presentation-attack detection: is the face a live one, or a print, a screen, a mask?
//!
//! Every liveness model of the pack looks at its own crop of the frame; the mean of their P(bona fide) is the score, as
//! Silent-Face-Anti-Spoofing's `test.py` fuses its two networks. No figure of one model alone was published.

use crate::{
    Error,
    face::{Face, Panel, Vote},
    frame::Frame,
    pack::{Pack, Role},
    runtime::{Runtime, RuntimeError},
    verdict::ModelRef,
};

/// The liveness models of a pack.
#[derive(Debug)]
pub struct Liveness {
    panel: Panel,
}

impl Liveness {
    /// Loads them; `None` where the pack has none.
    ///
    /// # Errors
    /// As [`Panel::load`].
    pub fn load(pack: &Pack, runtime: &dyn Runtime) -> Result<Option<Self>, Error> {
        Ok(Panel::load(pack, Role::Liveness, runtime)?.map(|panel| Self { panel }))
    }

    /// Names and versions.
    pub fn references(&self) -> Vec<ModelRef> {
        self.panel.references()
    }

    /// Judges a face. [`Vote::mean`] is P(bona fide).
    ///
    /// # Errors
    /// As [`Panel::ask`].
    pub fn judge(&mut self, frame: &Frame, face: &Face) -> Result<Vote, RuntimeError> {
        self.panel.ask(frame, face)
    }
}
