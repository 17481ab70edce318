//! Gives columns, data sets and samples to other libraries by Arrow's PyCapsule interface.

mod texts;

use std::ops::Range;
use std::panic::RefUnwindSafe;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{
    Array as _, ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeListArray, LargeListArray,
    LargeStringArray, PrimitiveArray, RecordBatch, RecordBatchReader,
};
use arrow_buffer::{ArrowNativeType, Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use numpy::Element;
use numpy::ndarray::Dimension;
use pyo3::exceptions::{PyMemoryError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyTuple};

use super::numbers::{Array, Array1, Array2};
use super::text::{PyTextColumn, Strings};
use crate::corpus::TextColumn;

pub use texts::{Asked, TextType, array_of, text_schema, texts_of};

/// The number of rows that are given at a time. Few, because whoever writes a part of a batch by
/// Arrow's IPC writes all bytes that the batch's views may point to.
const BATCH: usize = 1 << 11;

type Made<T> = Result<T, ArrowError>;

/// The rows of a table, made when they are asked for.
pub trait Rows: Send + Sync {
    fn len(&self) -> usize;

    /// Returns the columns of some rows, each with its name, and their texts in the types that are
    /// asked for. No rows are a valid range.
    fn columns(&self, rows: Range<usize>, asked: &Asked) -> Made<Vec<(String, ArrayRef)>>;
}

/// A column in memory: texts, or what stands there as Arrow has it.
enum Column {
    Texts(TextColumn),
    Array(ArrayRef),
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Array(array) => array.len(),
        }
    }
}

struct Columns(Vec<(String, Column)>);

impl Rows for Columns {
    fn len(&self) -> usize {
        self.0.first().map_or(0, |(_, column)| column.len())
    }

    fn columns(&self, rows: Range<usize>, asked: &Asked) -> Made<Vec<(String, ArrayRef)>> {
        let part = |name: &str, column: &Column| match column {
            Column::Texts(texts) => texts_of(texts, rows.clone(), asked.texts(name)),
            Column::Array(array) => Ok(array.slice(rows.start, rows.len())),
        };
        let columns = self.0.iter();
        columns
            .map(|(name, column)| Ok((name.clone(), part(name, column)?)))
            .collect()
    }
}

/// A table that other libraries read.
#[pyclass(name = "Table", module = "stage2._core", frozen)]
pub struct PyTable(Arc<dyn Rows>);

impl PyTable {
    pub fn of(rows: impl Rows + 'static) -> Self {
        Self(Arc::new(rows))
    }
}

#[pymethods]
impl PyTable {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[pyo3(signature = (requested_schema = None))]
    pub fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let asked = Asked::of(requested_schema.as_ref())?;
        let reader = Reader {
            schema: schema_of(&*self.0, &asked).map_err(raised)?,
            rows: Arc::clone(&self.0),
            asked,
            next: 0,
        };
        let stream = FFI_ArrowArrayStream::new(Box::new(reader));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }

    pub fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = schema_of(&*self.0, &Asked::default());
        let schema = schema.and_then(|schema| FFI_ArrowSchema::try_from(&*schema));
        PyCapsule::new_with_value(py, schema.map_err(raised)?, c"arrow_schema")
    }
}

/// Makes a table of numpy arrays and texts. Arrays of numbers and columns of texts are lent, not
/// copied.
#[pyfunction]
pub fn table(columns: &Bound<'_, PyDict>) -> PyResult<PyTable> {
    let mut made: Vec<(String, Column)> = Vec::with_capacity(columns.len());
    for (name, column) in columns {
        let name: String = name.extract()?;
        let column = match column.cast::<PyTextColumn>() {
            Ok(texts) => Column::Texts(texts.get().0.clone()),
            Err(_) => Column::Array(array_of_items(&name, &column)?),
        };
        if let Some((first, other)) = made.first()
            && other.len() != column.len()
        {
            return Err(PyValueError::new_err(format!(
                "{name} has {} rows and {first} {}; expected as many",
                column.len(),
                other.len()
            )));
        }
        made.push((name, column));
    }
    Ok(PyTable::of(Columns(made)))
}

