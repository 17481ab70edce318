//! Bindings of what every load has: the rejected rows and the warnings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pyo3::prelude::*;

use super::interrupt::run;
use crate::corpus::Findings;
use crate::jsonl::Rejected;

/// A row that was rejected, and why.
#[pyclass(name = "Rejected", module = "stage2._core", frozen)]
pub struct PyRejected(Rejected);

#[pymethods]
impl PyRejected {
    #[getter]
    fn file(&self) -> &str {
        self.0.file()
    }

    #[getter]
    fn line(&self) -> usize {
        self.0.line
    }

    #[getter]
    fn column(&self) -> usize {
        self.0.column
    }

    #[getter]
    fn reason(&self) -> &'static str {
        self.0.reason.as_str()
    }

    #[getter]
    fn message(&self) -> &str {
        &self.0.message
    }

    #[getter]
    fn row(&self) -> String {
        self.0.row().into_owned()
    }

    fn __repr__(&self) -> String {
        let Rejected {
            line,
            column,
            message,
            ..
        } = &self.0;
        format!("Rejected({}:{line}:{column}: {message})", self.0.file())
    }
}

/// The base class of everything that is loaded: holds the rejected rows and the warnings.
#[pyclass(name = "Loaded", module = "stage2._core", frozen, subclass)]
pub struct PyLoaded(pub Findings);

#[pymethods]
impl PyLoaded {
    #[getter]
    fn rejected(&self) -> Vec<PyRejected> {
        self.0.rejected.iter().cloned().map(PyRejected).collect()
    }

    #[getter]
    fn rejected_counts(&self) -> BTreeMap<&'static str, usize> {
        self.0.counts()
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.0.warnings.clone()
    }

    fn write_rejected(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        run(py, || self.0.write_rejected(&path))
    }
}
