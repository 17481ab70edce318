//! Reads the rows of a JSONL file or a JSON array in parallel, and collects the bad rows.
//!
//! A file is cut into pieces of whole rows. The pieces depend on the file alone. Each piece is
//! validated and read into its own columns. The columns and the faults are joined in file order, so
//! the result is the same for any number of threads.

mod array;
mod compression;
pub mod foreign;
pub mod key_cache;
mod lines;
mod position;
mod read;
mod reject;
mod row;
pub mod scan;
pub mod special;
pub mod unescape;

use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rayon::prelude::*;

use crate::cancel::check;
use crate::error::{Error, Fault, InputError, Reason, Result};
use crate::memory;
pub use lines::Lines;
pub use position::Positions;
pub use read::{Access, Contents, Expected, read};
pub(crate) use read::{open, read_at};
pub use reject::{Reject, Rejected};
pub use row::Row;

/// The bytes of rows that one task reads: few enough for the second-level cache, and enough to
/// repay the task's overhead.
const PIECE: usize = 256 << 10;

/// The number of pieces that a small file is cut into, one that is smaller than as many pieces of
/// [`PIECE`] bytes.
const SMALL_FILE_PIECES: usize = 16;

/// Once in so many pieces it is checked that there is memory for the columns of the next ones.
const PIECES_PER_LOOK: usize = 64;
/// The bytes of the columns of short rows, as a multiple of the bytes of the file.
const COLUMNS_SHARE: usize = 4;

/// The bytes that a rejected row takes until it is reported.
pub const REJECT_BYTES: usize = 1 << 10;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The policy for bad rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Stop at the first bad row.
    Strict,
    /// Leave bad rows out and report them.
    Skip,
}

impl FromStr for OnError {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "strict" => Ok(Self::Strict),
            "skip" => Ok(Self::Skip),
            _ => Err(Error::Usage(format!(
                "on_error is {name:?}; expected \"strict\" or \"skip\""
            ))),
        }
    }
}

/// A file's bytes and their division into rows.
#[derive(Debug)]
pub struct Source {
    name: String,
    bytes: Contents,
    layout: Layout,
    /// A fault of the JSON array itself. The rejected "row" is the rest of the file.
    damage: Option<Reject>,
}

/// How the bytes are divided into rows.
#[derive(Debug)]
enum Layout {
    /// JSONL: one row on each line; blank lines are not rows.
    Lines { start: usize },
    /// The elements of a JSON array.
    Elements(Vec<Range<usize>>),
    /// A table in memory, written as one row on each line.
    Table,
}

/// The rows of a source: one `T` for each piece, in file order, and the rejected rows.
#[derive(Debug)]
pub struct Parsed<T> {
    pub pieces: Vec<T>,
    pub rejects: Vec<Reject>,
}

impl Source {
    /// Reads or maps a file.
    ///
    /// # Errors
    /// The file is missing, unreadable, a damaged archive, in another format, too large, or without
    /// rows.
    pub fn open(path: &Path, access: Access) -> Result<Self> {
        let bytes = read(path, access, Expected::Rows)?;
        Self::from_bytes(&path.display().to_string(), bytes)
    }

    /// Reads or maps a file whose rows are lines of fields with tabs between them.
    ///
    /// # Errors
    /// A file that is missing, unreadable or damaged as an archive.
    pub fn open_table(path: &Path, access: Access) -> Result<Self> {
        let bytes = read(path, access, Expected::Table)?;
        Ok(Self::of_lines(&path.display().to_string(), bytes))
    }

    /// Reads a file of names and returns its bytes, which [`Source::of_lines`] or
    /// [`Source::from_bytes`] divide into rows.
    ///
    /// # Errors
    /// A file that is missing, unreadable or damaged as an archive.
    pub fn read_names(path: &Path, access: Access) -> Result<Contents> {
        read::read(path, access, Expected::Names)
    }

    /// Takes `bytes` for the lines of a file called `name`.
    pub fn of_lines(name: &str, bytes: impl Into<Contents>) -> Self {
        let bytes = bytes.into();
        let start = mark_length(&bytes);
        Self {
            name: name.to_owned(),
            bytes,
            layout: Layout::Lines { start },
            damage: None,
        }
    }

    /// The extent of the first row; none where there is no row.
    pub fn first_row(&self) -> Option<Range<usize>> {
        let start = skip_white(&self.bytes, self.first_line());
        (start < self.bytes.len()).then(|| self.row_at(start))
    }

