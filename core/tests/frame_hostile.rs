//! Hostile files: whatever the bytes are, decoding gives a frame or a typed error, never a panic.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail by panicking")]

use std::sync::LazyLock;

use lifesign_core::frame::{Frame, FrameLimits};
use proptest::prelude::*;

const LIMITS: FrameLimits =
    FrameLimits { max_bytes: 1 << 20, max_pixels: 40_000, max_dimension: 1000, min_dimension: 1 };

static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frame_fixtures");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind != "py"));
    paths.sort();
    assert!(paths.len() >= 12);
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
});

/// Decodes and checks what any frame must be.
fn survive(bytes: &[u8]) {
    if let Ok(frame) = Frame::decode(bytes, None, &LIMITS) {
        let pixels = u64::from(frame.width()) * u64::from(frame.height());
        assert!(pixels <= LIMITS.max_pixels);
        assert_eq!(frame.rgb().len() as u64, pixels * 3);
    }
}

#[derive(Debug, Clone)]
enum Damage {
    Set(usize, u8),
    Flip(usize, u8),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>().prop_map(|index| index.index(1 << 16));
    prop_oneof![
        // The first bytes are the headers: hit them more often.
        4 => (0..700_usize, prop_oneof![Just(0), Just(0xFF), any::<u8>()]).prop_map(|(at, byte)| Damage::Set(at, byte)),
        4 => (at.clone(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => (at.clone(), 1..200_usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => (at.clone(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, new)| Damage::Insert(at, new)),
        1 => (at, 1..300_usize).prop_map(|(at, count)| Damage::Repeat(at, count)),
    ]
}

fn apply(file: &mut Vec<u8>, damage: Damage) {
    let len = file.len();
    if len == 0 {
        return;
    }
    match damage {
        Damage::Set(at, byte) => file[at % len] = byte,
        Damage::Flip(at, bit) => file[at % len] ^= 1 << bit,
        Damage::Remove(at, count) => drop(file.drain(at % len..(at % len + count).min(len))),
        Damage::Insert(at, new) => drop(file.splice(at % len..at % len, new)),
        Damage::Repeat(at, count) => {
            let part = file[at % len..(at % len + count).min(len)].to_vec();
            drop(file.splice(at % len..at % len, part));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_are_survived(
        signature in prop::sample::select(vec![
            b"".as_slice(), b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\x01\0\0WEBP", b"RIFF\xff\x01\0\0WEBPVP8L",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        survive(&[signature, &rest].concat());
    }

    #[test]
    fn damaged_files_are_survived(
        index in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..6),
    ) {
        let mut file = index.get(&FIXTURES).clone();
        for damage in damages {
            apply(&mut file, damage);
        }
        survive(&file);
    }
}
