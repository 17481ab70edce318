//! Bindings of texts: columns that Python indexes, and sequences of `str` that the core reads.

use std::borrow::Cow;

use numpy::{IntoPyArray, PyArray1};
use pyo3::Borrowed;
use pyo3::exceptions::{PyIndexError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyCapsule, PyList, PySequence, PySlice, PyString, PyTuple};

use super::arrow;
use super::interrupt::{Signals, run, run_infallible};
use super::numbers::Array1;
use crate::cancel::check;
use crate::corpus::TextColumn;
use crate::error::{Error, Result};
use crate::memory::with_capacity;

/// A column of texts that are decoded when they are accessed.
#[pyclass(name = "TextColumn", module = "stage2._core", frozen, sequence)]
pub struct PyTextColumn(pub TextColumn);

#[pymethods]
impl PyTextColumn {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        if let Ok(slice) = index.cast::<PySlice>() {
            let range = slice.indices(self.0.len() as isize)?;
            let places = (0..range.slicelength as isize)
                .map(|i| Ok((range.start + i * range.step) as usize));
            return Ok(self.list(py, places)?.into_any());
        }
        let i = position(index, self.0.len())?;
        Ok(PyString::new(py, &self.0.get(i)).into_any())
    }

    fn take<'py>(
        &self,
        py: Python<'py>,
        indices: Array1<'py, i64>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.list(py, indices.iter().map(|&i| place(i, self.0.len())))
    }

    fn select(&self, py: Python<'_>, indices: Array1<'_, i64>) -> PyResult<Self> {
        let (indices, len) = (&*indices, self.0.len());
        let is_whole = indices.len() == len && indices.iter().copied().eq(0..len as i64);
        if is_whole {
            return Ok(Self(self.0.clone()));
        }
        let selected = run(py, || Ok(self.0.select(&rows_of(indices, len)?)))?;
        Ok(Self(selected))
    }

    fn first_equal<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArray1<i64>>>> {
        let first = run_infallible(py, || self.0.first_equal())?;
        Ok(first.map(|first| first.into_pyarray(py)))
    }

    fn differ<'py>(
        &self,
        py: Python<'py>,
        ones: Array1<'py, i64>,
        others: Array1<'py, i64>,
    ) -> PyResult<Bound<'py, PyArray1<bool>>> {
        let (ones, others, texts) = (&*ones, &*others, &self.0);
        let differ = run(py, || {
            let (ones, others) = (rows_of(ones, texts.len())?, rows_of(others, texts.len())?);
            texts.differ(&ones, &others)
        })?;
        Ok(differ.into_pyarray(py))
    }

    fn lengths<'py>(
        &self,
        py: Python<'py>,
        indices: Array1<'py, i64>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let (indices, texts) = (&*indices, &self.0);
        let lengths = run(py, || Ok(texts.lengths(&rows_of(indices, texts.len())?)))?;
        Ok(lengths.into_pyarray(py))
    }

    fn __contains__(&self, py: Python<'_>, text: &Bound<'_, PyAny>) -> PyResult<bool> {
        match text.extract::<PyBackedStr>() {
            Ok(text) => Ok(self.places(py, &text).next().transpose()?.is_some()),
            Err(_) => Ok(false),
        }
    }

    fn index(&self, py: Python<'_>, text: PyBackedStr) -> PyResult<usize> {
        let found = self.places(py, &text).next().transpose()?;
        found.ok_or_else(|| PyValueError::new_err("the text is not in the column"))
    }

    fn count(&self, py: Python<'_>, text: PyBackedStr) -> PyResult<usize> {
        self.places(py, &text)
            .try_fold(0, |count, place| place.map(|_| count + 1))
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        arrow::array_of(py, &self.0, requested_schema.as_ref())
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::text_schema(py)
    }

    fn __repr__(&self) -> String {
        format!("TextColumn({} texts)", self.0.len())
    }
}

