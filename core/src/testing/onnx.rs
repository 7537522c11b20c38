//! Writes small ONNX files byte by byte: just enough protobuf (the field numbers are those of `onnx.proto`) for graphs of
//! a few nodes, so that tests need neither downloaded models nor an ONNX library.

const IR_VERSION: u64 = 8;
const OPSET: u64 = 13;
const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// A graph under construction: one float input, any nodes, any float outputs.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    body: Vec<u8>,
}

/// An attribute of a node.
#[derive(Debug, Clone)]
pub enum Attribute<'a> {
    /// One integer.
    Int(&'a str, i64),
    /// Several integers.
    Ints(&'a str, &'a [i64]),
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares the float input.
    #[must_use]
    pub fn input(mut self, name: &str, shape: &[usize]) -> Self {
        bytes(&mut self.body, 11, &value_info(name, shape, FLOAT));
        self
    }

    /// Declares a float output.
    #[must_use]
    pub fn output(mut self, name: &str, shape: &[usize]) -> Self {
        bytes(&mut self.body, 12, &value_info(name, shape, FLOAT));
        self
    }

    /// Declares an output of 64-bit integers.
    #[must_use]
    pub fn output_int64(mut self, name: &str, shape: &[usize]) -> Self {
        bytes(&mut self.body, 12, &value_info(name, shape, INT64));
        self
    }

    /// Adds a constant of floats.
    #[must_use]
    pub fn floats(mut self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        bytes(&mut self.body, 5, &tensor(name, shape, FLOAT, Some(&raw)));
        self
    }

    /// Adds a constant of floats whose values are in another file, at its beginning.
    #[must_use]
    pub fn external_floats(mut self, name: &str, shape: &[usize], file: &str) -> Self {
        let mut location = Vec::new();
        bytes(&mut location, 1, b"location");
        bytes(&mut location, 2, file.as_bytes());
        let mut tensor = tensor(name, shape, FLOAT, None);
        bytes(&mut tensor, 13, &location);
        varint(&mut tensor, 14, 1);
        bytes(&mut self.body, 5, &tensor);
        self
    }

    /// Adds a constant of 64-bit integers.
    #[must_use]
    pub fn int64s(mut self, name: &str, values: &[i64]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        bytes(&mut self.body, 5, &tensor(name, &[values.len()], INT64, Some(&raw)));
        self
    }

    /// Adds a node of the default operator set with one output.
    #[must_use]
    pub fn node(mut self, op: &str, inputs: &[&str], output: &str, attributes: &[Attribute<'_>]) -> Self {
        let mut node = Vec::new();
        for input in inputs {
            bytes(&mut node, 1, input.as_bytes());
        }
        bytes(&mut node, 2, output.as_bytes());
        bytes(&mut node, 3, output.as_bytes());
        bytes(&mut node, 4, op.as_bytes());
        for one in attributes {
            bytes(&mut node, 5, &attribute(one));
        }
        bytes(&mut self.body, 1, &node);
        self
    }

    /// The bytes of the .onnx file.
    pub fn encode(mut self) -> Vec<u8> {
        bytes(&mut self.body, 2, b"tiny");
        let mut opset = Vec::new();
        bytes(&mut opset, 1, b"");
        varint(&mut opset, 2, OPSET);
        let mut model = Vec::new();
        varint(&mut model, 1, IR_VERSION);
        bytes(&mut model, 2, b"lifesign-testing");
        bytes(&mut model, 7, &self.body);
        bytes(&mut model, 8, &opset);
        model
    }
}

fn attribute(attribute: &Attribute<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match attribute {
        Attribute::Int(name, value) => {
            bytes(&mut out, 1, name.as_bytes());
            varint(&mut out, 3, value.cast_unsigned());
            varint(&mut out, 20, 2);
        }
        Attribute::Ints(name, values) => {
            bytes(&mut out, 1, name.as_bytes());
            for value in *values {
                varint(&mut out, 8, value.cast_unsigned());
            }
            varint(&mut out, 20, 7);
        }
    }
    out
}

fn tensor(name: &str, shape: &[usize], kind: u64, raw: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for &side in shape {
        varint(&mut out, 1, side as u64);
    }
    varint(&mut out, 2, kind);
    bytes(&mut out, 8, name.as_bytes());
    if let Some(raw) = raw {
        bytes(&mut out, 9, raw);
    }
    out
}

fn value_info(name: &str, shape: &[usize], kind: u64) -> Vec<u8> {
    let mut dimensions = Vec::new();
    for &side in shape {
        let mut dimension = Vec::new();
        varint(&mut dimension, 1, side as u64);
        bytes(&mut dimensions, 1, &dimension);
    }
    let mut tensor = Vec::new();
    varint(&mut tensor, 1, kind);
    bytes(&mut tensor, 2, &dimensions);
    let mut kind = Vec::new();
    bytes(&mut kind, 1, &tensor);
    let mut out = Vec::new();
    bytes(&mut out, 1, name.as_bytes());
    bytes(&mut out, 2, &kind);
    out
}

fn varint(out: &mut Vec<u8>, field: u64, value: u64) {
    raw_varint(out, field << 3);
    raw_varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    raw_varint(out, field << 3 | 2);
    raw_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn raw_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
