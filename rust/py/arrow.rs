//! Gives columns, data sets and samples to other libraries by Arrow's PyCapsule interface.

use std::ops::Range;
use std::panic::RefUnwindSafe;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{
    Array as _, ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeListArray, LargeListArray,
    LargeStringArray, PrimitiveArray, RecordBatch, RecordBatchReader,
};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use numpy::Element;
use numpy::ndarray::Dimension;
use pyo3::exceptions::{PyMemoryError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyTuple};

use super::numbers::{Array, Array1, Array2};
use super::text::{PyTextColumn, Strings};
use crate::corpus::TextColumn;

/// The number of rows that are copied at a time, so that a consumer of a stream needs memory for
/// them alone.
const BATCH: usize = 1 << 14;

type Made<T> = Result<T, ArrowError>;

/// The rows of a table, made when they are asked for.
pub trait Rows: Send + Sync {
    fn len(&self) -> usize;

    /// Returns the columns of some rows, each with its name. No rows are a valid range.
    fn columns(&self, rows: Range<usize>) -> Made<Vec<(String, ArrayRef)>>;
}

/// Columns that are in memory as Arrow has them.
struct Columns(Vec<(String, ArrayRef)>);

impl Rows for Columns {
    fn len(&self) -> usize {
        self.0.first().map_or(0, |(_, column)| column.len())
    }

    fn columns(&self, rows: Range<usize>) -> Made<Vec<(String, ArrayRef)>> {
        let part = |column: &ArrayRef| column.slice(rows.start, rows.len());
        let columns = self.0.iter();
        Ok(columns
            .map(|(name, column)| (name.clone(), part(column)))
            .collect())
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
        // Another schema is a wish, and the interface lets it go unheard.
        drop(requested_schema);
        let reader = Reader {
            schema: schema_of(&*self.0).map_err(raised)?,
            rows: Arc::clone(&self.0),
            next: 0,
        };
        let stream = FFI_ArrowArrayStream::new(Box::new(reader));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }

    pub fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = schema_of(&*self.0).and_then(|schema| FFI_ArrowSchema::try_from(&*schema));
        PyCapsule::new_with_value(py, schema.map_err(raised)?, c"arrow_schema")
    }
}

/// Makes a table of numpy arrays and texts. Arrays of numbers are lent, not copied.
#[pyfunction]
pub fn table(columns: &Bound<'_, PyDict>) -> PyResult<PyTable> {
    let mut made: Vec<(String, ArrayRef)> = Vec::with_capacity(columns.len());
    for (name, column) in columns {
        let name: String = name.extract()?;
        let column = column_of(&name, &column)?;
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

fn column_of(name: &str, given: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    if let Ok(texts) = given.cast::<PyTextColumn>() {
        let texts = &texts.get().0;
        return Ok(Arc::new(texts_of(texts, 0..texts.len()).map_err(raised)?));
    }
    if let Ok(lists) = given.cast::<PyTuple>() {
        let (offsets, items): (Array1<'_, i64>, Bound<'_, PyAny>) = lists.extract()?;
        return lists_of(offsets_of(&offsets)?, column_of(name, &items)?).map_err(raised);
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

/// Copies some rows of a column of texts. A missing text, which is empty there, becomes null.
pub fn texts_of(
    column: &TextColumn,
    rows: impl ExactSizeIterator<Item = usize>,
) -> Made<LargeStringArray> {
    let refused = |error: std::collections::TryReserveError| {
        ArrowError::MemoryError(format!("there is no memory for texts: {error}"))
    };
    let (mut bytes, mut offsets, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    offsets.try_reserve_exact(rows.len() + 1).map_err(refused)?;
    valid.try_reserve_exact(rows.len()).map_err(refused)?;
    offsets.push(0);
    for row in rows {
        let text = column.get(row);
        bytes.try_reserve(text.len()).map_err(refused)?;
        bytes.extend_from_slice(text.as_bytes());
        offsets.push(bytes.len() as i64);
        valid.push(!column.is_blank(row));
    }
    let nulls = Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0);
    LargeStringArray::try_new(OffsetBuffer::new(offsets.into()), bytes.into(), nulls)
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

fn schema_of(rows: &dyn Rows) -> Made<SchemaRef> {
    let fields = rows.columns(0..0)?.into_iter();
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
        let columns = self.rows.columns(start..self.next);
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

/// Gives a column of texts as one array.
pub fn array_of<'py>(py: Python<'py>, texts: &TextColumn) -> PyResult<Bound<'py, PyTuple>> {
    let array = py
        .detach(|| texts_of(texts, 0..texts.len()))
        .map_err(raised)?;
    let schema = FFI_ArrowSchema::try_from(array.data_type()).map_err(raised)?;
    let array = FFI_ArrowArray::new(&array.to_data());
    PyTuple::new(
        py,
        [
            PyCapsule::new_with_value(py, schema, c"arrow_schema")?,
            PyCapsule::new_with_value(py, array, c"arrow_array")?,
        ],
    )
}

/// Gives the type of a column of texts.
pub fn text_schema(py: Python<'_>) -> PyResult<Bound<'_, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(&DataType::LargeUtf8).map_err(raised)?;
    PyCapsule::new_with_value(py, schema, c"arrow_schema")
}

fn raised(error: ArrowError) -> PyErr {
    match error {
        ArrowError::MemoryError(message) => PyMemoryError::new_err(message),
        other => PyValueError::new_err(other.to_string()),
    }
}
