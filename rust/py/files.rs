//! Bindings of readers of single files: a corpus, and the bytes of a file that Python parses.

use std::path::PathBuf;
use std::str::FromStr;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::access;
use super::interrupt::run;
use super::loaded::PyLoaded;
use super::text::PyTextColumn;
use crate::corpus;
use crate::jsonl::{Expected, OnError, read};

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
