//! The golden pictures decode to the very bytes that the reference pipeline saw.
#![expect(clippy::print_stderr, reason = "a skip is said aloud")]

use std::path::Path;

use lifesign_core::frame::{Frame, FrameLimits, MediaType};
use sha2::{Digest, Sha256};

#[test]
fn golden_pictures_decode_to_the_reference_bytes() {
    let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/models"));
    if !models.exists() {
        assert!(std::env::var_os("CI").is_none(), "../shared is absent");
        eprintln!("SKIPPED golden_pictures_decode_to_the_reference_bytes: ../shared is absent");
        return;
    }
    let golden = std::fs::read(models.join("golden/golden.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_slice(&golden).unwrap();
    let images = golden.get("images").unwrap().as_array().unwrap();
    assert_eq!(images.len(), 18);
    for image in images {
        let text = |key: &str| image.get(key).unwrap().as_str().unwrap();
        let bytes = std::fs::read(models.join(text("file"))).unwrap();
        let frame = Frame::decode(&bytes, Some(MediaType::Png), &FrameLimits::default()).unwrap();
        let side = |key: &str| image.get(key).unwrap().as_u64().unwrap();
        assert_eq!((u64::from(frame.width()), u64::from(frame.height())), (side("width"), side("height")));
        let bgr: Vec<u8> = frame.rgb().chunks_exact(3).flat_map(|pixel| pixel.iter().rev().copied()).collect();
        let sha256: String = Sha256::digest(&bgr).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sha256, text("bgr_sha256"), "{}", text("file"));
    }
}
