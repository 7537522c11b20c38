//! The embedded backend: `rten`, pure Rust, one thread.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use ::rten::{ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueView};
use rten_tensor::Layout;

use super::{Model, Runtime, RuntimeError, Tensor, check_file, check_input, load_error, run_error};
use crate::verdict::RuntimeRef;

/// The version of the `rten` crate in the workspace's manifest; a test holds it to the lock file.
const VERSION: &str = "0.27.0";

/// The backend.
#[derive(Debug)]
pub(super) struct Rten;

impl Runtime for Rten {
    fn describe(&self) -> RuntimeRef {
        RuntimeRef { name: "rten".to_owned(), version: VERSION.to_owned() }
    }

    fn load(&self, name: &str, onnx: &[u8]) -> Result<Box<dyn Model>, RuntimeError> {
        check_file(name, onnx)?;
        let load = || ModelOptions::with_all_ops().prepack_weights(true).load(onnx.to_vec());
        // The reader adds lengths from the file without a check; what that panics on is a broken file, not a fault of ours.
        let loaded = catch_unwind(AssertUnwindSafe(load)).map_err(|_| load_error(name, "it is a broken ONNX file"))?;
        let model = loaded.map_err(|error| load_error(name, error))?;
        Ok(Box::new(Loaded { name: name.to_owned(), model, pool: pool() }))
    }
}

thread_local! {
    static POOL: RefCell<Option<Arc<ThreadPool>>> = const { RefCell::new(None) };
}

/// The one-threaded pool that all models of this thread share. Without it a model would run on rten's own pool of all
/// cores, and workers would fight over them.
fn pool() -> Arc<ThreadPool> {
    POOL.with_borrow_mut(|pool| Arc::clone(pool.get_or_insert_with(|| Arc::new(ThreadPool::with_num_threads(1)))))
}

struct Loaded {
    name: String,
    model: ::rten::Model,
    pool: Arc<ThreadPool>,
}

impl Loaded {
    /// The node of this name among `nodes`: rten would also take the name of an inner value or a constant.
    fn node(&self, name: &str, nodes: &[NodeId], what: &str) -> Result<NodeId, RuntimeError> {
        let found = self.model.find_node(name).filter(|id| nodes.contains(id));
        found.ok_or_else(|| run_error(&self.name, format_args!("has no {what} {name:?}")))
    }
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
        let input = self.node(input, self.model.input_ids(), "input")?;
        let ids = outputs
            .iter()
            .map(|name| self.node(name, self.model.output_ids(), "output"))
            .collect::<Result<Vec<_>, _>>()?;
        let view = ValueView::from_shape(shape, data).map_err(|error| run_error(&self.name, error))?;
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let values = self
            .model
            .run(vec![(input, view.into())], &ids, Some(options))
            .map_err(|error| run_error(&self.name, error))?;
        if values.len() != outputs.len() {
            return Err(run_error(&self.name, format_args!("gave {} of {} outputs", values.len(), outputs.len())));
        }
        outputs.iter().zip(values).map(|(name, value)| self.tensor(name, value)).collect()
    }
}

impl Loaded {
    fn tensor(&self, name: &str, value: Value) -> Result<Tensor, RuntimeError> {
        match value {
            Value::FloatTensor(tensor) => Ok(Tensor { shape: tensor.shape().to_vec(), data: tensor.into_data() }),
            other => Err(run_error(&self.name, format_args!("output {name:?} is {}, not float", other.dtype()))),
        }
    }
}
