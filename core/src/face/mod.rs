//! Faces: where they are, how the head is turned, and the crops that models want.

mod crop;
mod detector;
mod mesh;
pub(crate) mod net;
mod nms;
mod panel;
pub(crate) mod pixels;
mod planes;
pub(crate) mod pose;
mod resample;

pub use crop::Crop;
pub use detector::{Detection, Detector};
pub use mesh::{Mesh, Mesher};
pub use net::Reading;
pub use panel::{Panel, Vote};

/// A point in pixels of the upright frame, origin top left.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// An axis-aligned box in pixels of the upright frame. It may reach outside the frame.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width, > 0.
    pub width: f32,
    /// Height, > 0.
    pub height: f32,
}

/// A detected face.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// Where it is.
    pub bbox: Rect,
    /// Detector confidence, 0..=1.
    pub score: f32,
    /// The subject's right eye, left eye, nose tip, right mouth corner, left mouth corner.
    pub landmarks: [Point; 5],
}

/// Head rotation in degrees (ISO/IEC 39794-5): yaw positive when the subject looks to their left, pitch positive when
/// they look down, roll positive when the head tilts to their right shoulder.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HeadPose {
    /// About the vertical axis.
    pub yaw: f32,
    /// About the ear-to-ear axis.
    pub pitch: f32,
    /// In the image plane.
    pub roll: f32,
}
