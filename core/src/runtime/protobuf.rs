//! A look at a model file's framing before a runtime reads it.
//!
//! Two things are refused here. A tensor may keep its values in another file (`TensorProto.data_location`), which the
//! manifest's hash does not cover: ONNX Runtime would read it from wherever the tensor says, or even from an address in
//! its own memory. And the reader of rten 0.27 trusts its file: an integer of more than ten bytes makes it loop for ever,
//! a length beyond the end of the file makes it reserve that much memory. A truncated or foreign file has one or the
//! other. Only the messages that lead to tensors are walked; what lies deeper, or is broken in itself, is left to the
//! runtime, and a file made to harm is kept out by its hash.

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// It is not a sequence of fields that end where it ends, and so on inwards.
    #[error("it is no ONNX file, or a broken one")]
    Broken,
    /// Graphs in graphs beyond [`MAX_DEPTH`].
    #[error("its messages are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// This tensor's values are not in the file.
    #[error("tensor {0:?} keeps its data outside of the file, where the pack's hash does not reach")]
    External(String),
}

/// Messages within messages that are walked. The format's own readers stop at 100; a graph in an attribute of a node
/// takes three, and models nest them two or three times.
const MAX_DEPTH: u32 = 64;

/// What an error message takes of a tensor's name.
const MAX_NAME: usize = 64;

/// A message of `onnx.proto`, by what has to be known of its fields. The numbers are those of ONNX 1.19.
struct Message {
    /// Fields that are messages to walk, and how.
    inner: &'static [(u64, &'static Message)],
    /// Whether this is a tensor.
    tensor: bool,
}

const fn message(inner: &'static [(u64, &'static Message)]) -> Message {
    Message { inner, tensor: false }
}

/// A message in which nothing is walked further: an operator set, a value's type.
static LEAF: Message = message(&[]);
/// Graph, operator sets, training graphs, functions.
static MODEL: Message = message(&[(7, &GRAPH), (8, &LEAF), (20, &TRAINING), (25, &FUNCTION)]);
/// Nodes, initialisers, inputs, outputs, inner values, sparse initialisers.
static GRAPH: Message =
    message(&[(1, &NODE), (5, &TENSOR), (11, &LEAF), (12, &LEAF), (13, &LEAF), (15, &SPARSE_TENSOR)]);
/// The graphs that initialise and that train.
static TRAINING: Message = message(&[(1, &GRAPH), (2, &GRAPH)]);
/// Nodes and default attributes.
static FUNCTION: Message = message(&[(7, &NODE), (11, &ATTRIBUTE)]);
/// Attributes.
static NODE: Message = message(&[(5, &ATTRIBUTE)]);
/// One or several tensors, graphs and sparse tensors.
static ATTRIBUTE: Message =
    message(&[(5, &TENSOR), (6, &GRAPH), (10, &TENSOR), (11, &GRAPH), (22, &SPARSE_TENSOR), (23, &SPARSE_TENSOR)]);
/// Values and indices.
static SPARSE_TENSOR: Message = message(&[(1, &TENSOR), (2, &TENSOR)]);
/// The only message whose own fields matter.
static TENSOR: Message = Message { inner: &[], tensor: true };

/// `TensorProto.name`.
const NAME: u64 = 8;
/// `TensorProto.external_data`: where the values are.
const EXTERNAL_DATA: u64 = 13;
/// `TensorProto.data_location`: 0 is this file, 1 another; no other number is defined.
const DATA_LOCATION: u64 = 14;

/// Checks the bytes of an .onnx file.
pub(super) fn check(onnx: &[u8]) -> Result<(), Flaw> {
    if onnx.is_empty() {
        return Err(Flaw::Broken);
    }
    walk(onnx, &MODEL, MAX_DEPTH)
}

fn walk(mut rest: &[u8], message: &Message, depth: u32) -> Result<(), Flaw> {
    let depth = depth.checked_sub(1).ok_or(Flaw::TooDeep)?;
    let mut name: &[u8] = &[];
    let mut external = false;
    while !rest.is_empty() {
        let (number, value) = field(&mut rest).ok_or(Flaw::Broken)?;
        if message.tensor {
            match (number, &value) {
                (NAME, Value::Bytes(bytes)) => name = bytes,
                (EXTERNAL_DATA, _) => external = true,
                (DATA_LOCATION, value) => external |= !matches!(value, Value::Integer(0)),
                _ => {}
            }
        }
        if let Value::Bytes(bytes) = value
            && let Some((_, inner)) = message.inner.iter().find(|(known, _)| *known == number)
        {
            walk(bytes, inner, depth)?;
        }
    }
    if external {
        return Err(Flaw::External(String::from_utf8_lossy(name).chars().take(MAX_NAME).collect()));
    }
    Ok(())
}

