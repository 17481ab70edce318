//! Reads a file line by line, with no more than a block and a line of it in memory.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::mem::take;
use std::ops::Range;
use std::path::Path;

use super::compression::{Compression, zstandard};
use super::read::{Access, Expected, Stream, open, read, read_opened, shrank};
use super::{Positions, mark_length};
use crate::cancel::check;
use crate::error::{Error, Result};

/// The bytes that are read, or decompressed, at a time.
const BLOCK: usize = 1 << 20;

/// So many bytes tell whether a file is text: zeros are among the first of all others that may
/// begin with a brace.
const LOOKED_AT: usize = 512;

/// The lines of a text file, plain or compressed.
pub struct Lines {
    /// The part that has not been read yet; none if all of it has.
    rest: Option<Rest>,
    /// The bytes that were read, from the start of a line.
    block: Vec<u8>,
    /// Where the next line starts in the block.
    at: usize,
    /// No line ends in the block between `at` and here.
    searched: usize,
}

/// The part of a file that has not been read.
struct Rest {
    from: Box<dyn Read + Send>,
    stream: Stream,
    /// The size of a file that is not compressed.
    size: Option<usize>,
    /// The bytes, and the lines in them, that stood before the block.
    bytes: usize,
    lines: usize,
}

impl Lines {
    /// Opens a file. If its first letter is `{`, it is read when its lines are asked for. Any other
    /// is read now, as [`read`] does it, because it may be in another format, or one list.
    ///
    /// # Errors
    /// Those of [`read`]. If they are further inside they come with a line.
    pub fn open(path: &Path, access: Access) -> Result<Self> {
        let file = open(path)?;
        let contents = if file.metadata().map_err(Error::io(path))?.is_file() {
            let mut begun = Self::begin(file, path, access)?;
            begun.fill()?;
            if begun.begins_with(b'{') && !begun.block.iter().take(LOOKED_AT).any(|&byte| byte == 0)
            {
                return Ok(begun);
            }
            read(path, access, Expected::Text)?
        } else {
            read_opened(file, path, access, Expected::Text)?
        };
        let block = contents.into_vec();
        let at = mark_length(&block);
        Ok(Self {
            rest: None,
            block,
            at,
            searched: at,
        })
    }

    /// Begins to read a file with a size. A pipe can be read only once.
    fn begin(mut file: File, path: &Path, access: Access) -> Result<Self> {
        let metadata = file.metadata().map_err(Error::io(path))?;
        let mut mark = Vec::new();
        (&mut file)
            .take(4)
            .read_to_end(&mut mark)
            .map_err(Error::io(path))?;
        file.rewind().map_err(Error::io(path))?;
        let compression = Compression::of(&mark);
        let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        let file = file.take(size as u64);
        let from: Box<dyn Read + Send> = match compression {
            None => Box::new(file),
            Some(Compression::Gzip) => Box::new(flate2::read::MultiGzDecoder::new(file)),
            Some(Compression::Zstandard) => Box::new(zstandard(
                path,
                BufReader::with_capacity(BLOCK, file),
                access,
            )?),
        };
        let kind = compression.map_or("file's", Compression::name);
        let rest = Rest {
            from,
            stream: Stream::new(path, access, kind),
            size: compression.is_none().then_some(size),
            bytes: 0,
            lines: 0,
        };
        Ok(Self {
            rest: Some(rest),
            block: Vec::new(),
            at: 0,
            searched: 0,
        })
    }

    /// Tells whether this is the first letter of what has not been given.
    pub fn begins_with(&self, letter: u8) -> bool {
        let is_white = |byte: u8| byte.is_ascii_whitespace() || byte == b'\x0b';
        let text = &self.block[self.at..];
        text.iter().find(|&&byte| !is_white(byte)) == Some(&letter)
    }

    /// Returns the place of the next line without its end, or none if it is not in memory.
    pub fn next_in_memory(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let end = match memchr::memchr(b'\n', &self.block[self.searched..]) {
            Some(found) => {
                let end = self.searched + found;
                self.at = end + 1;
                end
            }
            None => {
                self.searched = self.block.len();
                if self.rest.is_some() || start == self.block.len() {
                    return None;
                }
                self.at = self.block.len();
                self.block.len()
            }
        };
        self.searched = self.at;
        Some(start..end)
    }

    /// Returns a line, until the next block is read.
    pub fn line(&self, place: Range<usize>) -> &[u8] {
        &self.block[place]
    }

    /// Tells whether there is more to read.
    pub fn has_more(&self) -> bool {
        self.rest.is_some()
    }

    /// Returns what is in memory and was not given.
    pub fn in_memory(&self) -> &[u8] {
        &self.block[self.at..]
    }

    /// Reads the next block. After an error there is nothing more.
    pub fn fill(&mut self) -> Result<()> {
        check();
        let (Some(mut rest), mut block) = (self.rest.take(), take(&mut self.block)) else {
            return Ok(());
        };
        let given = take(&mut self.at);
        self.searched = 0;
        rest.pass(&block[..given]);
        block.drain(..given);
        let searched = block.len();
        let is_first = rest.bytes == 0 && searched == 0;
        let ended = rest.read(&mut block)?;
        if is_first {
            self.at = mark_length(&block);
        }
        self.searched = searched.max(self.at);
        self.block = block;
        self.rest = Some(rest).filter(|_| !ended);
        Ok(())
    }
}

