//! Near-duplicates, with progress.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use super::text::Texts;
use crate::near_duplicates as core;

#[pyfunction]
#[pyo3(signature = (texts, threshold, progress = None))]
pub fn near_duplicates<'py>(
    py: Python<'py>,
    texts: Texts<'_>,
    threshold: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let report = |done: usize, total: usize| {
        Python::attach(|py| {
            py.check_signals()?;
            match &progress {
                Some(progress) => progress.call1(py, (done, total)).map(drop),
                None => Ok(()),
            }
        })
    };
    let groups = texts.lend(py, |texts| core::groups(texts, threshold, report))??;
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
