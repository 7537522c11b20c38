//! The server's backend: ONNX Runtime, opened at run time through the `ort` crate.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ::ort::{
    environment::Environment,
    session::{Session, SessionOutputs, builder::GraphOptimizationLevel},
    value::TensorRef,
};

use super::{Model, Runtime, RuntimeError, Tensor, check_file, check_input, load_error, run_error};
use crate::verdict::RuntimeRef;

/// The library in use. ONNX Runtime allows one environment in a process, and sessions must not outlive it, so it is kept
/// until the process ends.
static LOADED: Mutex<Option<OnnxRuntime>> = Mutex::new(None);

/// ONNX Runtime, loaded.
#[derive(Debug, Clone)]
pub(super) struct OnnxRuntime {
    path: PathBuf,
    version: String,
    environment: Environment,
}

impl OnnxRuntime {
    /// Loads the library at `path`, or gives the one that is loaded already.
    pub(super) fn open(path: &Path) -> Result<Self, RuntimeError> {
        let fail = |what: String| RuntimeError::Library { path: path.display().to_string(), what };
        let real = path.canonicalize().map_err(|error| fail(error.to_string()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*loaded {
            return match known.path == real {
                true => Ok(known.clone()),
                false => Err(fail(format!("this process already runs the one at {}", known.path.display()))),
            };
        }
        // The crate asserts on what a strange library answers; that must not take the process with it.
        let opened = catch_unwind(AssertUnwindSafe(|| load(&real)));
        let opened = opened.unwrap_or_else(|_| Err("it does not answer as ONNX Runtime does".to_owned()));
        let opened = opened.map_err(fail)?;
        Ok(loaded.insert(opened).clone())
    }
}

fn load(path: &Path) -> Result<OnnxRuntime, String> {
    let builder = ::ort::init_from(path).map_err(|error| error.to_string())?;
    let minor = ::ort::util::probe(path).ok_or("it reports no version 1.x")?;
    let environment = builder.with_name("lifesign").with_telemetry(false).build().map_err(|error| error.to_string())?;
    Ok(OnnxRuntime { path: path.to_owned(), version: version(minor, path), environment })
}

/// The version: the library itself tells its minor version through the crate, the patch is known only where the file's
/// name carries it, as upstream's does (`libonnxruntime.so.1.32.0`).
fn version(minor: u32, path: &Path) -> String {
    let short = format!("1.{minor}");
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let full = name.find(&format!("{short}.")).and_then(|at| name.get(at..)).map(|tail| {
        let end = tail.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(tail.len());
        tail.get(..end).unwrap_or_default().trim_end_matches('.').to_owned()
    });
    full.unwrap_or(short)
}

impl Runtime for OnnxRuntime {
    fn describe(&self) -> RuntimeRef {
        RuntimeRef { name: "onnxruntime".to_owned(), version: self.version.clone() }
    }

    fn load(&self, name: &str, onnx: &[u8]) -> Result<Box<dyn Model>, RuntimeError> {
        check_file(name, onnx)?;
        let session = session(&self.environment, onnx).map_err(|error| load_error(name, error))?;
        Ok(Box::new(Loaded { name: name.to_owned(), session }))
    }
}

/// One thread, and no spinning: the workers are the parallelism, and an idle one must not burn a core. The format is
/// named, as ONNX Runtime would otherwise guess it, and its own format is not the one that was checked.
fn session(environment: &Environment, onnx: &[u8]) -> ::ort::Result<Session> {
    Session::builder(environment)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_config_entry("session.load_model_format", "ONNX")?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .commit_from_memory(onnx)
}

struct Loaded {
    name: String,
    session: Session,
}

impl Model for Loaded {
    fn run(
        &mut self,
        input: &str,
        shape: &[usize],
        data: &[f32],
        outputs: &[&str],
    ) -> Result<Vec<Tensor>, RuntimeError> {
        check_input(&self.name, shape, data)?;
        if !self.session.inputs().iter().any(|known| known.name() == input) {
            return Err(run_error(&self.name, format_args!("has no input {input:?}")));
        }
        let name = &self.name;
        let view = TensorRef::from_array_view((shape, data)).map_err(|error| run_error(name, error))?;
        let values = self.session.run(::ort::inputs![input => view]).map_err(|error| run_error(name, error))?;
        outputs.iter().map(|output| tensor(name, &values, output)).collect()
    }
}

fn tensor(model: &str, values: &SessionOutputs<'_>, output: &str) -> Result<Tensor, RuntimeError> {
    // Not `get`, which panics on an empty name.
    let value = values.iter().find(|(name, _)| *name == output).map(|(_, value)| value);
    let value = value.ok_or_else(|| run_error(model, format_args!("has no output {output:?}")))?;
    let (shape, data) = value
        .try_extract_tensor::<f32>()
        .map_err(|_| run_error(model, format_args!("output {output:?} is {}, not float", value.dtype())))?;
    let shape = shape.iter().map(|&side| usize::try_from(side)).collect::<Result<_, _>>();
    let shape = shape.map_err(|_| run_error(model, format_args!("output {output:?} has a negative side")))?;
    Ok(Tensor { shape, data: data.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_comes_from_the_file_name_only_where_it_agrees() {
        assert_eq!(version(32, Path::new("/x/libonnxruntime.so.1.32.0")), "1.32.0");
        assert_eq!(version(32, Path::new("/x/libonnxruntime.1.32.1.dylib")), "1.32.1");
        assert_eq!(version(32, Path::new("/x/libonnxruntime.so.1.31.0")), "1.32");
        assert_eq!(version(32, Path::new("/x/onnxruntime.dll")), "1.32");
    }
}
