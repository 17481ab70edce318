//! Converts Python's columns: Arrow's, numpy's, and sequences of `str` or `int`.

use std::borrow::Cow;
use std::ffi::CStr;

use arrow_array::cast::AsArray;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, LargeStringArray, StringArray, StringViewArray, StructArray, make_array,
};
use arrow_schema::{ArrowError, DataType};
use pyo3::Borrowed;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyCapsule, PyInt, PySequence, PyString, PyTuple};

use super::numbers::Array1;
use super::text::PyTextColumn;
use crate::columns::{Cell, Cells, Judgements};
use crate::corpus::TextColumn;

/// A column given by Python, which the core can read with the interpreter released.
pub enum Column {
    Texts(TextColumn),
    Items(Items),
    Arrow(ArrowColumn),
}

impl Column {
    /// Converts a column. `name` is the argument's name, for messages. If a table is given, its
    /// column `member` is used.
    pub fn of(name: &str, member: &str, given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = given.py();
        if let Ok(column) = given.cast::<PyTextColumn>() {
            return Ok(Self::Texts(column.get().0.clone()));
        }
        if given.hasattr(intern!(py, "__arrow_c_stream__"))? {
            return ArrowColumn::of_stream(name, member, given).map(Self::Arrow);
        }
        if given.hasattr(intern!(py, "__arrow_c_array__"))? {
            return ArrowColumn::of_array(name, member, given).map(Self::Arrow);
        }
        // A numpy array is not a sequence, but can convert itself to a list.
        let items = match given.getattr_opt(intern!(py, "tolist"))? {
            Some(tolist) => tolist.call0()?,
            None => given.clone(),
        };
        Items::of(name, &items).map(Self::Items)
    }

    /// Like [`Column::of`], for an optional argument.
    pub fn optional(
        name: &str,
        member: &str,
        given: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Self>> {
        given.map(|given| Self::of(name, member, given)).transpose()
    }

    pub fn cells(&self) -> &dyn Cells {
        match self {
            Self::Texts(column) => column,
            Self::Items(column) => column,
            Self::Arrow(column) => column,
        }
    }
}

impl Cells for TextColumn {
    fn rows(&self) -> usize {
        self.len()
    }

    fn get(&self, row: usize) -> Cell<'_> {
        match self.is_blank(row) {
            // In the core's columns an empty string stands for a missing text.
            true => Cell::Missing,
            false => Cell::Text(self.get(row)),
        }
    }

    fn texts(&self) -> Option<&TextColumn> {
        Some(self)
    }
}

/// A column given as a sequence.
pub struct Items(Vec<Item>);

enum Item {
    Missing,
    Text(PyBackedStr),
    Number(i128),
}

impl Items {
    fn of(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let wrong = |what: String| {
            PyTypeError::new_err(format!("{name}: {what}; expected a column of str or int"))
        };
        let kind = |item: &Bound<'_, PyAny>| item.get_type().name().map(|name| name.to_string());
        let items: Bound<'_, PyTuple> = match given.cast::<PySequence>() {
            Ok(sequence) if !given.is_instance_of::<PyString>() => sequence.to_tuple()?,
            _ => return Err(wrong(format!("a {}", kind(given)?))),
        };
        let mut cells = Vec::with_capacity(items.len());
        for (row, item) in items.iter_borrowed().enumerate() {
            cells.push(if item.is_none() {
                Item::Missing
            } else if item.is_instance_of::<PyString>() {
                Item::Text(item.extract()?)
            } else if item.is_exact_instance_of::<PyInt>() {
                Item::Number(item.extract()?)
            } else {
                return Err(wrong(format!("row {row} is a {}", kind(&item)?)));
            });
        }
        Ok(Self(cells))
    }
}

impl Cells for Items {
    fn rows(&self) -> usize {
        self.0.len()
    }

    fn get(&self, row: usize) -> Cell<'_> {
        match &self.0[row] {
            Item::Missing => Cell::Missing,
            Item::Text(text) => Cell::Text(Cow::Borrowed(text)),
            Item::Number(number) => Cell::Number(*number),
        }
    }
}

/// A column given by Arrow's C interface: its arrays, one after another.
pub struct ArrowColumn {
    parts: Vec<Part>,
    /// The first row of each part, then the number of all rows.
    starts: Vec<usize>,
}

enum Part {
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    Numbers(Vec<Option<i128>>),
}

impl ArrowColumn {
    fn of_stream(name: &str, member: &str, given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let capsule = given.call_method0(intern!(given.py(), "__arrow_c_stream__"))?;
        let stream = pointer::<FFI_ArrowArrayStream>(&capsule, c"arrow_array_stream")?;
        // SAFETY: the capsule's name says what it points to; taking the stream leaves a released
        // one behind.
        let stream = unsafe { ArrayStreamReader::from_raw(stream) };
        let wrong = |error: ArrowError| PyValueError::new_err(format!("{name}: {error}"));
        let arrays = stream.and_then(Iterator::collect::<Result<Vec<_>, _>>);
        Self::of_arrays(name, member, arrays.map_err(wrong)?)
    }

    fn of_array(name: &str, member: &str, given: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::of_arrays(name, member, vec![array_of(name, given)?])
    }

