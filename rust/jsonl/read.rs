//! Reads or maps a whole file and decompresses it.
//!
//! Texts are decoded long after their bytes were validated. If a mapped file is cut short, SIGBUS
//! ends the process; if it is rewritten in place, the validated bytes change. So long runs read the
//! file into memory. Short runs map it, which needs no new memory: faulting in and zeroing new
//! memory costs more than the parsing.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rayon::prelude::*;

use super::compression::{Compression, zstandard};
use super::foreign;
use crate::cancel::check;
use crate::error::{Error, InputError, Reason, Result, size};
use crate::memory;

/// The bytes of one read: enough to make the cost of a system call negligible, and few enough to
/// share the work evenly.
const READ_SIZE: usize = 4 << 20;

/// The bytes that are decompressed, or read from a pipe, at a time.
const STREAM_SIZE: usize = 1 << 20;

/// Smaller files are always read: that costs little and is safe.
const MIN_MAPPED: usize = 4 << 20;

/// How a file is accessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Map the file instead of copying it. The file must then not be cut short or rewritten in
    /// place while it is used. Renaming another file over it is safe.
    pub map: bool,
    /// The largest number of bytes that a compressed file or a pipe may give; none means half of
    /// the memory. A few compressed bytes can stand for more than any machine holds.
    pub max_bytes: Option<u64>,
}

impl Access {
    /// Reads the file into memory, with the default limit.
    pub const READ: Self = Self {
        map: false,
        max_bytes: None,
    };

    /// Returns the same access without mapping.
    pub fn copied(self) -> Self {
        Self { map: false, ..self }
    }

    /// Returns the largest number of bytes that a stream may give.
    pub(crate) fn ceiling(self) -> u64 {
        self.max_bytes.unwrap_or(memory::total() / 2)
    }
}

/// A file's bytes.
#[derive(Debug)]
pub enum Contents {
    Owned(Vec<u8>),
    Mapped(Mmap),
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

impl Contents {
    /// Returns the bytes, copied if they are mapped.
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Mapped(bytes) => bytes.to_vec(),
        }
    }
}

impl From<Vec<u8>> for Contents {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(bytes)
    }
}

/// What a file is expected to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Objects of JSON.
    Rows,
    /// Lines of fields with tabs between them.
    Table,
    /// Names: lines of text or of a table, or JSON whose rows may have no text but lists.
    Names,
    /// Any text.
    Text,
}

/// Reads or maps the file at `path`. gzip and Zstandard are recognised by their first bytes.
///
/// # Errors
/// The file cannot be read, does not fit the limit or the memory, is a damaged archive, or is in a
/// format that is known and not the expected one.
pub fn read(path: &Path, access: Access, expected: Expected) -> Result<Contents> {
    read_opened(open(path)?, path, access, expected)
}

/// Reads or maps a file that is open, from its beginning, as [`read`] does. A pipe that is opened
/// again may have lost what was written to it.
///
/// # Errors
/// Those of [`read`].
pub(super) fn read_opened(
    file: File,
    path: &Path,
    access: Access,
    expected: Expected,
) -> Result<Contents> {
    let bytes = read_raw(file, path, access)?;
    let contents = match Compression::of(&bytes) {
        None => bytes,
        Some(compression) => {
            let stream = Stream::new(path, access, compression.name());
            let text = match compression {
                Compression::Gzip => stream.read(flate2::read::MultiGzDecoder::new(&bytes[..])),
                Compression::Zstandard => stream.read(zstandard(path, &bytes[..], access)?),
            };
            Contents::Owned(text?)
        }
    };
    match expected {
        Expected::Rows => foreign::check(path, &contents)?,
        Expected::Table => {
            foreign::check_text(path, &contents, "lines of fields with tabs between them")?;
        }
        Expected::Names => foreign::check_text(path, &contents, "names")?,
        Expected::Text => foreign::check_text(path, &contents, "text")?,
    }
    Ok(contents)
}

/// A stream of unknown length.
pub(super) struct Stream {
    path: PathBuf,
    ceiling: u64,
    is_default: bool,
    /// The kind of stream, for messages.
    kind: &'static str,
}

