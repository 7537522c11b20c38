//! Quality of a capture: one measure a file, with the names of ISO/IEC 29794-5 (OFIQ).
//!
//! Every measure gives a raw number in its own unit and a score 0..=1 mapped so that 0.5 is the recommended limit; the
//! formula, the limit and its source are at each measure.

/// What the person should do. The order is the order of importance when several apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hint {
    /// No face in the frame.
    NoFace,
    /// More than one face.
    MultipleFaces,
    /// The face is too small.
    MoveCloser,
    /// The face is too large.
    MoveBack,
    /// The face is cut off or off-centre.
    CenterFace,
    /// Too little light on the face.
    TooDark,
    /// Too much light on the face.
    TooBright,
    /// Something covers the face.
    UncoverFace,
    /// The head is turned away.
    LookStraight,
    /// An eye is closed.
    OpenEyes,
    /// Out of focus or shaken.
    Blurry,
    /// Flat light, washed out.
    LowContrast,
    /// Nothing to correct.
    HoldStill,
}
