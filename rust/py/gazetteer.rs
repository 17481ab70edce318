//! Bindings of the search for names, and of the file of annotations that it makes.

use std::path::PathBuf;
use std::str::FromStr;

use numpy::prelude::*;
use numpy::{PyArray1, PyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::interrupt::run;
use super::loaded::PyLoaded;
use super::numbers::{Array1, Array2, count};
use super::text::{PyTextColumn, Strings, Texts};
use super::{access, span_arrays};
use crate::corpus;
use crate::gazetteer::{Form, Gazetteer, Rules};
use crate::jsonl::OnError;

#[pyclass(name = "Gazetteer", module = "stage2._core", frozen, extends = PyLoaded)]
pub struct PyGazetteer(Gazetteer);

/// Spans, their offsets, and the name of each span.
type FoundArrays<'py> = (
    Bound<'py, PyArray2<i64>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
);

#[pymethods]
impl PyGazetteer {
    #[staticmethod]
    #[pyo3(signature = (
        path, *, ignore_case = false, unicode_form = "nfc", min_length = None,
        on_error = "strict", max_decompressed = None
    ))]
    fn load(
        py: Python<'_>,
        path: PathBuf,
        ignore_case: bool,
        unicode_form: &str,
        min_length: Option<Bound<'_, PyAny>>,
        on_error: &str,
        max_decompressed: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<Self>> {
        let form = Form::from_str(unicode_form)?;
        let rules = Rules { ignore_case, form };
        let min_length = min_length.map_or(Ok(1), |length| count("min_length", &length))?;
        let on_error = OnError::from_str(on_error)?;
        let access = access(false, max_decompressed)?;
        let gazetteer = run(py, || {
            Gazetteer::load(&path, rules, min_length, on_error, access)
        })?;
        let base = PyClassInitializer::from(PyLoaded(gazetteer.findings.clone()));
        Py::new(py, base.add_subclass(Self(gazetteer)))
    }

    fn __len__(&self) -> usize {
        self.0.names.len()
    }

    #[getter]
    fn names(&self) -> PyTextColumn {
        PyTextColumn(self.0.names.clone())
    }

    #[getter]
    fn labels(&self) -> PyTextColumn {
        PyTextColumn(self.0.labels.clone())
    }

    fn find<'py>(&self, py: Python<'py>, texts: Texts<'_>) -> PyResult<FoundArrays<'py>> {
        let found = texts.lend(py, |texts| self.0.find(texts))?;
        let (spans, offsets) = span_arrays(py, &found.spans)?;
        Ok((spans, offsets, found.names.into_pyarray(py)))
    }
}

#[pyfunction]
pub fn write_annotations(
    py: Python<'_>,
    path: PathBuf,
    texts: Texts<'_>,
    spans: Array2<'_, i64>,
    offsets: Array1<'_, i64>,
    labels: Strings<'_>,
) -> PyResult<String> {
    if spans.len_of(1) != 2 {
        let message = format!("spans has {} columns; expected 2", spans.len_of(1));
        return Err(PyValueError::new_err(message));
    }
    let labels = labels.texts()?;
    let (spans, offsets) = (&*spans, &*offsets);
    let written = texts.lend(py, |texts| {
        corpus::write_annotations(&path, texts, spans, offsets, &labels)
    })?;
    Ok(written?)
}
