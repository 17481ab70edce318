//! Bindings of samples.

use std::path::PathBuf;
use std::str::FromStr;

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::interrupt::run;
use super::loaded::PyLoaded;
use super::numbers::Array1;
use super::text::PyTextColumn;
use super::{SharedArray, access, grades, tables};
use crate::jsonl::OnError;
use crate::samples::{Samples, rising_rows};

#[pyclass(name = "Samples", module = "stage2._core", frozen, extends = PyLoaded)]
pub struct PySamples {
    pub samples: Samples,
    candidates: SharedArray,
    offsets: SharedArray,
    num_relevant: SharedArray,
}

impl PySamples {
    pub fn wrap(py: Python<'_>, samples: Samples) -> PyResult<Py<Self>> {
        let base = PyClassInitializer::from(PyLoaded(samples.findings.clone()));
        let this = Self {
            samples,
            candidates: SharedArray::new(),
            offsets: SharedArray::new(),
            num_relevant: SharedArray::new(),
        };
        Py::new(py, base.add_subclass(this))
    }
}

#[pymethods]
impl PySamples {
    #[staticmethod]
    #[pyo3(signature = (path, on_error = "strict", max_decompressed = None))]
    fn load_jsonl(
        py: Python<'_>,
        path: PathBuf,
        on_error: &str,
        max_decompressed: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<Self>> {
        let on_error = OnError::from_str(on_error)?;
        let access = access(false, max_decompressed)?;
        let samples = run(py, || Samples::load(&path, on_error, access))?;
        Self::wrap(py, samples)
    }

    fn __len__(&self) -> usize {
        self.samples.len()
    }

    #[getter]
    fn qa_ids(&self) -> PyTextColumn {
        PyTextColumn(self.samples.qa_ids.clone())
    }

    #[getter]
    fn questions(&self) -> PyTextColumn {
        PyTextColumn(self.samples.questions.clone())
    }

    #[getter]
    fn answers(&self) -> PyTextColumn {
        PyTextColumn(self.samples.answers.clone())
    }

    #[getter]
    fn contexts(&self) -> PyTextColumn {
        PyTextColumn(self.samples.contexts.clone())
    }

    #[getter]
    fn context_ids(&self) -> PyTextColumn {
        PyTextColumn(self.samples.context_ids.clone())
    }

    #[getter]
    fn candidates<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        self.candidates.of(py, &self.samples.candidates)
    }

    #[getter]
    fn offsets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        self.offsets.of(py, &self.samples.offsets)
    }

    #[getter]
    fn num_relevant<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        self.num_relevant.of(py, &self.samples.num_relevant)
    }

    #[getter]
    fn grades<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        grades(py, &self.samples.grades)
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        slf: Bound<'py, Self>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let py = slf.py();
        tables::of_samples(slf.unbind()).__arrow_c_stream__(py, requested_schema)
    }

    fn __arrow_c_schema__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyCapsule>> {
        let py = slf.py();
        tables::of_samples(slf.unbind()).__arrow_c_schema__(py)
    }

    fn take(&self, py: Python<'_>, rows: Array1<'_, i64>) -> PyResult<Py<Self>> {
        let rows = &*rows;
        let samples = run(py, || {
            let rows = rising_rows(rows, self.samples.len())?;
            Ok(self.samples.select(&rows))
        })?;
        Self::wrap(py, samples)
    }

    #[pyo3(signature = (path, rows = None))]
    fn write_jsonl(
        &self,
        py: Python<'_>,
        path: PathBuf,
        rows: Option<Array1<'_, i64>>,
    ) -> PyResult<String> {
        let rows = rows.as_deref();
        run(py, || self.samples.write_jsonl(&path, rows))
    }
}
