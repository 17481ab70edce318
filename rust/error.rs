//! One error enum. An error knows where it is as a byte offset; line and column are counted when
//! it is reported, so that good rows pay nothing for them.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub enum Error {
    /// A file could not be opened, read or written.
    Io { path: PathBuf, source: io::Error },
    /// A file was read, and what it holds is wrong.
    Input(Box<InputError>),
    /// The call asks for something that cannot be.
    Usage(String),
    /// There is no room for what the call makes.
    Memory {
        /// What there is no room for.
        what: Cow<'static, str>,
        bytes: usize,
    },
    /// The system gives no threads.
    Threads(io::Error),
    /// Whoever called has said that the work should stop.
    Stopped,
}

impl Error {
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

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    pub file: String,
    /// From 1; of a table in memory the row, from 0.
    pub line: usize,
    /// In code points, from 1; 0 of a table in memory.
    pub column: usize,
    pub reason: Reason,
    /// What is wrong, what was expected, what to do.
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

/// The kinds of bad input, by which rejected rows are counted.
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
    LengthMismatch,
    DuplicateChunkId,
    DuplicateQaId,
    RepeatedChunk,
    NoRelevantChunk,
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
            Self::LengthMismatch => "length_mismatch",
            Self::DuplicateChunkId => "duplicate_chunk_id",
            Self::DuplicateQaId => "duplicate_qa_id",
            Self::RepeatedChunk => "repeated_chunk",
            Self::NoRelevantChunk => "no_relevant_chunk",
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

/// A number of bytes as people say it.
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

/// What a message quotes of a text: all of it, or where it is long its start, and how long it is.
pub fn quoted(text: &str) -> String {
    /// A message is for reading: more than a line of a text tells no more.
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

/// Something wrong at a byte offset of a file that is still being read.
///
/// Boxed wherever it is returned: rows are good far more often than not, and a thin error keeps
/// the good path narrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub reason: Reason,
    /// What is wrong and what was expected.
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