    /// Makes a source of the content of a file called `name`. Fails if it has no rows.
    pub fn from_bytes(name: &str, bytes: impl Into<Contents>) -> Result<Self> {
        let mut source = Self::of_lines(name, bytes);
        let start = skip_white(&source.bytes, source.first_line());
        let mut is_empty = start == source.bytes.len();
        if source.bytes.get(start) == Some(&b'[') {
            let (elements, fault) = array::elements(&source.bytes, start);
            is_empty = elements.is_empty() && fault.is_none();
            source.damage = fault.map(|fault| Reject {
                row: fault.at..source.bytes.len(),
                fault,
            });
            source.layout = Layout::Elements(elements);
        }
        if is_empty {
            return Err(source.no_rows_error("the file is empty"));
        }
        Ok(source)
    }

    /// Makes a source of a table in memory that is called `name`. `rows` holds one row on each
    /// line. Fails if it has no rows.
    pub fn of_table(name: &str, rows: Vec<u8>) -> Result<Self> {
        if rows.is_empty() {
            let message = format!("{name} has no rows; expected at least one");
            return Err(Error::Usage(message));
        }
        Ok(Self {
            name: name.to_owned(),
            bytes: rows.into(),
            layout: Layout::Table,
            damage: None,
        })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Converts a line and column to those that are reported. A table reports its row, from 0, and
    /// the column 0.
    fn reported(&self, (line, column): (usize, usize)) -> (usize, usize) {
        match self.layout {
            Layout::Table => (line - 1, 0),
            _ => (line, column),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the error for a file that has no usable row; `what` says why.
    pub fn no_rows_error(&self, what: &str) -> Error {
        let message = format!(
            "{what}; expected at least one row, a JSON object; check that this is the right file \
             and that whatever wrote it has finished"
        );
        self.error_at(0, Reason::EmptyFile, message)
    }

    /// Returns an error at a byte offset that ends the reading even when bad rows are skipped.
    pub fn error_at(&self, at: usize, reason: Reason, message: String) -> Error {
        let (line, column) = self.reported(Positions::of(&self.bytes).move_to(at));
        InputError {
            file: self.name.clone(),
            line,
            column,
            reason,
            message,
        }
        .into()
    }

    /// Returns the row in a byte range that is known to hold one.
    pub fn row(&self, range: Range<usize>) -> Row<'_> {
        Row::of(&self.bytes, range)
    }

    /// Reads every row with `read`, which appends it to the columns of its piece or returns a
    /// fault.
    ///
    /// Under [`OnError::Strict`] the rows after the first bad one may be missing.
    pub fn parse<T: Default + Send>(
        &self,
        on_error: OnError,
        read: impl Fn(&mut T, Row<'_>) -> Result<(), Box<Fault>> + Sync,
    ) -> Parsed<T> {
        let pieces = self.pieces();
        let first_bad = AtomicUsize::new(usize::MAX);
        let noted = memory::Allowance::new(REJECT_BYTES);
        let parsed: Vec<_> = pieces
            .into_par_iter()
            .enumerate()
            .map(|(i, piece)| {
                let (mut columns, mut rejects) = (T::default(), Vec::new());
                if i > first_bad.load(Relaxed) {
                    return (columns, rejects);
                }
                check();
                if i % PIECES_PER_LOOK == 0 {
                    let left = self.bytes.len() - piece.span().start.min(self.bytes.len());
                    memory::ensure_available(COLUMNS_SHARE * left.min(PIECES_PER_LOOK * PIECE));
                }
                let known_utf8 = simdutf8::basic::from_utf8(&self.bytes[piece.span()]).is_ok();
                piece.each_row(&self.bytes, |row| {
                    check();
                    let mut outcome = if known_utf8 { Ok(()) } else { row.check_utf8() };
                    if outcome.is_ok() {
                        outcome = read(&mut columns, row);
                    }
                    if let Err(fault) = outcome {
                        noted.take();
                        rejects.push(Reject {
                            row: row.range(),
                            fault,
                        });
                        if on_error == OnError::Skip {
                            return true;
                        }
                        first_bad.fetch_min(i, Relaxed);
                        return false;
                    }
                    true
                });
                (columns, rejects)
            })
            .collect();
        let (pieces, rejects): (Vec<T>, Vec<Vec<Reject>>) = parsed.into_iter().unzip();
        let count: usize = rejects.iter().map(Vec::len).sum();
        memory::ensure_available(count * REJECT_BYTES);
        let mut rejects: Vec<Reject> = rejects.into_iter().flatten().collect();
        if let Some(damage) = &self.damage {
            rejects.push(damage.clone());
        }
        Parsed { pieces, rejects }
    }

    /// Returns the offset of the first line, after a byte order mark.
    fn first_line(&self) -> usize {
        match self.layout {
            Layout::Lines { start } => start,
            _ => 0,
        }
    }

    /// Cuts the rows into pieces.
    fn pieces(&self) -> Vec<Piece<'_>> {
        // A small file is cut too, so that tests with small files cover the joining of pieces.
        let size = (self.bytes.len() / SMALL_FILE_PIECES).clamp(1, PIECE);
        match &self.layout {
            Layout::Lines { .. } | Layout::Table => {
                let mut pieces = Vec::with_capacity(self.bytes.len() / size + 1);
                let mut start = self.first_line();
                while start < self.bytes.len() {
                    let end = line_end(&self.bytes, start.saturating_add(size));
                    pieces.push(Piece::Lines(start..end));
                    start = end + 1;
                }
                pieces
            }
            Layout::Elements(elements) => {
                let mut pieces = Vec::new();
                let mut rest = &elements[..];
                while let Some(first) = rest.first() {
                    let count = rest.partition_point(|row| row.start < first.start + size);
                    let (piece, after) = rest.split_at(count);
                    pieces.push(Piece::Elements(piece));
                    rest = after;
                }
                pieces
            }
        }
    }

    /// Returns the byte range of the row that holds the byte at `offset`.
    pub fn row_at(&self, offset: usize) -> Range<usize> {
        match &self.layout {
            Layout::Lines { .. } | Layout::Table => {
                let (start, offset) = (self.first_line(), offset.min(self.bytes.len()));
                let start = memchr::memrchr(b'\n', &self.bytes[start..offset])
                    .map_or(start, |newline| start + newline + 1);
                start..strip_carriage_return(&self.bytes, line_end(&self.bytes, offset))
            }
            Layout::Elements(elements) => {
                let after = elements.partition_point(|element| element.start <= offset);
                elements
                    .get(after.saturating_sub(1))
                    .cloned()
                    .unwrap_or(0..self.bytes.len())
            }
        }
    }

    /// Sorts `rejects` by their place in the file and finds their lines and columns, in one pass.
    pub fn locate(self: &Arc<Self>, mut rejects: Vec<Reject>) -> Vec<Rejected> {
        rejects.sort_by_key(Reject::place);
        let mut position = Positions::of(&self.bytes);
        rejects
            .into_iter()
            .map(|Reject { row, fault }| {
                check();
                // The faults of sorted rows are sorted themselves.
                let (line, column) = self.reported(position.move_to(fault.at));
                Rejected {
                    source: Arc::clone(self),
                    row,
                    line,
                    column,
                    reason: fault.reason,
                    message: fault.message.into_owned(),
                }
            })
            .collect()
    }
}

/// Some consecutive rows: a byte range of whole lines, or elements of the JSON array.
#[derive(Debug)]
enum Piece<'a> {
    Lines(Range<usize>),
    Elements(&'a [Range<usize>]),
}

impl Piece<'_> {
    /// Returns the byte range from the first row to the last.
    fn span(&self) -> Range<usize> {
        match self {
            Self::Lines(range) => range.clone(),
            Self::Elements(elements) => match (elements.first(), elements.last()) {
                (Some(first), Some(last)) => first.start..last.end,
                _ => 0..0,
            },
        }
    }

    /// Calls `visit` with each row until it returns false.
    fn each_row(&self, bytes: &[u8], mut visit: impl FnMut(Row<'_>) -> bool) {
        match self {
            Self::Lines(range) => {
                let mut start = range.start;
                while start < range.end {
                    let end = line_end(&bytes[..range.end], start);
                    let line = start..strip_carriage_return(bytes, end).max(start);
                    let is_blank = bytes[line.clone()].iter().all(|&byte| is_white(byte));
                    if !is_blank && !visit(Row::of(bytes, line)) {
                        return;
                    }
                    start = end + 1;
                }
            }
            Self::Elements(elements) => {
                for element in *elements {
                    if !visit(Row::of(bytes, element.clone())) {
                        return;
                    }
                }
            }
        }
    }
}

/// The length of a mark of byte order before the text.
fn mark_length(bytes: &[u8]) -> usize {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    }
}

/// Returns the offset, from `at` on, of the first byte that is not JSON white space.
fn skip_white(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..]
        .iter()
        .take_while(|&&byte| is_white(byte))
        .count()
}

/// Returns the offset, from `from` on, of the next line feed, or the end of the bytes.
fn line_end(bytes: &[u8], from: usize) -> usize {
    let from = from.min(bytes.len());
    from + memchr::memchr(b'\n', &bytes[from..]).unwrap_or(bytes.len() - from)
}

/// Returns the end of a line without its carriage return; `end` is the offset of the line feed.
fn strip_carriage_return(bytes: &[u8], end: usize) -> usize {
    end - usize::from(bytes[..end].ends_with(b"\r"))
}

/// Tells whether a byte is JSON white space.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
