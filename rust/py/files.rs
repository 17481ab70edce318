//! Bindings of readers of single files: a corpus, and the bytes of a file that Python parses.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::access;
use super::interrupt::run;
use super::loaded::PyLoaded;
use super::text::PyTextColumn;
use crate::corpus;
use crate::jsonl::{Expected, Lines, OnError, read};

#[pyfunction]
#[pyo3(signature = (path, on_error = "strict", max_decompressed = None))]
pub fn load_chunks(
    py: Python<'_>,
    path: PathBuf,
    on_error: &str,
    max_decompressed: Option<Bound<'_, PyAny>>,
) -> PyResult<(PyTextColumn, PyLoaded)> {
    let on_error = OnError::from_str(on_error)?;
    let access = access(false, max_decompressed)?;
    let (chunks, findings) = run(py, || corpus::load_chunks(&path, on_error, access))?;
    Ok((PyTextColumn(chunks.texts), PyLoaded(findings)))
}

#[pyfunction]
#[pyo3(signature = (path, max_decompressed = None))]
pub fn read_bytes<'py>(
    py: Python<'py>,
    path: PathBuf,
    max_decompressed: Option<Bound<'_, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let access = access(false, max_decompressed)?;
    let contents = run(py, || read(&path, access, Expected::Text))?;
    Ok(PyBytes::new(py, &contents))
}

/// The lines of a file, read when they are asked for.
#[pyclass(name = "Lines", module = "stage2._core")]
pub struct PyLines(Mutex<Lines>);

impl PyLines {
    fn lines(&mut self) -> &mut Lines {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl PyLines {
    #[new]
    #[pyo3(signature = (path, max_decompressed = None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        max_decompressed: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let access = access(false, max_decompressed)?;
        let lines = run(py, || Lines::open(&path, access))?;
        Ok(Self(Mutex::new(lines)))
    }

    #[getter]
    fn is_list(&mut self) -> bool {
        self.lines().begins_with(b'[')
    }

    fn read<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let lines = self.lines();
        while lines.has_more() {
            run(py, || lines.fill())?;
        }
        Ok(PyBytes::new(py, lines.in_memory()))
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let lines = self.lines();
        loop {
            if let Some(place) = lines.next_in_memory() {
                return Ok(Some(PyBytes::new(py, lines.line(place))));
            }
            if !lines.has_more() {
                return Ok(None);
            }
            run(py, || lines.fill())?;
        }
    }
}
