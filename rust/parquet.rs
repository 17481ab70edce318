//! Reads flat columns of texts of Parquet files.
//!
//! All pages of a column are decoded in parallel. A page is decompressed into the place in memory
//! where its texts stay, so that no text is copied. What is not read here, such as lists, numbers,
//! encrypted columns and rare encodings, and every file that is damaged, is left to a reader that
//! knows all of the format: [`Unread`] says so.
//!
//! Format: <https://parquet.apache.org/docs/file-format/>.

mod codec;
mod footer;
mod levels;
mod pages;
mod snappy;
mod texts;
mod thrift;

use std::fmt;
use std::fs::File;
use std::path::Path;

use self::footer::Footer;
pub use self::snappy::decompress as decompress_snappy;
use crate::corpus::TextColumn;
use crate::jsonl::{Access, open, read_at};

/// Why a file or a column is not read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread(pub &'static str);

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

pub type Read<T> = Result<T, Unread>;

/// The bytes of a file.
pub trait Input: Sync {
    /// Returns their number.
    fn size(&self) -> u64;
    /// Fills `into` with those from `at` on.
    fn read(&self, at: u64, into: &mut [u8]) -> Read<()>;
}

const NO_BYTES: Unread = Unread("the bytes cannot be read");

impl Input for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, at: u64, into: &mut [u8]) -> Read<()> {
        let start = usize::try_from(at).map_err(|_| NO_BYTES)?;
        let end = start.checked_add(into.len()).ok_or(NO_BYTES)?;
        into.copy_from_slice(self.get(start..end).ok_or(NO_BYTES)?);
        Ok(())
    }
}

/// An open file.
struct Opened {
    file: File,
    size: u64,
}

impl Input for Opened {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, at: u64, into: &mut [u8]) -> Read<()> {
        read_at(&self.file, into, at).map_err(|_| NO_BYTES)
    }
}

/// The cells of columns, the rows of one after those of another.
#[derive(Debug)]
pub struct Cells {
    /// The empty string for null and for what is no UTF-8.
    pub texts: TextColumn,
    /// The rows that are null, rising, as those below.
    pub nulls: Vec<i64>,
    pub not_utf8: Vec<i64>,
    /// The rows whose text is empty or only white space.
    pub blank: Vec<i64>,
}

/// A Parquet file.
pub struct Parquet {
    input: Box<dyn Input + Send>,
    footer: Footer,
}

impl Parquet {
    /// Opens a file and reads its footer. It is read while columns are, and not mapped: a file that
    /// is cut short meanwhile is an error, and what was read stays as it was.
    pub fn open(path: &Path) -> Read<Self> {
        let file = open(path).map_err(|_| NO_BYTES)?;
        let metadata = file.metadata().map_err(|_| NO_BYTES)?;
        if !metadata.is_file() {
            return Err(Unread("it is no file"));
        }
        let size = metadata.len();
        Self::of(Opened { file, size })
    }

    /// Reads the footer of a file.
    pub fn of(input: impl Input + Send + 'static) -> Read<Self> {
        Ok(Self {
            footer: Footer::read(&input)?,
            input: Box::new(input),
        })
    }

    pub fn rows(&self) -> usize {
        self.footer.rows
    }

    /// Returns the names of all columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.footer.fields.iter().map(|field| &*field.name)
    }

    /// Tells whether a column can be read here, by all that the footer says.
    pub fn is_text(&self, name: &str) -> bool {
        self.footer.texts(name).is_some()
    }

    /// Reads columns. They may take as much memory as a compressed file may.
    pub fn read(&self, names: &[&str]) -> Read<Cells> {
        let columns = names.iter().map(|name| self.footer.texts(name));
        let columns: Option<Vec<_>> = columns.collect();
        let columns = columns.ok_or(Unread("a column that is not read here"))?;
        texts::read(&*self.input, &self.footer, &columns, Access::READ.ceiling())
    }
}