impl Stream {
    pub(super) fn new(path: &Path, access: Access, kind: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            ceiling: access.ceiling(),
            is_default: access.max_bytes.is_none(),
            kind,
        }
    }

    /// Reads the stream to its end. Fails if it is longer than the limit, does not fit into memory,
    /// or is damaged.
    fn read(&self, mut from: impl Read) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            check();
            let room = STREAM_SIZE + STREAM_SIZE / 8;
            let refused = bytes.try_reserve(room).is_err();
            let left = self.left_after(bytes.len());
            if refused || left == 0 {
                return Err(self.too_large(bytes.len(), refused));
            }
            let wanted = left.min(STREAM_SIZE as u64);
            match from.by_ref().take(wanted).read_to_end(&mut bytes) {
                Ok(0) => return Ok(bytes),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                    return Err(self.too_large(bytes.len(), true));
                }
                Err(error) => {
                    let place = super::Positions::of(&bytes).move_to(bytes.len());
                    return Err(self.broken(bytes.len(), place, error));
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how many bytes may follow after so many: one beyond the limit, which shows that the
    /// stream is too long, and none after that one.
    pub(super) fn left_after(&self, bytes: usize) -> u64 {
        (self.ceiling.saturating_add(1)).saturating_sub(bytes as u64)
    }

    /// Returns the error of a stream that breaks off after so many bytes of text, at a line and
    /// column. A damaged archive is an error even when bad rows are skipped, because the number of
    /// lost rows is unknown.
    pub(super) fn broken(&self, bytes: usize, place: (usize, usize), error: io::Error) -> Error {
        if self.kind == PIPE {
            return Error::io(&self.path)(error);
        }
        let message = format!(
            "the {} data is cut off or damaged after {bytes} bytes of text ({error}); expected an \
             intact archive; fetch or compress it again",
            self.kind
        );
        damaged(&self.path, place, Reason::CorruptArchive, message)
    }

    /// Returns the error of a stream that is longer than the limit, or for which memory was
    /// refused.
    pub(super) fn too_large(&self, found: usize, refused: bool) -> Error {
        let expected = if refused {
            "and there is no memory for more; expected a file that fits into it: cut it up, or \
             read it where there is more memory"
                .to_owned()
        } else {
            format!(
                "more than {}{}; expected no more: if it is what you take it for, allow it with \
                 --max-decompressed SIZE, in Python max_decompressed",
                size(self.ceiling),
                if self.is_default {
                    ", half of the memory"
                } else {
                    ""
                },
            )
        };
        let holds = if refused {
            size(found as u64)
        } else {
            String::new()
        };
        let message = format!("the {} data holds {holds} {expected}", self.kind);
        too_large(&self.path, message.replace("  ", " "))
    }
}

/// The kind of a stream that is not an archive.
const PIPE: &str = "pipe's";

/// Reads or maps a file without decompressing it.
fn read_raw(file: File, path: &Path, access: Access) -> Result<Contents> {
    let metadata = file.metadata().map_err(Error::io(path))?;
    if !metadata.is_file() {
        // A pipe has no size and cannot be read at an offset. A folder cannot be read at all.
        let bytes = Stream::new(path, access, PIPE).read(Pipe(file))?;
        return Ok(bytes.into());
    }
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    let contents = if access.map && size >= MIN_MAPPED {
        map(&file, size).map(Contents::Mapped)
    } else {
        let Ok(mut bytes) = memory::zeros("the file", size) else {
            return Err(too_large(path, larger_than_memory(size)));
        };
        read_exactly(&file, &mut bytes).map(|()| Contents::Owned(bytes))
    };
    contents.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => shrank(path, size),
        io::ErrorKind::OutOfMemory => too_large(path, larger_than_memory(size)),
        _ => Error::io(path)(error),
    })
}

fn larger_than_memory(bytes: usize) -> String {
    format!(
        "the file has {}, and there is no memory for it; expected a file that fits into memory: \
         cut it up, or read it where there is more",
        size(bytes as u64)
    )
}

fn too_large(path: &Path, message: String) -> Error {
    damaged(path, START, Reason::TooLarge, message)
}

/// Opens a file for reading. Never blocks on a pipe without a writer: the waiting happens in
/// [`Pipe::read`], which can be stopped.
pub(crate) fn open(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.open(path).map_err(Error::io(path))
}