/// A field's value, as far as it is told apart here.
enum Value<'a> {
    Integer(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// Takes a field off the front: its number and its value.
fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    // A tag has 32 bits. Some readers drop what is above them, and would see another field than this one.
    let tag = u64::from(u32::try_from(varint(rest)?).ok()?);
    let value = match tag & 7 {
        0 => Value::Integer(varint(rest)?),
        1 => fixed(rest, 8)?,
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            Value::Bytes(bytes)
        }
        5 => fixed(rest, 4)?,
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn fixed<'a>(rest: &mut &'a [u8], length: usize) -> Option<Value<'a>> {
    *rest = rest.get(length..)?;
    Some(Value::Fixed)
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
        let check = |bytes: &[u8]| check(bytes).map_err(|flaw| assert_eq!(flaw, Flaw::Broken)).is_ok();
        assert!(check(&[0x08, 0x08, 0x3a, 0x04, 0x0a, 0x02, 0x08, 0x01]));
        assert!(!check(&[0x08, 0x08, 0x3a, 0x05, 0x0a, 0x02, 0x08, 0x01]), "the graph");
        assert!(!check(&[0x08, 0x08, 0x3a, 0x04, 0x0a, 0x03, 0x08, 0x01]), "a node");
        assert!(!check(&[0x08, 0x08, 0x3a, 0x04, 0x0a, 0x02, 0x08, 0x80]), "a number in a node");
        assert!(!check(b""));
        assert!(!check(b"not a model"));
    }

    /// A field that holds bytes; lengths of two bytes at most.
    fn put(number: u8, inner: &[u8]) -> Vec<u8> {
        let tag: &[u8] =
            &if number < 16 { vec![number << 3 | 2] } else { vec![(number & 15) << 3 | 0x82, number >> 4] };
        let length = [u8::try_from(inner.len() & 0x7f).unwrap() | 0x80, u8::try_from(inner.len() >> 7).unwrap()];
        [tag, &length, inner].concat()
    }

    /// Wraps a message into the fields that lead to it, the innermost last.
    fn at(path: &[u8], inner: &[u8]) -> Vec<u8> {
        path.iter().rev().fold(inner.to_vec(), |inner, &number| put(number, &inner))
    }

    /// Every way from the model to a tensor, by field numbers.
    const PATHS: [&[u8]; 11] = [
        &[7, 5],
        &[7, 15, 1],
        &[7, 15, 2],
        &[7, 1, 5, 5],
        &[7, 1, 5, 10],
        &[7, 1, 5, 22, 1],
        &[7, 1, 5, 23, 2],
        &[7, 1, 5, 6, 5],
        &[7, 1, 5, 11, 1, 5, 6, 15, 1],
        &[20, 2, 5],
        &[25, 7, 5, 5],
    ];

    #[test]
    fn external_data_are_found_wherever_a_tensor_may_be() {
        let name = put(8, b"weights");
        let elsewhere: [Vec<u8>; 4] = [
            [name.clone(), vec![14 << 3, 1]].concat(),
            [vec![14 << 3, 1], vec![14 << 3, 0], name.clone()].concat(),
            [name.clone(), put(13, &[put(1, b"location"), put(2, b"../secret")].concat())].concat(),
            // A number that readers cut to 32 bits, which leaves 1.
            [name.clone(), vec![14 << 3, 0x81, 0x80, 0x80, 0x80, 0x10]].concat(),
        ];
        let here = [name, vec![14 << 3, 0], put(9, &[0; 200])].concat();
        for path in PATHS {
            assert_eq!(check(&at(path, &here)), Ok(()), "{path:?}");
            for tensor in &elsewhere {
                // Behind a harmless one, as readers merge a field that comes twice.
                let model = [at(path, &here), at(path, tensor)].concat();
                assert_eq!(check(&model), Err(Flaw::External("weights".to_owned())), "{path:?} {tensor:?}");
            }
        }
    }

    #[test]
    fn a_tag_beyond_32_bits_hides_nothing() {
        // Field 14 of a tensor with a bit above the 32nd.
        let tensor = [0xf0, 0x80, 0x80, 0x80, 0x10, 1];
        assert_eq!(check(&at(&[7, 5], &tensor)), Err(Flaw::Broken));
    }

    #[test]
    fn nesting_ends_at_its_limit() {
        let nested = |times: usize| at(&[&[7][..], &[1, 5, 6].repeat(times)].concat(), &[]);
        assert_eq!(check(&nested(20)), Ok(()));
        assert_eq!(check(&nested(21)), Err(Flaw::TooDeep));
        assert_eq!(check(&nested(1000)), Err(Flaw::TooDeep));
    }

    #[test]
    fn a_long_name_is_cut() {
        let tensor = [put(8, &[b'x'; 500]), vec![14 << 3, 1]].concat();
        assert_eq!(check(&at(&[7, 5], &tensor)), Err(Flaw::External("x".repeat(MAX_NAME))));
    }
}
