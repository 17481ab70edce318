//! Bindings of the reader of Parquet files.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use super::interrupt::run_infallible;
use super::text::PyTextColumn;
use crate::parquet::Parquet;

/// The texts of columns, then the rows that are null, no UTF-8, and blank.
type Cells<'py> = (
    PyTextColumn,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
);

#[pyclass(name = "ParquetFile", module = "stage2._core", frozen)]
pub struct PyParquetFile(Parquet);

#[pymethods]
impl PyParquetFile {
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Option<Self>> {
        let opened = run_infallible(py, || Parquet::open(&path).ok())?;
        Ok(opened.map(Self))
    }

    #[getter]
    fn num_rows(&self) -> usize {
        self.0.rows()
    }

    #[getter]
    fn names(&self) -> Vec<&str> {
        self.0.names().collect()
    }

    fn is_text(&self, name: &str) -> bool {
        self.0.is_text(name)
    }

    fn read<'py>(&self, py: Python<'py>, names: Vec<String>) -> PyResult<Option<Cells<'py>>> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let cells = run_infallible(py, || self.0.read(&names).ok())?;
        Ok(cells.map(|cells| {
            (
                PyTextColumn(cells.texts),
                cells.nulls.into_pyarray(py),
                cells.not_utf8.into_pyarray(py),
                cells.blank.into_pyarray(py),
            )
        }))
    }
}
