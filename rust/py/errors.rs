//! Converts the core's errors to the exceptions that a Python user expects.

use pyo3::exceptions::{
    PyKeyboardInterrupt, PyMemoryError, PyOSError, PyRuntimeError, PyValueError,
};
use pyo3::prelude::*;

use crate::error::Error;

pyo3::create_exception!(stage2._core, InputError, PyValueError);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Usage(message) => PyValueError::new_err(message),
            Error::Memory { .. } => PyMemoryError::new_err(error.to_string()),
            Error::Threads(_) => PyRuntimeError::new_err(error.to_string()),
            // The caller raises the exception that stopped the work. This one is raised if it has
            // none.
            Error::Stopped => PyKeyboardInterrupt::new_err(()),
            // Given an error number, OSError becomes the right subclass, such as FileNotFoundError.
            Error::Io { path, source } => match source.raw_os_error() {
                Some(number) => {
                    PyOSError::new_err((number, describe(&source), path.into_os_string()))
                }
                None => Python::attach(|py| {
                    let kind = PyErr::from(source);
                    let message = format!("{}: {}", path.display(), kind.value(py));
                    PyErr::from_type(kind.get_type(py), message)
                }),
            },
            Error::Input(input) => Python::attach(|py| {
                let error = InputError::new_err(input.to_string());
                let value = error.value(py);
                let set = value
                    .setattr("file", &input.file)
                    .and_then(|()| value.setattr("line", input.line))
                    .and_then(|()| value.setattr("column", input.column))
                    .and_then(|()| value.setattr("reason", input.reason.as_str()));
                set.err().unwrap_or(error)
            }),
        }
    }
}

/// Returns the system's message without the "(os error 2)" that Rust appends, because Python shows
/// the number itself.
fn describe(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}