/// A pipe, or another file without a size.
struct Pipe(File);

impl Read for Pipe {
    #[cfg(target_os = "linux")]
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        use std::os::fd::AsRawFd;
        let mut event = libc::pollfd {
            fd: self.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            check();
            // SAFETY: there is one descriptor, which is open as long as the file is.
            let ready = unsafe { libc::poll(&raw mut event, 1, 50) };
            let outcome = match ready {
                0 => continue,
                1.. => self.0.read(bytes),
                // The usual cause is a signal.
                _ => Err(io::Error::last_os_error()),
            };
            match outcome {
                Err(error) if is_for_now(error.kind()) => {}
                outcome => return outcome,
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

/// Tells whether a failed read should be tried again.
#[cfg(target_os = "linux")]
fn is_for_now(error: io::ErrorKind) -> bool {
    matches!(
        error,
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// Maps a file of `size` bytes and faults its pages in.
fn map(file: &File, size: usize) -> io::Result<Mmap> {
    // SAFETY: the caller promises that the file does not change; see `Access::map`.
    let bytes = unsafe { memmap2::MmapOptions::new().len(size).map(file)? };
    populate(&bytes);
    // If the file was cut short since its size was read, the mapping reaches beyond its end.
    if file.metadata()?.len() < size as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// Faults in all pages in parallel. A refusal costs only time.
#[cfg(target_os = "linux")]
fn populate(bytes: &Mmap) {
    (0..bytes.len())
        .into_par_iter()
        .step_by(READ_SIZE)
        .for_each(|start| {
            check();
            let length = READ_SIZE.min(bytes.len() - start);
            let _ = bytes.advise_range(memmap2::Advice::PopulateRead, start, length);
        });
}

#[cfg(not(target_os = "linux"))]
fn populate(_: &Mmap) {}

/// Fills `bytes` with the first bytes of a file, in parallel.
fn read_exactly(file: &File, bytes: &mut [u8]) -> io::Result<()> {
    bytes
        .par_chunks_mut(READ_SIZE)
        .enumerate()
        .try_for_each(|(i, block)| {
            check();
            read_at(file, block, (i * READ_SIZE) as u64)
        })
}

#[cfg(unix)]
pub(crate) fn read_at(file: &File, block: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, block, offset)
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, mut block: &mut [u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !block.is_empty() {
        match file.seek_read(block, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                block = &mut block[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

/// Returns the error of a file that was cut short while it was read.
pub(super) fn shrank(path: &Path, size: usize) -> Error {
    let message = format!(
        "the file became shorter while it was read; expected the {size} bytes that it had when it \
         was opened; try again when nothing writes to it"
    );
    damaged(path, START, Reason::FileShrank, message)
}

/// The line and column of the start of a file.
const START: (usize, usize) = (1, 1);

/// Returns an error at a line and column, up to which a file could be read.
fn damaged(path: &Path, place: (usize, usize), reason: Reason, message: String) -> Error {
    let (line, column) = place;
    InputError {
        file: path.display().to_string(),
        line,
        column,
        reason,
        message,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    #[test]
    fn large_files_are_read_in_order() {
        let bytes: Vec<u8> = (0..READ_SIZE * 2 + 12345)
            .map(|i| (i % 251) as u8)
            .collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mut found = vec![0; bytes.len()];
        read_exactly(&file, &mut found).unwrap();
        assert!(found == bytes);
    }

    #[test]
    fn a_mapped_file_equals_a_read_one() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..MIN_MAPPED + 321)
            .map(|i| b'a' + (i % 23) as u8)
            .collect();
        file.write_all(&bytes).unwrap();
        let mapped = Access {
            map: true,
            ..Access::READ
        };
        let mapped = read(file.path(), mapped, Expected::Rows).unwrap();
        assert!(matches!(mapped, Contents::Mapped(_)));
        assert!(*mapped == bytes[..]);
        let owned = read(file.path(), Access::READ, Expected::Rows).unwrap();
        assert!(matches!(owned, Contents::Owned(_)));
        assert!(*owned == bytes[..]);
    }

    #[test]
    fn a_file_shorter_than_it_was_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        file.rewind().unwrap();
        let error = read_exactly(&file, &mut [0; 11]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
