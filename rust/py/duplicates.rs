//! Bindings of the search for near-duplicates.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use super::text::Texts;
use crate::cancel;
use crate::error::Error;
use crate::near_duplicates as core;

#[pyfunction]
#[pyo3(signature = (texts, threshold, progress = None))]
pub fn near_duplicates<'py>(
    py: Python<'py>,
    texts: Texts<'_>,
    threshold: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    // An exception of the progress function ends the work and is raised here.
    let mut raised = None;
    let report = |done: usize, total: usize| {
        cancel::check();
        let Some(progress) = &progress else {
            return Ok(());
        };
        Python::attach(|py| progress.call1(py, (done, total)).map(drop)).map_err(|error| {
            raised = Some(error);
            Error::Stopped
        })
    };
    let found = texts.lend(py, |texts| core::groups(texts, threshold, report));
    let groups = match raised {
        Some(error) => return Err(error),
        None => found??,
    };
    Ok(groups
        .into_iter()
        .map(|first| first as i64)
        .collect::<Vec<_>>()
        .into_pyarray(py))
}

#[pyfunction]
pub fn shingles<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyArray1<u64>> {
    core::shingles(text).into_pyarray(py)
}
