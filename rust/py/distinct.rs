//! Bindings of different texts, which are added as arrays of Arrow.

use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, GenericBinaryArray, LargeBinaryArray,
    OffsetSizeTrait,
};
use arrow_schema::{ArrowError, DataType};
use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::columns::array_of;
use super::interrupt::run_infallible;
use super::numbers::{Array1, count};
use super::text::PyTextColumn;
use crate::distinct::{DistinctTexts, Texts};

#[pyclass(name = "DistinctTexts", module = "stage2._core")]
pub struct PyDistinctTexts(DistinctTexts);

#[pymethods]
impl PyDistinctTexts {
    #[new]
    #[pyo3(signature = (room = None))]
    fn new(room: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let room = room.map_or(Ok(0), |room| count("room", room))?;
        Ok(Self(DistinctTexts::with_room(room)))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn add<'py>(
        &mut self,
        py: Python<'py>,
        array: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let cells = Cells::of(&array_of("texts", array)?)?;
        let texts = &mut self.0;
        let codes = run_infallible(py, || match &cells {
            Cells::Small(cells) => texts.add(cells),
            Cells::Large(cells) => texts.add(cells),
            Cells::View(cells) => texts.add(cells),
        })?;
        Ok(codes.into_pyarray(py))
    }

    #[getter]
    fn blank<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_slice(py, self.0.blank())
    }

    fn take(&mut self, py: Python<'_>) -> PyResult<PyTextColumn> {
        let texts = &mut self.0;
        Ok(PyTextColumn(run_infallible(py, || texts.take())?))
    }
}

/// The texts of an array as bytes, because the array may hold anything.
enum Cells {
    Small(BinaryArray),
    Large(LargeBinaryArray),
    View(BinaryViewArray),
}

impl Cells {
    fn of(texts: &ArrayRef) -> PyResult<Self> {
        // This checks that the texts lie in their buffers.
        let as_bytes = |kind: DataType| {
            let made = texts.to_data().into_builder().data_type(kind).build();
            made.map_err(|error: ArrowError| PyValueError::new_err(format!("texts: {error}")))
        };
        Ok(match texts.data_type() {
            DataType::Utf8 => Self::Small(as_bytes(DataType::Binary)?.into()),
            DataType::LargeUtf8 => Self::Large(as_bytes(DataType::LargeBinary)?.into()),
            DataType::Utf8View => Self::View(as_bytes(DataType::BinaryView)?.into()),
            other => {
                return Err(PyTypeError::new_err(format!(
                    "texts: an Arrow array of {other}; expected one of strings: cast it"
                )));
            }
        })
    }
}

impl<Offset: OffsetSizeTrait> Texts for GenericBinaryArray<Offset> {
    fn cells(&self) -> usize {
        self.len()
    }

    fn text(&self, cell: usize) -> Option<&[u8]> {
        self.is_valid(cell).then(|| self.value(cell))
    }
}

impl Texts for BinaryViewArray {
    fn cells(&self) -> usize {
        self.len()
    }

    fn text(&self, cell: usize) -> Option<&[u8]> {
        self.is_valid(cell).then(|| self.value(cell))
    }
}

/// The first place of each number, and the number of each key.
type Numbering<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>);

#[pyfunction]
pub fn numbered<'py>(py: Python<'py>, keys: Array1<'py, i64>) -> PyResult<Numbering<'py>> {
    let keys = &*keys;
    let (firsts, numbers) = run_infallible(py, || crate::distinct::numbered(keys))?;
    let firsts = firsts.into_pyarray(py);
    let numbers = numbers.map_or_else(|| firsts.clone(), |numbers| numbers.into_pyarray(py));
    Ok((firsts, numbers))
}
