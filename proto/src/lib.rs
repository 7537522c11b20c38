//! The `lifesign.v1` wire contract: types, client and server generated from the .proto files beside this crate. Those
//! files are the documentation.

/// Version 1 of the contract.
#[allow(missing_docs, clippy::all, reason = "generated code; its documentation is the .proto files'")]
pub mod v1 {
    tonic::include_proto!("lifesign.v1");
}

/// Every message and service as an encoded `google.protobuf.FileDescriptorSet`, with the well-known types it imports: for
/// reflection and for the proto3 JSON form.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lifesign.v1.bin"));