impl PyTextColumn {
    /// Returns a list of the texts at some indices.
    fn list<'py>(
        &self,
        py: Python<'py>,
        places: impl Iterator<Item = PyResult<usize>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (list, mut signals) = (PyList::empty(py), Signals::new());
        for place in places {
            signals.check(py)?;
            list.append(PyString::new(py, &self.0.get(place?)))?;
        }
        Ok(list)
    }

    /// Yields the indices of all rows that equal a text.
    fn places<'a>(
        &'a self,
        py: Python<'a>,
        text: &'a str,
    ) -> impl Iterator<Item = PyResult<usize>> + use<'a> {
        let mut signals = Signals::new();
        let texts = self.0.iter().enumerate();
        texts.filter_map(move |(i, other)| match signals.check(py) {
            Ok(()) => (other == text).then_some(Ok(i)),
            Err(raised) => Some(Err(raised)),
        })
    }
}

#[pyfunction]
pub fn same_text<'py>(py: Python<'py>, texts: Texts<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let text =
        |texts: &[&str]| crate::same_text::first_of(texts.len(), |i| Cow::Borrowed(texts[i]));
    Ok(texts.lend(py, text)?.into_pyarray(py))
}

#[pyfunction]
pub fn text_key(text: PyBackedStr) -> String {
    crate::same_text::key(&text).into_owned()
}

/// Converts a Python index, which may be negative. Raises an IndexError if it is out of range.
pub fn position(index: &Bound<'_, PyAny>, len: usize) -> PyResult<usize> {
    match index.extract() {
        Ok(index) => place(index, len),
        Err(error) if error.is_instance_of::<PyOverflowError>(index.py()) => Err(
            PyIndexError::new_err(format!("no text has that number; there are {len}")),
        ),
        Err(error) => Err(error),
    }
}

/// Converts the numbers of texts. -1 is no text, and becomes the largest number.
fn rows_of(indices: &[i64], len: usize) -> Result<Vec<usize>> {
    let mut rows = with_capacity(indices.len());
    for &index in indices {
        check();
        let row = match index {
            -1 => usize::MAX,
            index => usize::try_from(index).unwrap_or(len),
        };
        if (len..usize::MAX).contains(&row) {
            return Err(Error::Usage(format!(
                "no text {index}; there are {len}, and -1 for none"
            )));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Like [`position`], for an integer.
fn place(index: i64, len: usize) -> PyResult<usize> {
    let from_start = if index < 0 { index + len as i64 } else { index };
    usize::try_from(from_start)
        .ok()
        .filter(|&i| i < len)
        .ok_or_else(|| PyIndexError::new_err(format!("no text {index}; there are {len}")))
}

/// A sequence of `str`, held as a tuple. The tuple keeps the items unchanged while the interpreter
/// is released, and refers to all of them at once: taking a reference to each would take as long as
/// the work on them.
pub struct Strings<'py>(Bound<'py, PyTuple>);

impl<'py> FromPyObject<'_, 'py> for Strings<'py> {
    type Error = PyErr;

    fn extract(sequence: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if sequence.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err(
                "expected a sequence of str, not a str",
            ));
        }
        Ok(Self(sequence.cast::<PySequence>()?.to_tuple()?))
    }
}

impl Strings<'_> {
    /// Returns the items. Raises an error if one is not a `str`, or has lone surrogates.
    pub fn texts(&self) -> PyResult<Vec<&str>> {
        let mut texts = Vec::with_capacity(self.0.len());
        for item in self.0.iter_borrowed() {
            texts.push(item.extract()?);
        }
        Ok(texts)
    }
}

/// Texts from Python: a column, or any other sequence of `str`.
#[derive(FromPyObject)]
pub enum Texts<'py> {
    Column(PyRef<'py, PyTextColumn>),
    Strings(Strings<'py>),
}

impl Texts<'_> {
    /// Calls `call` with the texts, with the interpreter released.
    pub fn lend<R: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&[&str]) -> R + Send,
    ) -> PyResult<R> {
        match self {
            Self::Column(column) => {
                let column = &column.0;
                run(py, || {
                    let texts = column.iter().inspect(|_| check());
                    let texts: Vec<_> = texts.collect();
                    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
                    Ok(call(&texts))
                })
            }
            Self::Strings(strings) => {
                let texts = strings.texts()?;
                run(py, || Ok(call(&texts)))
            }
        }
    }
}
