//! Bytes to records: rows of a JSONL file or a JSON array, in parallel, good ones and bad ones.
//!
//! A file is cut into pieces of whole rows, whose size depends on the file alone. Each piece is
//! validated and read into columns of its own; joined in order, the columns and the faults are the
//! same whatever the number of threads.

mod array;
pub mod foreign;
pub mod key_cache;
mod position;
mod read;
mod reject;
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
pub use position::Positions;
pub use read::Access;
use read::Contents;
pub use reject::{Reject, Rejected};
use scan::{Kind, Scanner, Value};

/// Bytes of rows that one task reads: fits the second-level cache, repays the task's overhead.
const PIECE: usize = 256 << 10;

/// Pieces that a file is cut into which is smaller than as many of those.
const SMALL_FILE_PIECES: usize = 16;

/// Pieces whose columns there should be room for before they are read, and how many times the bytes
/// of a file with short rows they take.
const PIECES_PER_LOOK: usize = 64;
const COLUMNS_SHARE: usize = 4;

/// Bytes that a rejected row takes until it has been told.
pub const REJECT_BYTES: usize = 1 << 10;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What to do about a bad row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Stop at the first.
    Strict,
    /// Leave it out and tell.
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

/// A file's bytes and how they are divided into rows.
#[derive(Debug)]
pub struct Source {
    name: String,
    bytes: Contents,
    layout: Layout,
    /// What is wrong with an array as such; its "row" is the rest of the file.
    damage: Option<Reject>,
}

#[derive(Debug)]
enum Layout {
    /// One row a line; blank lines are none.
    Lines { start: usize },
    /// The elements of a JSON array.
    Elements(Vec<Range<usize>>),
    /// The rows of a table in memory, one a line.
    Table,
}

/// Rows read so far: one `T` a piece, in file order, and what was rejected.
#[derive(Debug)]
pub struct Parsed<T> {
    pub pieces: Vec<T>,
    pub rejects: Vec<Reject>,
}

impl Source {
    /// Reads or maps a file.
    ///
    /// # Errors
    /// A file that is missing, unreadable, damaged as an archive, or without any row.
    pub fn open(path: &Path, access: Access) -> Result<Self> {
        Self::from_bytes(&path.display().to_string(), read::read(path, access)?)
    }