    fn of_arrays(name: &str, member: &str, arrays: Vec<ArrayRef>) -> PyResult<Self> {
        let (mut parts, mut starts) = (Vec::with_capacity(arrays.len()), vec![0]);
        for array in arrays {
            // This check finds texts that are not UTF-8 or lie outside their buffer.
            let checked = array.to_data().validate_full();
            checked.map_err(|error| PyValueError::new_err(format!("{name}: {error}")))?;
            let array = match array.as_struct_opt() {
                Some(table) => column_of(name, member, table)?,
                None => array,
            };
            starts.push(starts[starts.len() - 1] + array.len());
            parts.push(Part::of(name, &array)?);
        }
        Ok(Self { parts, starts })
    }
}

impl Cells for ArrowColumn {
    fn rows(&self) -> usize {
        self.starts[self.parts.len()]
    }

    fn get(&self, row: usize) -> Cell<'_> {
        let part = self.starts.partition_point(|&start| start <= row) - 1;
        self.parts[part].get(row - self.starts[part])
    }
}

impl Part {
    fn of(name: &str, array: &ArrayRef) -> PyResult<Self> {
        macro_rules! numbers {
            ($kind:ty) => {
                Self::Numbers(
                    (array.as_primitive::<$kind>().iter())
                        .map(|number| number.map(i128::from))
                        .collect(),
                )
            };
        }
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string().clone()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string().clone()),
            DataType::Utf8View => Self::TextView(array.as_string_view().clone()),
            DataType::Null => Self::Numbers(vec![None; array.len()]),
            DataType::Int8 => numbers!(Int8Type),
            DataType::Int16 => numbers!(Int16Type),
            DataType::Int32 => numbers!(Int32Type),
            DataType::Int64 => numbers!(Int64Type),
            DataType::UInt8 => numbers!(UInt8Type),
            DataType::UInt16 => numbers!(UInt16Type),
            DataType::UInt32 => numbers!(UInt32Type),
            DataType::UInt64 => numbers!(UInt64Type),
            other => {
                return Err(PyTypeError::new_err(format!(
                    "{name}: an Arrow column of {other}; expected one of strings or integers: cast \
                     it"
                )));
            }
        })
    }

    fn get(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Text(texts) if texts.is_valid(row) => Cell::Text(texts.value(row).into()),
            Self::LargeText(texts) if texts.is_valid(row) => Cell::Text(texts.value(row).into()),
            Self::TextView(texts) if texts.is_valid(row) => Cell::Text(texts.value(row).into()),
            Self::Numbers(numbers) => numbers[row].map_or(Cell::Missing, Cell::Number),
            _ => Cell::Missing,
        }
    }
}

/// Returns the column `member` of a table.
fn column_of(name: &str, member: &str, table: &StructArray) -> PyResult<ArrayRef> {
    table.column_by_name(member).cloned().ok_or_else(|| {
        PyValueError::new_err(format!(
            "{name}: the table has the columns {:?}; expected one called {member:?}, or a column \
             instead of the table",
            table.column_names()
        ))
    })
}

/// The relevant chunks of each question: CSR offsets, chunks, and their grades if given.
pub struct PyJudgements<'py> {
    offsets: Array1<'py, i64>,
    chunks: Array1<'py, i64>,
    grades: Option<Vec<f64>>,
}

impl<'py> FromPyObject<'_, 'py> for PyJudgements<'py> {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let parts = given.cast::<PyTuple>().ok();
        let parts = parts.filter(|parts| (2..=3).contains(&parts.len()));
        let parts = parts.ok_or_else(|| {
            let message = "relevant: expected (offsets, chunks) or (offsets, chunks, grades)";
            PyTypeError::new_err(message)
        })?;
        let grades = match parts.get_item(2) {
            Err(_) => None,
            Ok(grades) => Some(match grades.extract::<Array1<'_, i64>>() {
                Ok(whole) => whole.iter().map(|&grade| grade as f64).collect(),
                Err(_) => grades.extract::<Array1<'_, f64>>()?.to_vec(),
            }),
        };
        Ok(Self {
            offsets: parts.get_item(0)?.extract()?,
            chunks: parts.get_item(1)?.extract()?,
            grades,
        })
    }
}

impl PyJudgements<'_> {
    pub fn lend(&self) -> Judgements<'_> {
        Judgements {
            offsets: &self.offsets,
            chunks: &self.chunks,
            grades: self.grades.as_deref(),
        }
    }
}

/// Returns an array given by Arrow's C interface, whose content is not checked.
pub fn array_of(name: &str, given: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    let Some(give) = given.getattr_opt(intern!(given.py(), "__arrow_c_array__"))? else {
        let kind = given.get_type().name()?;
        let message = format!("{name}: a {kind}; expected an array of Arrow");
        return Err(PyTypeError::new_err(message));
    };
    let (schema, array): (Bound<'_, PyAny>, Bound<'_, PyAny>) = give.call0()?.extract()?;
    let schema = pointer::<FFI_ArrowSchema>(&schema, c"arrow_schema")?;
    let array = pointer::<FFI_ArrowArray>(&array, c"arrow_array")?;
    // SAFETY: the capsules' names say what they point to; taking both leaves released ones
    // behind.
    let data = unsafe {
        let schema = FFI_ArrowSchema::from_raw(schema);
        from_ffi(FFI_ArrowArray::from_raw(array), &schema)
    };
    let array = data.map(make_array);
    array.map_err(|error| PyValueError::new_err(format!("{name}: {error}")))
}

/// Returns the pointer in a capsule, which must have this name.
pub fn pointer<T>(capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<*mut T> {
    let capsule = capsule.cast::<PyCapsule>()?;
    Ok(capsule.pointer_checked(Some(name))?.as_ptr().cast())
}