impl Rest {
    /// Counts lines that were given.
    fn pass(&mut self, given: &[u8]) {
        self.bytes += given.len();
        self.lines += memchr::memchr_iter(b'\n', given).count();
    }

    /// Appends the next bytes to a block. Returns whether the file ends with them.
    fn read(&mut self, block: &mut Vec<u8>) -> Result<bool> {
        let found = self.bytes + block.len();
        if block.try_reserve(BLOCK + BLOCK / 8).is_err() {
            return Err(self.stream.too_large(found, true));
        }
        let mut wanted = BLOCK as u64;
        if self.size.is_none() {
            // One byte beyond the limit shows that the file is too long.
            wanted = wanted.min(self.stream.left_after(found));
        }
        match self.from.by_ref().take(wanted).read_to_end(block) {
            Ok(0) if self.size.is_some_and(|size| found < size) => {
                Err(shrank(self.stream.path(), self.size.unwrap_or_default()))
            }
            Ok(read) if self.size.is_none() && self.stream.left_after(found + read) == 0 => {
                Err(self.stream.too_large(found + read, false))
            }
            Ok(read) => Ok(read == 0),
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                Err(self.stream.too_large(found, true))
            }
            Err(error) if self.size.is_some() => Err(Error::io(self.stream.path())(error)),
            Err(error) => {
                let (line, column) = Positions::of(block).move_to(block.len());
                let bytes = self.bytes + block.len();
                Err(self
                    .stream
                    .broken(bytes, (self.lines + line, column), error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::BYTE_ORDER_MARK;
    use super::*;

    /// Reads all lines, and says whether they were read block by block.
    fn lines_of(bytes: &[u8], max_bytes: Option<u64>) -> Result<(Vec<Vec<u8>>, bool)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let access = Access {
            max_bytes,
            ..Access::READ
        };
        let mut lines = Lines::open(file.path(), access)?;
        let (in_blocks, mut found) = (lines.has_more(), Vec::new());
        loop {
            while let Some(place) = lines.next_in_memory() {
                found.push(lines.line(place).to_vec());
            }
            if !lines.has_more() {
                return Ok((found, in_blocks));
            }
            assert!(lines.block.len() < 2 * BLOCK + 10 * 1234);
            lines.fill()?;
        }
    }

    fn packed(text: &[u8]) -> [Vec<u8>; 3] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        let zstandard = zstd::encode_all(text, 1).unwrap();
        [text.to_vec(), gzip.finish().unwrap(), zstandard]
    }

    /// Lines whose ends are at any place of a block.
    fn text() -> Vec<u8> {
        let lines = (0..9000_usize).map(|i| format!("{{{}\n", "é".repeat(i * 7919 % 617)));
        lines.collect::<String>().into_bytes()
    }

    #[test]
    fn lines_are_those_of_the_whole_file() {
        let text = text();
        assert!(text.len() > 4 * BLOCK);
        let without_end = &text[..text.len() - 1];
        let marked = [BYTE_ORDER_MARK, &text].concat();
        for whole in [&text[..], without_end] {
            let expected: Vec<_> = without_end.split(|&b| b == b'\n').collect();
            for bytes in packed(whole) {
                assert_eq!(
                    lines_of(&bytes, None).unwrap(),
                    (expected.iter().map(|l| l.to_vec()).collect(), true)
                );
            }
        }
        for bytes in packed(&marked) {
            assert_eq!(lines_of(&bytes, None).unwrap().0[0], b"{");
        }
        for (other, lines) in [("", 0), ("[1,\n2]", 2), ("\n\n[", 3), ("a\n{", 2)] {
            let (found, in_blocks) = lines_of(other.as_bytes(), None).unwrap();
            assert_eq!((found.len(), in_blocks), (lines, false), "{other:?}");
        }
        // A file that begins so may be in another format, and is looked at as a whole.
        assert!(lines_of(b"{\0\0\0\0\0\0\0{\"", None).is_err());
    }

    #[test]
    fn the_limit_and_damage_are_told_as_of_the_whole_file() {
        let text = text();
        let size = text.len() as u64;
        for bytes in &packed(&text)[1..] {
            assert!(lines_of(bytes, Some(size)).is_ok());
            for limit in [size - 1, 1 << 20, (1 << 20) + 1, 5] {
                let error = lines_of(bytes, Some(limit)).unwrap_err().to_string();
                assert!(
                    error.contains(":1:1: ") && error.contains("--max-decompressed"),
                    "{error}"
                );
            }
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&bytes[..bytes.len() / 2]).unwrap();
            let whole = read(file.path(), Access::READ, Expected::Text)
                .unwrap_err()
                .to_string();
            let error = match Lines::open(file.path(), Access::READ) {
                Err(error) => error.to_string(),
                Ok(mut lines) => loop {
                    while lines.next_in_memory().is_some() {}
                    if let Err(error) = lines.fill() {
                        assert!(!lines.has_more() && lines.next_in_memory().is_none());
                        break error.to_string();
                    }
                },
            };
            assert_eq!(error, whole);
        }
    }
}
