//! A whole file in memory, decompressed.
//!
//! The bytes are read, not memory-mapped: texts are decoded from them long after they were
//! validated, and a file that is rewritten or truncated under a map would then change under our
//! feet, or end the process by SIGBUS. A read that comes short is an error like any other, and
//! reading in parallel into fresh huge pages is as fast as faulting a map in.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rayon::prelude::*;

use crate::error::{Error, InputError, Reason, Result};
use crate::memory::advise_huge_pages;

/// Large enough that a system call's cost vanishes, small enough to share evenly.
const READ_SIZE: usize = 4 << 20;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Reads `path`; gzip and Zstandard are told by their first bytes.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = read_raw(path)?;
    if bytes.starts_with(GZIP_MAGIC) {
        decompress(path, "gzip", flate2::read::MultiGzDecoder::new(&bytes[..]))
    } else if bytes.starts_with(ZSTD_MAGIC) {
        let decoder = zstd::Decoder::with_buffer(&bytes[..]).map_err(Error::io(path))?;
        decompress(path, "zstd", decoder)
    } else {
        Ok(bytes)
    }
}

fn read_raw(path: &Path) -> Result<Vec<u8>> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let metadata = file.metadata().map_err(Error::io(path))?;
    if !metadata.is_file() {
        // A pipe has no size and cannot be read at an offset; a folder cannot be read at all.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::io(path))?;
        return Ok(bytes);
    }
    let size = usize::try_from(metadata.len()).map_err(|_| {
        Error::Usage(format!(
            "{} is larger than this machine's memory",
            path.display()
        ))
    })?;
    read_exactly(&file, size).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            shrank(path, size)
        } else {
            Error::io(path)(error)
        }
    })
}

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
    fn a_file_shorter_than_it_was_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        file.rewind().unwrap();
        let error = read_exactly(&file, 11).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