    /// Takes `bytes` for the contents of a file called `name`.
    pub fn from_bytes(name: &str, bytes: impl Into<Contents>) -> Result<Self> {
        let bytes = bytes.into();
        let mark = if bytes.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        let start = skip_white(&bytes, mark);
        let mut source = Self {
            name: name.to_owned(),
            bytes,
            layout: Layout::Lines { start: mark },
            damage: None,
        };
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

    /// Takes `rows`, one a line, for those of a table that is called `name`.
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

    /// The line and column of a place that `position` has moved to. A table has rows, from 0, and no
    /// column of characters.
    fn reported(&self, (line, column): (usize, usize)) -> (usize, usize) {
        match self.layout {
            Layout::Table => (line - 1, 0),
            _ => (line, column),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The error of a file in which no row is left to use.
    pub fn no_rows_error(&self, what: &str) -> Error {
        let message = format!(
            "{what}; expected at least one row, a JSON object; check that this is the right file \
             and that whatever wrote it has finished"
        );
        self.error_at(0, Reason::EmptyFile, message)
    }

    /// The error of something at a byte offset that no policy can leave out.
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

    /// A row whose extent is known.
    pub fn row(&self, range: Range<usize>) -> Row<'_> {
        row(&self.bytes, range)
    }

    /// Reads every row with `read`, which adds it to its piece's columns or finds fault with it.
    ///
    /// Under [`OnError::Strict`] rows after the first bad one may be left out.
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

    /// Where the first line starts, past a byte order mark.
    fn first_line(&self) -> usize {
        match self.layout {
            Layout::Lines { start } => start,
            _ => 0,
        }
    }

    fn pieces(&self) -> Vec<Piece<'_>> {
        // A small file is cut as well: what is tested with it then holds for a large one.
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

    /// The extent of the row that holds the byte at `offset`.
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

    /// Puts `rejects` in file order and counts their lines and columns, in one pass.
    pub fn locate(self: &Arc<Self>, mut rejects: Vec<Reject>) -> Vec<Rejected> {
        rejects.sort_by_key(Reject::place);
        let mut position = Positions::of(&self.bytes);
        rejects
            .into_iter()
            .map(|Reject { row, fault }| {
                check();
                // Faults of rows in order are in order themselves.
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

/// A row's bytes within its file.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The file up to the row's end, so that offsets are offsets of the file.
    bytes: &'a [u8],
    start: usize,
}

impl<'a> Row<'a> {
    pub fn range(self) -> Range<usize> {
        self.start..self.bytes.len()
    }

    pub fn start(self) -> usize {
        self.start
    }

    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// A value within the row, as a row of its own.
    pub fn part(self, value: Value) -> Self {
        Self {
            bytes: &self.bytes[..value.end],
            start: value.start,
        }
    }

    /// Reads the row's object and hands over its members; the whole row is validated.
    #[inline]
    pub fn object(
        self,
        member: impl FnMut(Value, Value) -> Result<(), Box<Fault>>,
    ) -> Result<(), Box<Fault>> {
        self.members(|scanner, _| scanner.key(), member)
    }

    /// The same with what `key` makes of the members' names, as [`Scanner::members`] does.
    #[inline]
    pub fn members<K>(
        self,
        key: impl FnMut(&mut Scanner<'a>, usize) -> Result<K, Box<Fault>>,
        member: impl FnMut(K, Value) -> Result<(), Box<Fault>>,
    ) -> Result<(), Box<Fault>> {
        let mut scanner = Scanner::new(self.bytes, self.start);
        if self.bytes.get(self.start) == Some(&b'{') {
            scanner.members(key, member)?;
            return scanner.end();
        }
        let value = scanner.value()?;
        scanner.end()?;
        if value.kind == Kind::Object {
            return Scanner::new(self.bytes, value.start).members(key, member);
        }
        Err(Fault::new(
            value.start,
            Reason::WrongType,
            format!("the row is {}; expected a JSON object", value.kind.name()),
        ))
    }

    fn check_utf8(self) -> Result<(), Box<Fault>> {
        let Err(error) = simdutf8::compat::from_utf8(&self.bytes[self.start..]) else {
            return Ok(());
        };
        let at = self.start + error.valid_up_to();
        Err(Fault::new(
            at,
            Reason::InvalidUtf8,
            format!(
                "the byte 0x{:02x} is not UTF-8 here; expected UTF-8",
                self.bytes[at]
            ),
        ))
    }
}

#[derive(Debug)]
enum Piece<'a> {
    Lines(Range<usize>),
    Elements(&'a [Range<usize>]),
}

impl Piece<'_> {
    fn span(&self) -> Range<usize> {
        match self {
            Self::Lines(range) => range.clone(),
            Self::Elements(elements) => match (elements.first(), elements.last()) {
                (Some(first), Some(last)) => first.start..last.end,
                _ => 0..0,
            },
        }
    }

    /// Calls `visit` with every row until it returns false.
    fn each_row(&self, bytes: &[u8], mut visit: impl FnMut(Row<'_>) -> bool) {
        match self {
            Self::Lines(range) => {
                let mut start = range.start;
                while start < range.end {
                    let end = line_end(&bytes[..range.end], start);
                    let line = start..strip_carriage_return(bytes, end).max(start);
                    let is_blank = bytes[line.clone()].iter().all(|&byte| is_white(byte));
                    if !is_blank && !visit(row(bytes, line)) {
                        return;
                    }
                    start = end + 1;
                }
            }
            Self::Elements(elements) => {
                for element in *elements {
                    if !visit(row(bytes, element.clone())) {
                        return;
                    }
                }
            }
        }
    }
}

fn row(bytes: &[u8], range: Range<usize>) -> Row<'_> {
    Row {
        bytes: &bytes[..range.end],
        start: range.start,
    }
}

fn skip_white(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..]
        .iter()
        .take_while(|&&byte| is_white(byte))
        .count()
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    let from = from.min(bytes.len());
    from + memchr::memchr(b'\n', &bytes[from..]).unwrap_or(bytes.len() - from)
}

/// Where a line that stops at `end` stops before its carriage return.
fn strip_carriage_return(bytes: &[u8], end: usize) -> usize {
    end - usize::from(bytes[..end].ends_with(b"\r"))
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
