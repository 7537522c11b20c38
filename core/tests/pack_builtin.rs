//! The pack in the binary: the one that was named when the crate was built, else the project's, else none.

use std::path::Path;

use lifesign_core::{
    analysis::{Analyzer, Plan},
    frame::Frame,
    pack::{Pack, PackError},
    runtime::{RuntimeChoice, select},
};

#[test]
fn what_was_built_in_is_what_opens() {
    let project = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/builtin"));
    let folder = match option_env!("EMBED_LIFESIGN_PACK") {
        Some(named) => Path::new(named),
        None => project,
    };
    let builtin = Pack::builtin();
    if !cfg!(feature = "builtin") || !folder.join("pack.toml").is_file() {
        assert_eq!(builtin.unwrap_err(), PackError::NoBuiltin);
        return;
    }
    let builtin = builtin.unwrap();
    assert_eq!(builtin.reference(), Pack::open(folder).unwrap().reference());
    let runtime = select(&RuntimeChoice::Off).unwrap();
    let mut analyzer = Analyzer::load(&builtin, &*runtime).unwrap();
    let grey = Frame::from_rgb(320, 240, vec![128; 320 * 240 * 3]).unwrap();
    analyzer.analyze(&grey, &Plan::default()).unwrap();
}