fn array_of_items(name: &str, given: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    if let Ok(texts) = given.cast::<PyTextColumn>() {
        let texts = &texts.get().0;
        return texts_of(texts, 0..texts.len(), TextType::Large).map_err(raised);
    }
    if let Ok(lists) = given.cast::<PyTuple>() {
        let (offsets, items): (Array1<'_, i64>, Bound<'_, PyAny>) = lists.extract()?;
        return lists_of(offsets_of(&offsets)?, array_of_items(name, &items)?).map_err(raised);
    }
    if let Ok(vectors) = given.extract::<Array2<'_, f32>>() {
        let width = i32::try_from(vectors.len_of(1)).map_err(PyErr::from)?;
        let item = Arc::new(Field::new_list_field(DataType::Float32, false));
        let made = FixedSizeListArray::try_new_with_length(
            item,
            width,
            numbers::<_, _, Float32Type>(&vectors),
            None,
            vectors.len_of(0),
        );
        return Ok(Arc::new(made.map_err(raised)?));
    }
    if let Ok(array) = given.extract::<Array1<'_, i64>>() {
        return Ok(numbers::<_, _, Int64Type>(&array));
    }
    if let Ok(array) = given.extract::<Array1<'_, f64>>() {
        return Ok(numbers::<_, _, Float64Type>(&array));
    }
    if let Ok(array) = given.extract::<Array1<'_, f32>>() {
        return Ok(numbers::<_, _, Float32Type>(&array));
    }
    if let Ok(array) = given.extract::<Array1<'_, bool>>() {
        return Ok(Arc::new(BooleanArray::from(array.to_vec())));
    }
    if let Ok(texts) = given.extract::<Strings<'_>>() {
        return Ok(Arc::new(LargeStringArray::from(texts.texts()?)));
    }
    Err(PyTypeError::new_err(format!(
        "{name}: a {}; expected texts, an array of int64, float32, float64 or bool with 1 \
         dimension, one of float32 with 2, or (offsets, column)",
        given.get_type().name()?
    )))
}

/// The owner of a buffer's memory.
struct Owner(#[allow(dead_code)] Py<PyAny>);

// The object is kept, and not used.
impl RefUnwindSafe for Owner {}

/// Lends the memory of an array, which lives as long as the buffer.
fn buffer<T: Element, D: Dimension>(array: &Array<'_, T, D>) -> Buffer {
    let items: &[T] = array;
    let owner = Arc::new(Owner(array.object()));
    // SAFETY: the slice is the memory of a numpy array, which lives as long as its owner and has
    // one place in memory for life.
    unsafe {
        Buffer::from_custom_allocation(
            NonNull::from(items).cast(),
            std::mem::size_of_val(items),
            owner,
        )
    }
}

fn numbers<T, D, A>(array: &Array<'_, T, D>) -> ArrayRef
where
    T: Element + ArrowNativeType,
    D: Dimension,
    A: ArrowPrimitiveType<Native = T>,
{
    let values = ScalarBuffer::new(buffer(array), 0, array.len());
    Arc::new(PrimitiveArray::<A>::new(values, None))
}

/// Lends the offsets of lists, which must rise from 0.
fn offsets_of(array: &Array1<'_, i64>) -> PyResult<OffsetBuffer<i64>> {
    if array.first() != Some(&0) || array.windows(2).any(|pair| pair[0] > pair[1]) {
        let message = "the offsets of lists do not rise from 0; expected (n + 1,) that do";
        return Err(PyValueError::new_err(message));
    }
    Ok(OffsetBuffer::new(ScalarBuffer::new(
        buffer(array),
        0,
        array.len(),
    )))
}

/// Makes a column of lists of items.
pub fn lists_of(offsets: OffsetBuffer<i64>, items: ArrayRef) -> Made<ArrayRef> {
    let item: FieldRef = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    Ok(Arc::new(LargeListArray::try_new(
        item, offsets, items, None,
    )?))
}

/// Gathers the lists of some rows; `list` appends the items of a row.
pub fn gathered<T>(
    rows: Range<usize>,
    mut list: impl FnMut(usize, &mut Vec<T>),
) -> (OffsetBuffer<i64>, Vec<T>) {
    let (mut items, mut offsets) = (Vec::new(), vec![0]);
    for row in rows {
        list(row, &mut items);
        offsets.push(items.len() as i64);
    }
    (OffsetBuffer::new(offsets.into()), items)
}

fn schema_of(rows: &dyn Rows, asked: &Asked) -> Made<SchemaRef> {
    let fields = rows.columns(0..0, asked)?.into_iter();
    Ok(Arc::new(Schema::new(
        fields
            .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
            .collect::<Vec<_>>(),
    )))
}

/// Reads a table batch by batch, on whatever thread the consumer calls.
struct Reader {
    schema: SchemaRef,
    rows: Arc<dyn Rows>,
    asked: Asked,
    next: usize,
}

impl Iterator for Reader {
    type Item = Made<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next;
        if start >= self.rows.len() {
            return None;
        }
        self.next = self.rows.len().min(start + BATCH);
        let columns = self.rows.columns(start..self.next, &self.asked);
        Some(columns.and_then(|columns| {
            let columns = columns.into_iter().map(|(_, column)| column).collect();
            RecordBatch::try_new(Arc::clone(&self.schema), columns)
        }))
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

fn raised(error: ArrowError) -> PyErr {
    match error {
        ArrowError::MemoryError(message) => PyMemoryError::new_err(message),
        other => PyValueError::new_err(other.to_string()),
    }
}
