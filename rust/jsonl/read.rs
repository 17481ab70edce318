//! A whole file's bytes, decompressed: read into memory, or mapped.
//!
//! Texts are decoded from the bytes long after these were validated. A file that is cut short under
//! a map ends the process by SIGBUS, and one that is rewritten in place changes what was checked; so
//! what runs for long reads. What is done with the file in a second maps it, which takes no new
//! memory: that is faulted in and zeroed, and costs more than the parsing.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;
use rayon::prelude::*;

use crate::error::{Error, InputError, Reason, Result};
use crate::memory::advise_huge_pages;

/// Large enough that a system call's cost vanishes, small enough to share evenly.
const READ_SIZE: usize = 4 << 20;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Below this a file is read: that costs nothing, and nothing can happen to it.
const WORTH_MAPPING: usize = 4 << 20;

/// How a file's bytes are come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A copy of its own.
    Read,
    /// The system's copy. The file must not be cut short or rewritten in place while it is used;
    /// that another file takes its name does no harm.
    Map,
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

impl From<Vec<u8>> for Contents {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(bytes)
    }
}

/// Reads or maps `path`; gzip and Zstandard are told by their first bytes.
pub fn read(path: &Path, access: Access) -> Result<Contents> {
    let bytes = read_raw(path, access)?;
    if bytes.starts_with(GZIP_MAGIC) {
        let decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
        decompress(path, "gzip", decoder).map(Contents::Owned)
    } else if bytes.starts_with(ZSTD_MAGIC) {
        let decoder = zstd::Decoder::with_buffer(&bytes[..]).map_err(Error::io(path))?;
        decompress(path, "zstd", decoder).map(Contents::Owned)
    } else {
        Ok(bytes)
    }
}

fn read_raw(path: &Path, access: Access) -> Result<Contents> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let metadata = file.metadata().map_err(Error::io(path))?;
    if !metadata.is_file() {
        // A pipe has no size and cannot be read at an offset; a folder cannot be read at all.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::io(path))?;
        return Ok(bytes.into());
    }
    let size = usize::try_from(metadata.len()).map_err(|_| {
        Error::Usage(format!(
            "{} is larger than this machine's memory",
            path.display()
        ))
    })?;
    let contents = if access == Access::Map && size >= WORTH_MAPPING {
        map(&file, size).map(Contents::Mapped)
    } else {
        read_exactly(&file, size).map(Contents::Owned)
    };
    contents.map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            shrank(path, size)
        } else {
            Error::io(path)(error)
        }
    })
}

fn map(file: &File, size: usize) -> io::Result<Mmap> {
    // SAFETY: whoever asks for a map promises that the file stays as it is; see `Access::Map`.
    let bytes = unsafe { memmap2::MmapOptions::new().len(size).map(file)? };
    populate(&bytes);
    // Cut short between the two looks: the bytes beyond its end are not there.
    if file.metadata()?.len() < size as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// Has all pages mapped at once and by all threads; a refusal costs only time.
#[cfg(target_os = "linux")]
fn populate(bytes: &Mmap) {
    (0..bytes.len())
        .into_par_iter()
        .step_by(READ_SIZE)
        .for_each(|start| {
            let length = READ_SIZE.min(bytes.len() - start);
            let _ = bytes.advise_range(memmap2::Advice::PopulateRead, start, length);
        });
}

#[cfg(not(target_os = "linux"))]
fn populate(_: &Mmap) {}

fn read_exactly(file: &File, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    advise_huge_pages(&mut bytes);
    bytes
        .par_chunks_mut(READ_SIZE)
        .enumerate()
        .try_for_each(|(i, block)| read_at(file, block, (i * READ_SIZE) as u64))?;
    Ok(bytes)
}

#[cfg(unix)]
fn read_at(file: &File, block: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, block, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut block: &mut [u8], mut offset: u64) -> io::Result<()> {
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

/// A damaged archive is an error even where bad rows are left out: nobody knows how many rows
/// it takes away.
fn decompress(path: &Path, format: &str, mut decoder: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match decoder.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(damaged(
            path,
            &bytes,
            Reason::CorruptArchive,
            format!(
                "the {format} data is cut off or damaged after {} bytes of text ({error}); \
                 expected an intact archive; fetch or compress it again",
                bytes.len()
            ),
        )),
    }
}

fn shrank(path: &Path, size: usize) -> Error {
    let message = format!(
        "the file became shorter while it was read; expected the {size} bytes that it had when it \
         was opened; try again when nothing writes to it"
    );
    damaged(path, &[], Reason::FileShrank, message)
}

/// The error of a file that is good as far as `text`.
fn damaged(path: &Path, text: &[u8], reason: Reason, message: String) -> Error {
    let (line, column) = super::line_and_column(text, text.len());
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
        assert!(read_exactly(&file, bytes.len()).unwrap() == bytes);
    }

    #[test]
    fn a_map_holds_what_a_read_does() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..WORTH_MAPPING + 321).map(|i| (i % 241) as u8).collect();
        file.write_all(&bytes).unwrap();
        let mapped = read(file.path(), Access::Map).unwrap();
        assert!(matches!(mapped, Contents::Mapped(_)));
        assert!(*mapped == bytes[..]);
        let owned = read(file.path(), Access::Read).unwrap();
        assert!(matches!(owned, Contents::Owned(_)));
        assert!(*owned == bytes[..]);
    }

    #[test]
    fn a_file_shorter_than_it_was_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        file.rewind().unwrap();
        let error = read_exactly(&file, 11).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
