//! Between the core's types and the wire's: pure functions with exhaustive matches, so that a value added to either side
//! does not compile until it is mapped.

mod media;
mod vendors;
mod verdict;

pub mod json;

pub use media::{RawPixelsError, frame_limits, hint, raw_layout, video_limits};
pub use vendors::{vendor, vendor_phase, vendor_results, vendor_rule};
pub use verdict::{LOCAL, assurance, check, decision, duration, face, pack_ref, policy_ref, runtime_ref, verdict};
