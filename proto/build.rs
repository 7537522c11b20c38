//! Compiles the .proto files without a protoc on the machine: protox is a compiler in Rust.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["lifesign/v1/verdict.proto", "lifesign/v1/media.proto", "lifesign/v1/liveness_service.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("lifesign.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Frames and videos are handed from the socket to the decoder without a copy.
        .bytes(".lifesign.v1.Image.data")
        .bytes(".lifesign.v1.Video.data")
        .bytes(".lifesign.v1.MediaChunk.data")
        .compile_fds(descriptors)?;
    Ok(())
}
