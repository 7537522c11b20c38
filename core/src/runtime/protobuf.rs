//! A look at a model file's framing before rten reads it.
//!
//! The reader of rten 0.27 trusts its file: an integer of more than ten bytes makes it loop for ever, a length beyond the
//! end of the file makes it reserve that much memory. A truncated or foreign file has one or the other, so the outer
//! messages (the model, its graph, the nodes and tensors in it) are walked first. What lies deeper is not: a file made to
//! harm is kept out by its hash in the manifest.

/// Which fields of a message are messages to walk, and how.
struct Message(&'static [(u64, &'static Message)]);

/// No field is walked further.
const LEAF: Message = Message(&[]);

/// `ModelProto` with its graph (7) and operator sets (8), the graph with its nodes (1), initialisers (5) and values (11,
/// 12, 13), as numbered in `onnx.proto`.
const MODEL: Message =
    Message(&[(7, &Message(&[(1, &LEAF), (5, &LEAF), (11, &LEAF), (12, &LEAF), (13, &LEAF)])), (8, &LEAF)]);

/// Whether the file is a sequence of fields that end where it ends, and so on inwards.
pub(super) fn well_framed(onnx: &[u8]) -> bool {
    !onnx.is_empty() && walk(onnx, &MODEL).is_some()
}

fn walk(mut rest: &[u8], message: &Message) -> Option<()> {
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match tag & 7 {
            0 => drop(varint(&mut rest)?),
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (field, after) = rest.split_at_checked(length)?;
                if let Some((_, inner)) = message.0.iter().find(|(number, _)| *number == tag >> 3) {
                    walk(field, inner)?;
                }
                rest = after;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(())
}

/// Takes one integer of at most ten bytes off the front.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_end_after_ten_bytes() {
        assert_eq!(varint(&mut &[0x96, 0x01][..]), Some(150));
        assert_eq!(varint(&mut &[0xff; 9].iter().copied().chain([1]).collect::<Vec<_>>()[..]), Some(u64::MAX));
        assert_eq!(varint(&mut &[0xff; 12][..]), None);
        assert_eq!(varint(&mut &[0x80][..]), None);
        assert_eq!(varint(&mut &[][..]), None);
    }

    #[test]
    fn a_length_beyond_the_end_is_seen_inside_too() {
        assert!(well_framed(&[0x08, 0x08, 0x3a, 0x04, 0x0a, 0x02, 0x08, 0x01]));
        assert!(!well_framed(&[0x08, 0x08, 0x3a, 0x05, 0x0a, 0x02, 0x08, 0x01]), "the graph");
        assert!(!well_framed(&[0x08, 0x08, 0x3a, 0x04, 0x0a, 0x03, 0x08, 0x01]), "a node");
        assert!(!well_framed(&[0x08, 0x08, 0x3a, 0x04, 0x0a, 0x02, 0x08, 0x80]), "a number in a node");
        assert!(!well_framed(b""));
        assert!(!well_framed(b"not a model"));
    }
}
