//! Writes the tests' tiny pack to a folder: `cargo run -p lifesign-core --example tiny_pack -- DIR`.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("name a folder to write to")?;
    fs::create_dir_all(&folder)?;
    lifesign_core::testing::tiny_pack(Path::new(&folder))?;
    Ok(())
}
