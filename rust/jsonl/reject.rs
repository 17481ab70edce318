//! Rows that are rejected, and the reasons.

use std::ops::Range;
use std::sync::Arc;

use super::Source;
use crate::error::{Error, Fault, InputError, Reason};

/// A rejected row: its byte range and its fault.
#[derive(Debug, Clone)]
pub struct Reject {
    pub row: Range<usize>,
    pub fault: Box<Fault>,
}

/// A rejected row with the line and column that people need.
#[derive(Debug, Clone)]
pub struct Rejected {
    pub source: Arc<Source>,
    pub row: Range<usize>,
    pub line: usize,
    pub column: usize,
    pub reason: Reason,
    pub message: String,
}

impl Reject {
    /// Returns the key that rejected rows are sorted by: the start of the row, then of the fault.
    pub fn place(&self) -> (usize, usize) {
        (self.row.start, self.fault.at)
    }
}

impl Rejected {
    pub fn file(&self) -> &str {
        &self.source.name
    }

    /// Returns the row's text. Bytes that are not UTF-8 are replaced.
    pub fn row(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.source.bytes[self.row.clone()])
    }
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        InputError {
            file: rejected.file().to_owned(),
            line: rejected.line,
            column: rejected.column,
            reason: rejected.reason,
            message: format!(
                "{}; correct it, or leave bad rows out with on_error \"skip\"",
                rejected.message
            ),
        }
        .into()
    }
}
