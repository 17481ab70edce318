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
        }
    }
}

impl std::error::Error for Error {}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In code points, from 1.
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
        write!(f, "{file}:{line}:{column}: {message}")
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
    UnknownChunk,
    EmptySpan,
    SpanOutsideText,
    SpanMismatch,
    TooFewChunks,
    EmptyFile,
    FileShrank,
    CorruptArchive,
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
            Self::UnknownChunk => "unknown_chunk",
            Self::EmptySpan => "empty_span",
            Self::SpanOutsideText => "span_outside_text",
            Self::SpanMismatch => "span_mismatch",
            Self::TooFewChunks => "too_few_chunks",
            Self::EmptyFile => "empty_file",
            Self::FileShrank => "file_shrank",
            Self::CorruptArchive => "corrupt_archive",
        }
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
