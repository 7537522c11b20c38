//! Pulling packs: whole, resumed, altered, too long, from a place that lacks files, twice at once.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

use std::{
    cell::RefCell,
    fs,
    io::{Cursor, Read},
    path::Path,
};

use lifesign_core::{
    pack::{Fetch, Fetched, Folder, ModelSpec, PackError, pull},
    testing,
};

/// A source in memory that can be told to break off, to ignore offsets and to lie.
struct Source<'a> {
    from: &'a Path,
    /// Gives no more than so many bytes a call.
    cut: u64,
    resumes: bool,
    flip: bool,
    append: usize,
    without: &'a str,
    asked: RefCell<Vec<(String, u64)>>,
}

impl<'a> Source<'a> {
    fn good(from: &'a Path) -> Self {
        Source { from, cut: u64::MAX, resumes: true, flip: false, append: 0, without: "", asked: RefCell::default() }
    }
}

impl Fetch for Source<'_> {
    fn offers(&self, spec: &ModelSpec) -> bool {
        spec.file != self.without
    }

    fn open(&self, spec: &ModelSpec, offset: u64) -> Result<Fetched, String> {
        self.asked.borrow_mut().push((spec.file.clone(), offset));
        let mut bytes = fs::read(self.from.join(&spec.file)).unwrap();
        if self.flip {
            bytes[50] ^= 1;
        }
        bytes.extend(vec![0; self.append]);
        let offset = if self.resumes { offset } else { 0 };
        let rest = bytes.split_off(usize::try_from(offset).unwrap());
        Ok(Fetched { offset, body: Box::new(Cursor::new(rest).take(self.cut)) })
    }
}

struct Fixture {
    source: tempfile::TempDir,
    dest: tempfile::TempDir,
    manifest: String,
}

fn fixture() -> Fixture {
    let source = tempfile::tempdir().unwrap();
    testing::tiny_pack(source.path()).unwrap();
    let manifest = fs::read_to_string(source.path().join("pack.toml")).unwrap();
    Fixture { source, dest: tempfile::tempdir().unwrap(), manifest }
}

impl Fixture {
    fn pull(&self, fetch: &dyn Fetch) -> Result<Vec<(String, u64, bool)>, PackError> {
        let mut seen = Vec::new();
        pull(&self.manifest, fetch, self.dest.path(), &mut |p| seen.push((p.file.to_owned(), p.done, p.kept)))?;
        Ok(seen)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dest.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != ".pull.lock");
        names.sort();
        names
    }
}

#[test]
fn a_pack_comes_whole_and_is_kept_the_next_time() {
    let f = fixture();
    let source = Source::good(f.source.path());
    let seen = f.pull(&source).unwrap();
    assert_eq!(f.names(), ["detector.onnx", "liveness.onnx", "pack.toml"]);
    assert!(seen.iter().all(|(.., kept)| !kept));
    let size = fs::metadata(f.dest.path().join("liveness.onnx")).unwrap().len();
    assert_eq!(seen.last().unwrap(), &("liveness.onnx".to_owned(), size, false));
    let seen = f.pull(&source).unwrap();
    assert!(seen.len() == 2 && seen.iter().all(|(.., kept)| *kept), "{seen:?}");
    assert_eq!(source.asked.borrow().len(), 2, "nothing was asked for again");
    fs::write(f.dest.path().join("liveness.onnx"), b"broken").unwrap();
    f.pull(&Folder(f.source.path().to_owned())).unwrap();
}

#[test]
fn what_broke_off_is_resumed_or_restarted() {
    for resumes in [true, false] {
        let f = fixture();
        let broken = Source { cut: 100, ..Source::good(f.source.path()) };
        match f.pull(&broken) {
            Err(PackError::Fetch { file, what, .. }) => {
                assert_eq!(file, "detector.onnx");
                assert!(what.starts_with("it ended after 100 of "), "{what}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(f.names(), ["detector.onnx.part"]);
        let whole = Source { resumes, ..Source::good(f.source.path()) };
        f.pull(&whole).unwrap();
        assert_eq!(whole.asked.borrow()[0], ("detector.onnx".to_owned(), 100));
        assert_eq!(f.names(), ["detector.onnx", "liveness.onnx", "pack.toml"]);
    }
}

#[test]
fn wrong_and_overlong_bytes_are_thrown_away() {
    for (flip, append, expected) in [(true, 0, "sha256"), (false, 1, "bytes")] {
        let f = fixture();
        match f.pull(&Source { flip, append, ..Source::good(f.source.path()) }) {
            Err(PackError::Altered { file, expected: e, .. }) => {
                assert_eq!(file, "detector.onnx");
                assert!(e.contains(expected), "{e}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(f.names(), [""; 0]);
        f.pull(&Source::good(f.source.path())).unwrap();
    }
}

#[test]
fn a_part_of_another_file_does_not_survive() {
    let f = fixture();
    let size = fs::metadata(f.source.path().join("detector.onnx")).unwrap().len();
    let part = f.dest.path().join("detector.onnx.part");
    fs::write(&part, vec![7; usize::try_from(size).unwrap() + 5]).unwrap();
    f.pull(&Source::good(f.source.path())).expect("too long a part is dropped before it starts");
    fs::remove_file(f.dest.path().join("detector.onnx")).unwrap();
    fs::write(&part, [7; 10]).unwrap();
    assert!(matches!(f.pull(&Source::good(f.source.path())), Err(PackError::Altered { .. })));
    f.pull(&Source::good(f.source.path())).unwrap();
}

#[test]
fn files_that_the_place_cannot_have_are_named_and_the_others_come() {
    let f = fixture();
    match f.pull(&Source { without: "detector.onnx", ..Source::good(f.source.path()) }) {
        Err(error @ PackError::NotOffered { .. }) => {
            let text = error.to_string();
            assert!(text.contains("--from DIR: detector.onnx (made by the tests)"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(f.names(), ["liveness.onnx"], "no manifest: the pack is unfinished");
    f.pull(&Folder(f.source.path().to_owned())).unwrap();
}

#[test]
fn a_folder_that_lacks_a_file_says_which() {
    let f = fixture();
    fs::remove_file(f.source.path().join("liveness.onnx")).unwrap();
    assert!(
        matches!(f.pull(&Folder(f.source.path().to_owned())), Err(PackError::Fetch { file, .. }) if file == "liveness.onnx")
    );
}

/// Pulls into the folder that is being pulled into.
struct Nested<'a>(&'a Fixture);

impl Fetch for Nested<'_> {
    fn offers(&self, _: &ModelSpec) -> bool {
        true
    }

    fn open(&self, _: &ModelSpec, _: u64) -> Result<Fetched, String> {
        match self.0.pull(&Source::good(self.0.source.path())) {
            Err(PackError::Busy { .. }) => Err("busy, as it must be".to_owned()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn two_pulls_into_one_folder_do_not_mix() {
    let f = fixture();
    match f.pull(&Nested(&f)) {
        Err(PackError::Fetch { what, .. }) => assert_eq!(what, "busy, as it must be"),
        other => panic!("{other:?}"),
    }
    f.pull(&Source::good(f.source.path())).expect("the lock is gone with its pull");
}
