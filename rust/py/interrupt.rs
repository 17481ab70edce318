//! Handles Ctrl-C while the core works.
//!
//! Python records a signal when it arrives and handles it when the main thread asks. While the core
//! works, the main thread waits and asks from time to time. If a handler raises an exception, as
//! that of Ctrl-C does, the work is told to stop. The exception is raised when it has stopped.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::error::Result;
use crate::pool;

/// Runs `work` on the core's threads with the interpreter released. Raises the work's error, or the
/// exception of a signal handler.
pub fn run<R: Send>(py: Python<'_>, work: impl FnOnce() -> Result<R> + Send) -> PyResult<R> {
    if !is_main_thread(py)? {
        // Python handles signals on the main thread only.
        return Ok(py.detach(|| pool::run(work))?);
    }
    let mut raised = None;
    let outcome = py.detach(|| {
        pool::run_while(work, || {
            raised = Python::attach(|py| py.check_signals().err());
            raised.is_none()
        })
    });
    match (raised, outcome) {
        (Some(raised), _) => Err(raised),
        (None, outcome) => Ok(outcome?),
    }
}

/// Like [`run`], for work that cannot fail.
pub fn run_infallible<R: Send>(py: Python<'_>, work: impl FnOnce() -> R + Send) -> PyResult<R> {
    run(py, || Ok(work()))
}

/// Handles signals in a loop that holds the interpreter, once in 1,024 iterations.
pub struct Signals(u32);

impl Signals {
    pub fn new() -> Self {
        Self(0)
    }

    /// Counts an iteration. Raises the exception of a signal handler.
    pub fn check(&mut self, py: Python<'_>) -> PyResult<()> {
        self.0 = self.0.wrapping_add(1);
        if self.0.is_multiple_of(1 << 10) {
            py.check_signals()?;
        }
        Ok(())
    }
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    static THREADING: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let threading =
        THREADING.get_or_try_init(py, || PyResult::Ok(py.import("threading")?.unbind()))?;
    let threading = threading.bind(py);
    let main = threading.call_method0(intern!(py, "main_thread"))?;
    let own = threading.call_method0(intern!(py, "get_ident"))?;
    main.getattr(intern!(py, "ident"))?.eq(own)
}
