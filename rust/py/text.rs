//! Texts across the border: columns that Python indexes, sequences of `str` that the core reads.

use numpy::PyReadonlyArray1;
use pyo3::Borrowed;
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyList, PySequence, PySlice, PyString, PyTuple};

use crate::corpus::TextColumn;

/// A column of text that is decoded when it is asked for.
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
            let texts = (0..range.slicelength as isize)
                .map(|i| self.0.get((range.start + i * range.step) as usize));
            return Ok(PyList::new(py, texts)?.into_any());
        }
        let i = position(index.extract()?, self.0.len())?;
        Ok(PyString::new(py, &self.0.get(i)).into_any())
    }

    fn take<'py>(&self, indices: PyReadonlyArray1<'py, i64>) -> PyResult<Bound<'py, PyList>> {
        let places: Vec<usize> = indices
            .as_array()
            .iter()
            .map(|&i| position(i as isize, self.0.len()))
            .collect::<PyResult<_>>()?;
        PyList::new(indices.py(), places.into_iter().map(|i| self.0.get(i)))
    }

    fn __contains__(&self, text: &Bound<'_, PyAny>) -> bool {
        text.extract::<PyBackedStr>()
            .is_ok_and(|text| self.0.iter().any(|other| other == *text))
    }

    fn index(&self, text: PyBackedStr) -> PyResult<usize> {
        let found = self.0.iter().position(|other| other == *text);
        found.ok_or_else(|| PyValueError::new_err("the text is not in the column"))
    }

    fn count(&self, text: PyBackedStr) -> usize {
        self.0.iter().filter(|other| *other == *text).count()
    }

    fn __repr__(&self) -> String {
        format!("TextColumn({} texts)", self.0.len())
    }
}

/// A Python index, negative from the end.
pub fn position(index: isize, len: usize) -> PyResult<usize> {
    let from_start = if index < 0 {
        index + len as isize
    } else {
        index
    };
    usize::try_from(from_start)
        .ok()
        .filter(|&i| i < len)
        .ok_or_else(|| PyIndexError::new_err(format!("no text {index}; there are {len}")))
}

/// A sequence of `str`, held as a tuple: that keeps its items as they are while the interpreter is
/// let go of, and takes a reference to all of them at once, where one by one would take as long as
/// what is done with them.
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
    /// The items; an error if one is not a `str`, or not text.
    pub fn texts(&self) -> PyResult<Vec<&str>> {
        let mut texts = Vec::with_capacity(self.0.len());
        for item in self.0.iter_borrowed() {
            texts.push(item.extract()?);
        }
        Ok(texts)
    }
}

/// Texts from Python: a column as it is, or any other sequence of `str`.
#[derive(FromPyObject)]
pub enum Texts<'py> {
    Column(PyRef<'py, PyTextColumn>),
    Strings(Strings<'py>),
}

impl Texts<'_> {
    /// Lends the texts to `call`, which runs without the interpreter.
    pub fn lend<R: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&[&str]) -> R + Send,
    ) -> PyResult<R> {
        match self {
            Self::Column(column) => {
                let column = &column.0;
                Ok(py.detach(|| {
                    let texts: Vec<_> = column.iter().collect();
                    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
                    call(&texts)
                }))
            }
            Self::Strings(strings) => {
                let texts = strings.texts()?;
                Ok(py.detach(|| call(&texts)))
            }
        }
    }
}
