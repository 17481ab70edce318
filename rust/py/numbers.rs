//! Converts Python's arrays and numbers. A wrong argument raises a TypeError or a ValueError that
//! says what was expected.

use std::any::type_name;
use std::ops::Deref;

use numpy::ndarray::Dimension;
use numpy::{Element, PyArray, PyArrayMethods, PyReadonlyArray, PyUntypedArray};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::{Borrowed, intern};

use crate::error::quoted;

/// A C-contiguous numpy array of `T`. An array with another layout is copied.
pub struct Array<'py, T: Element, D: Dimension>(PyReadonlyArray<'py, T, D>);

pub type Array1<'py, T> = Array<'py, T, numpy::Ix1>;
pub type Array2<'py, T> = Array<'py, T, numpy::Ix2>;

impl<'py, T: Element, D: Dimension> FromPyObject<'_, 'py> for Array<'py, T, D> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let py = object.py();
        if object.hasattr(intern!(py, "mask"))? {
            return Err(PyTypeError::new_err(
                "a masked array, whose mask would be ignored; expected a plain one: fill it or \
                 compress it",
            ));
        }
        let Ok(array) = object.cast::<PyArray<T, D>>() else {
            let message = format!(
                "expected {}, not {}",
                expected_type::<T, D>(),
                found(&object)
            );
            return Err(PyTypeError::new_err(message));
        };
        let flags = array.getattr(intern!(py, "flags"))?;
        let is_set = |name| flags.getattr(name)?.is_truthy();
        let array = if is_set(intern!(py, "c_contiguous"))? && is_set(intern!(py, "aligned"))? {
            array.to_owned()
        } else {
            let copy = array.call_method1(intern!(py, "copy"), ("C",))?;
            copy.cast_into::<PyArray<T, D>>()?
        };
        Ok(Self(array.try_readonly()?))
    }
}

impl<T: Element, D: Dimension> Array<'_, T, D> {
    /// Returns the numpy array itself, or the copy that was made of it.
    pub fn object(&self) -> Py<PyAny> {
        self.0.as_any().clone().unbind()
    }

    /// Returns the length along an axis.
    pub fn len_of(&self, axis: usize) -> usize {
        use numpy::PyUntypedArrayMethods;
        self.0.shape().get(axis).copied().unwrap_or(1)
    }
}

impl<T: Element, D: Dimension> Deref for Array<'_, T, D> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // `extract` made the array contiguous.
        self.0.as_slice().unwrap_or_default()
    }
}

/// Describes the expected array.
fn expected_type<T, D: Dimension>() -> String {
    let kind = match type_name::<T>() {
        "i64" => "int64",
        "f32" => "float32",
        "f64" => "float64",
        other => other,
    };
    let dimensions = D::NDIM.unwrap_or_default();
    format!(
        "a numpy array of {kind} with {dimensions} dimension{}",
        if dimensions == 1 { "" } else { "s" }
    )
}

/// Describes an object: an array by its dtype and shape, any other object by its type.
fn found(object: &Bound<'_, PyAny>) -> String {
    let described = |name| object.getattr(name).and_then(|it| it.str()).ok();
    if object.is_instance_of::<PyUntypedArray>()
        && let (Some(dtype), Some(shape)) = (described("dtype"), described("shape"))
    {
        return format!("an array of {dtype} with shape {shape}");
    }
    type_of(object)
}

/// Describes an object by its type.
fn type_of(object: &Bound<'_, PyAny>) -> String {
    let name = object.get_type().name();
    name.map_or_else(|_| "another object".to_owned(), |name| format!("a {name}"))
}

/// Returns a value as messages show it.
fn repr_of(value: &Bound<'_, PyAny>) -> String {
    // Python refuses to print numbers with thousands of digits.
    let Ok(text) = value.repr() else {
        return type_of(value);
    };
    let text = text.to_string_lossy();
    if text.len() <= 100 {
        return text.into_owned();
    }
    quoted(&text)
}

/// Converts a whole number from 0 to 2**64 − 1; `name` is the argument's.
pub fn unsigned(name: &str, value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let error = match value.extract() {
        Ok(number) => return Ok(number),
        Err(error) => error,
    };
    if !error.is_instance_of::<PyOverflowError>(value.py()) {
        let message = format!("{name} is {}; expected a whole number", repr_of(value));
        return Err(PyTypeError::new_err(message));
    }
    let expected = if value.lt(0)? {
        "0 or more"
    } else {
        "less than 2**64"
    };
    Err(PyValueError::new_err(format!(
        "{name} is {}; expected {expected}",
        repr_of(value)
    )))
}

/// Converts a whole number that counts something. Too large a number becomes the largest `usize`.
pub fn count(name: &str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    Ok(usize::try_from(unsigned(name, value)?).unwrap_or(usize::MAX))
}

/// Converts a number that float32 can hold, or None.
pub fn number(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<f32>> {
    if value.is_none() {
        return Ok(None);
    }
    let wrong = || {
        let message = format!("{name} is {}; expected a number or None", repr_of(value));
        PyTypeError::new_err(message)
    };
    let number = value.extract::<f64>().map_err(|_| wrong())? as f32;
    if number.is_finite() {
        return Ok(Some(number));
    }
    let message = format!(
        "{name} is {}; expected a finite number of float32",
        repr_of(value)
    );
    Err(PyValueError::new_err(message))
}
