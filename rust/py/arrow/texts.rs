//! Texts as arrays of Arrow, of the type that a consumer asks for.

use std::collections::HashMap;
use std::panic::RefUnwindSafe;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::{Array as _, ArrayRef, GenericStringArray, OffsetSizeTrait, StringViewArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Schema};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use super::super::columns::pointer;
use super::{Made, raised};
use crate::corpus::{Bytes, TextColumn, Views};
use crate::error::Error;

/// The types of texts in Arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextType {
    /// Views of the column's own bytes.
    View,
    /// A copy, with offsets of 64 bits.
    Large,
    /// A copy, with offsets of 32 bits.
    Small,
}

impl TextType {
    /// Returns the type of texts, or of the texts in lists.
    fn of(asked: &DataType) -> Option<Self> {
        match asked {
            DataType::Utf8View => Some(Self::View),
            DataType::LargeUtf8 => Some(Self::Large),
            DataType::Utf8 => Some(Self::Small),
            DataType::List(item) | DataType::LargeList(item) => Self::of(item.data_type()),
            _ => None,
        }
    }
}

/// The types of texts that a consumer asks for, by the names of columns. Another wish goes unheard,
/// as the interface lets it.
#[derive(Debug, Default)]
pub struct Asked(HashMap<String, TextType>);

impl Asked {
    /// Reads the schema of a table.
    pub fn of(requested: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let schema = schema_in(requested)?.and_then(|schema| Schema::try_from(schema).ok());
        let Some(schema) = schema else {
            return Ok(Self::default());
        };
        let of = |field: &Arc<_>| {
            let field: &arrow_schema::Field = field;
            Some((field.name().clone(), TextType::of(field.data_type())?))
        };
        Ok(Self(schema.fields().iter().filter_map(of).collect()))
    }

    /// Returns the type of a column of texts.
    pub fn texts(&self, name: &str) -> TextType {
        self.0.get(name).copied().unwrap_or(TextType::View)
    }

    /// Returns the type of the texts in a column of lists. They are copied unless views are asked
    /// for, because not every consumer takes views in lists.
    pub fn lists(&self, name: &str) -> TextType {
        self.0.get(name).copied().unwrap_or(TextType::Large)
    }
}

/// Returns the schema in a capsule. It stays in there.
fn schema_in<'a>(requested: Option<&'a Bound<'_, PyAny>>) -> PyResult<Option<&'a FFI_ArrowSchema>> {
    let Some(requested) = requested.filter(|requested| !requested.is_none()) else {
        return Ok(None);
    };
    let schema = pointer::<FFI_ArrowSchema>(requested, c"arrow_schema")?;
    // SAFETY: the capsule's name says what it points to, and the capsule outlives the reference.
    Ok(Some(unsafe { &*schema }))
}

/// Gives some rows of a column of texts. A missing text, which is empty there, becomes null.
pub fn texts_of(
    column: &TextColumn,
    rows: impl ExactSizeIterator<Item = usize> + Clone,
    kind: TextType,
) -> Made<ArrayRef> {
    let mut valid = with_room(rows.len())?;
    valid.extend(rows.clone().map(|row| !column.is_blank(row)));
    let nulls = Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0);
    Ok(match kind {
        TextType::View => Arc::new(lent(column, rows, nulls)?),
        TextType::Large => Arc::new(copied::<i64>(column, rows, nulls)?),
        TextType::Small => Arc::new(copied::<i32>(column, rows, nulls)?),
    })
}

/// The owner of a column's bytes.
struct Owner(#[allow(dead_code)] Bytes);

// The bytes are kept, and not changed.
impl RefUnwindSafe for Owner {}

/// Lends texts where they stand.
fn lent(
    column: &TextColumn,
    rows: impl ExactSizeIterator<Item = usize> + Clone,
    nulls: Option<NullBuffer>,
) -> Made<StringViewArray> {
    let made = Views::of(column, rows).map_err(as_arrow)?;
    let owner = Arc::new(Owner(column.bytes().clone()));
    let lent = made.lent.into_iter().map(|part| {
        let part = &column.bytes()[part];
        let (start, owner) = (NonNull::from(part).cast(), Arc::clone(&owner));
        // SAFETY: the bytes live as long as their owner and have one place in memory for life.
        unsafe { Buffer::from_custom_allocation(start, part.len(), owner) }
    });
    let buffers: Vec<Buffer> = lent
        .chain(made.copied.into_iter().map(Buffer::from))
        .collect();
    // This checks that the texts are UTF-8 still: a file that is mapped may have been changed.
    StringViewArray::try_new(made.views.into(), buffers, nulls)
}

/// Copies texts.
fn copied<O: OffsetSizeTrait>(
    column: &TextColumn,
    rows: impl ExactSizeIterator<Item = usize>,
    nulls: Option<NullBuffer>,
) -> Made<GenericStringArray<O>> {
    let mut bytes = Vec::new();
    let mut offsets = with_room(rows.len() + 1)?;
    offsets.push(O::default());
    for row in rows {
        let text = column.get(row);
        bytes.try_reserve(text.len()).map_err(refused)?;
        bytes.extend_from_slice(text.as_bytes());
        let end = O::from_usize(bytes.len()).ok_or_else(|| {
            let message = "the texts have more than 2 GiB; expected a request for large_string";
            ArrowError::InvalidArgumentError(message.to_owned())
        })?;
        offsets.push(end);
    }
    GenericStringArray::try_new(OffsetBuffer::new(offsets.into()), bytes.into(), nulls)
}

fn with_room<T>(capacity: usize) -> Made<Vec<T>> {
    let mut items = Vec::new();
    items.try_reserve_exact(capacity).map_err(refused)?;
    Ok(items)
}

fn refused(error: std::collections::TryReserveError) -> ArrowError {
    ArrowError::MemoryError(format!("there is no memory for texts: {error}"))
}

fn as_arrow(error: Error) -> ArrowError {
    match error {
        Error::Memory { .. } => ArrowError::MemoryError(error.to_string()),
        other => ArrowError::InvalidArgumentError(other.to_string()),
    }
}

/// Gives a column of texts as one array.
pub fn array_of<'py>(
    py: Python<'py>,
    texts: &TextColumn,
    requested: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let asked = schema_in(requested)?.and_then(|asked| DataType::try_from(asked).ok());
    let kind = asked.and_then(|asked| TextType::of(&asked));
    let kind = kind.unwrap_or(TextType::View);
    let array = py.detach(|| texts_of(texts, 0..texts.len(), kind));
    let array = array.map_err(raised)?;
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
    let schema = FFI_ArrowSchema::try_from(&DataType::Utf8View).map_err(raised)?;
    PyCapsule::new_with_value(py, schema, c"arrow_schema")
}
