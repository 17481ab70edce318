//! Data sets whose judgements stand in files of their own, across the border.

use std::path::PathBuf;
use std::str::FromStr;

use numpy::PyArray1;
use numpy::prelude::*;
use pyo3::prelude::*;

use super::interrupt::run;
use super::{PyDataset, access};
use crate::corpus::{Judged, QrelsFiles, Titles};
use crate::jsonl::OnError;

#[pyfunction]
#[pyo3(signature = (
    queries, corpus, qrels, entities = None, *, join_titles = true, on_error = "strict",
    memory_map = true, max_decompressed = None
))]
#[allow(clippy::too_many_arguments)] // One for each of Python's.
pub fn load_qrels<'py>(
    py: Python<'py>,
    queries: PathBuf,
    corpus: PathBuf,
    qrels: Vec<PathBuf>,
    entities: Option<PathBuf>,
    join_titles: bool,
    on_error: &str,
    memory_map: bool,
    max_decompressed: Option<Bound<'_, PyAny>>,
) -> PyResult<(Py<PyDataset>, Bound<'py, PyArray1<i64>>)> {
    let on_error = OnError::from_str(on_error)?;
    let access = access(memory_map, max_decompressed)?;
    let files = QrelsFiles {
        queries: &queries,
        corpus: &corpus,
        qrels: &qrels,
        entities: entities.as_deref(),
        titles: Titles::joined_if(join_titles),
    };
    let Judged { dataset, files } = run(py, || Judged::load(files, on_error, access))?;
    Ok((PyDataset::loaded(py, dataset)?, files.to_pyarray(py)))
}
