//! The error enum of the core. An error found in a file carries a byte offset. Line and column are
//! counted only when the error is reported, so that good rows cost nothing.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the core.
#[derive(Debug)]
pub enum Error {
    /// A file could not be opened, read or written.
    Io { path: PathBuf, source: io::Error },
    /// A file was read, and its content is wrong.
    Input(Box<InputError>),
    /// The arguments of the call are invalid.
    Usage(String),
    /// There is not enough memory.
    Memory {
        /// What the memory was for.
        what: Cow<'static, str>,
        bytes: usize,
    },
    /// The system refuses to start threads.
    Threads(io::Error),
    /// The caller asked the work to stop.
    Stopped,
}

impl Error {
    /// Returns a function that wraps an I/O error with the path of its file.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Input(error) => error.fmt(f),
            Self::Usage(message) => f.write_str(message),
            Self::Memory { what, bytes } => write!(
                f,
                "no memory for {what}, {}; expected that much to be free: ask for less, or raise \
                 the limit on this process's memory",
                size(*bytes as u64)
            ),
            Self::Threads(source) => write!(
                f,
                "the system starts no threads ({source}); expected some: set RAYON_NUM_THREADS to \
                 a smaller number, or raise the limits on this process"
            ),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for Error {}

/// An error in the content of a file, and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    pub file: String,
    /// The line, from 1. For a table in memory this is the row, from 0.
    pub line: usize,
    /// The column in code points, from 1. For a table in memory it is 0.
    pub column: usize,
    pub reason: Reason,
    /// Says what is wrong, what was expected and what to do.
    pub message: String,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
            ..
        } = self;
        match column {
            0 => write!(f, "{file}, row {line}: {message}"),
            _ => write!(f, "{file}:{line}:{column}: {message}"),
        }
    }
}

impl From<InputError> for Error {
    fn from(error: InputError) -> Self {
        Self::Input(Box::new(error))
    }
}

/// The kinds of bad input. Rejected rows are counted by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    InvalidJson,
    TruncatedJson,
    TrailingData,
    NotFinite,
    InvalidUtf8,
    LoneSurrogate,
    TooDeep,
    MissingField,
    WrongType,
    EmptyId,
    EmptyQuestion,
    EmptyText,
    EmptyName,
    LengthMismatch,
    WrongColumns,
    WrongGrade,
    DuplicateChunkId,
    DuplicateQaId,
    RepeatedChunk,
    NoRelevantChunk,
    OnTwoSides,
    UnknownQuestion,
    TooManyRows,
    UnknownChunk,
    EmptySpan,
    SpanOutsideText,
    SpanMismatch,
    TooFewChunks,
    EmptyFile,
    FileShrank,
    CorruptArchive,
    OtherFormat,
    TooLarge,
}

impl Reason {
    /// Returns the name that reports and `rejected.jsonl` use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::TruncatedJson => "truncated_json",
            Self::TrailingData => "trailing_data",
            Self::NotFinite => "not_finite",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::LoneSurrogate => "lone_surrogate",
            Self::TooDeep => "too_deep",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::EmptyId => "empty_id",
            Self::EmptyQuestion => "empty_question",
            Self::EmptyText => "empty_text",
            Self::EmptyName => "empty_name",
            Self::LengthMismatch => "length_mismatch",
            Self::WrongColumns => "wrong_columns",
            Self::WrongGrade => "wrong_grade",
            Self::DuplicateChunkId => "duplicate_chunk_id",
            Self::DuplicateQaId => "duplicate_qa_id",
            Self::RepeatedChunk => "repeated_chunk",
            Self::NoRelevantChunk => "no_relevant_chunk",
            Self::OnTwoSides => "on_two_sides",
            Self::UnknownQuestion => "unknown_question",
            Self::TooManyRows => "too_many_rows",
            Self::UnknownChunk => "unknown_chunk",
            Self::EmptySpan => "empty_span",
            Self::SpanOutsideText => "span_outside_text",
            Self::SpanMismatch => "span_mismatch",
            Self::TooFewChunks => "too_few_chunks",
            Self::EmptyFile => "empty_file",
            Self::FileShrank => "file_shrank",
            Self::CorruptArchive => "corrupt_archive",
            Self::OtherFormat => "other_format",
            Self::TooLarge => "too_large",
        }
    }
}

/// Formats a number of bytes for people, such as `1.5 GB`.
pub fn size(bytes: u64) -> String {
    let units = ["bytes", "KB", "MB", "GB", "TB"];
    let unit = (bytes.max(1).ilog2() / 10).min(4);
    match unit {
        0 => format!("{bytes} bytes"),
        _ => format!(
            "{:.1} {}",
            bytes as f64 / f64::from(1 << 10).powi(unit as i32),
            units[unit as usize]
        ),
    }
}

/// Quotes a text in a message. Cuts a long text and adds its size.
pub fn quoted(text: &str) -> String {
    /// The number of code points that are quoted at most, about a line.
    const MAX_CHARS: usize = 100;
    match text.char_indices().nth(MAX_CHARS) {
        None => format!("{text:?}"),
        Some((cut, _)) => format!(
            "{:?}… (cut here, {} in all)",
            &text[..cut],
            size(text.len() as u64)
        ),
    }
}

/// A problem at a byte offset of a file that is still being read.
///
/// It is always returned in a box: most rows are good, and a small error type keeps their path
/// fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The byte offset in the file.
    pub at: usize,
    pub reason: Reason,
    /// Says what is wrong and what was expected.
    pub message: Cow<'static, str>,
}

impl Fault {
    pub fn new(at: usize, reason: Reason, message: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self {
            at,
            reason,
            message: message.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_where_they_are_quoted() {
        assert_eq!(quoted("c\"1\n"), r#""c\"1\n""#);
        let long = "é".repeat(5000);
        let cut = format!("\"{}\"… (cut here, 9.8 KB in all)", "é".repeat(100));
        assert_eq!(quoted(&long), cut);
    }

    #[test]
    fn sizes_are_readable() {
        let said = [0, 1023, 1024, 1 << 20, 3 << 29, 1 << 50].map(size);
        assert_eq!(
            said,
            [
                "0 bytes",
                "1023 bytes",
                "1.0 KB",
                "1.0 MB",
                "1.5 GB",
                "1024.0 TB"
            ]
        );
    }
}
