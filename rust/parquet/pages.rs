//! Finds the pages of a chunk by their headers.

use super::codec::Codec;
use super::footer::Chunk;
use super::thrift::{Kind, Thrift};
use super::{Input, Read, Unread};
use crate::cancel::check;
use crate::memory::push;

/// The bytes that are first read of a header. Most have fewer.
const HEAD: usize = 4 << 10;
/// The most bytes of a header, which may hold the smallest and the largest text of its page.
const MAX_HEAD: usize = 16 << 20;

/// A page of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub layout: Layout,
    /// The number of its values, nulls among them.
    pub values: usize,
    pub encoding: Encoding,
    pub codec: Codec,
    /// The place in the file of what lies behind the header, and how many bytes it has.
    pub start: u64,
    pub length: usize,
    /// The bytes of the values after decompression. In a page of the first version the levels,
    /// which say what is null, are among them.
    pub unpacked: usize,
}

/// What lies in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The texts of a dictionary.
    Dictionary,
    /// Levels and values, compressed together.
    Together,
    /// So many bytes of levels, and compressed values.
    Apart { levels: usize },
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Plain,
    /// As numbers of entries of the dictionary.
    Dictionary,
}

impl Encoding {
    fn of(number: i64) -> Read<Self> {
        match number {
            0 => Ok(Self::Plain),
            2 | 8 => Ok(Self::Dictionary),
            _ => Err(Unread("an encoding that is not read here")),
        }
    }
}

/// Returns the pages of a chunk with `rows` values: a dictionary if there is one, and data.
pub fn pages(input: &dyn Input, chunk: &Chunk, rows: usize) -> Read<Vec<Page>> {
    let (mut at, mut found, mut missing) = (chunk.start, Vec::new(), rows);
    let mut head = Vec::new();
    while missing > 0 {
        check();
        let (header, length) = read_header(input, at, chunk.end, &mut head)?;
        let start = at + length as u64;
        at = start.checked_add(header.compressed as u64).ok_or(OUTSIDE)?;
        if at > chunk.end {
            return Err(OUTSIDE);
        }
        let Some(page) = header.page(start, chunk.codec)? else {
            continue;
        };
        match page.layout {
            Layout::Dictionary if !found.is_empty() => return Err(Unread("a second dictionary")),
            Layout::Dictionary => {}
            _ => missing = missing.checked_sub(page.values).ok_or(MISMATCH)?,
        }
        push(&mut found, page);
    }
    Ok(found)
}

/// Reads the header at an offset. Returns it with its length.
fn read_header(input: &dyn Input, at: u64, end: u64, head: &mut Vec<u8>) -> Read<(Header, usize)> {
    let most = usize::try_from(end - at)
        .unwrap_or(usize::MAX)
        .min(MAX_HEAD);
    let mut length = HEAD.min(most);
    loop {
        head.resize(length, 0);
        input.read(at, head)?;
        let mut thrift = Thrift::new(head);
        match Header::read(&mut thrift) {
            Ok(header) => return Ok((header, length - thrift.left())),
            Err(unread) if length == most => return Err(unread),
            // It may be cut short.
            Err(_) => length = length.saturating_mul(8).min(most),
        }
    }
}

/// PageHeader
#[derive(Default)]
struct Header {
    kind: i64,
    unpacked: usize,
    compressed: usize,
    values: Option<usize>,
    encoding: i64,
    levels_encoding: Option<i64>,
    levels: usize,
    is_plain: bool,
}

impl Header {
    fn read(thrift: &mut Thrift<'_>) -> Read<Self> {
        let mut own = Self {
            kind: -1,
            ..Self::default()
        };
        thrift.fields(|thrift, number, kind| {
            match (number, kind) {
                (1, Kind::Integer) => own.kind = thrift.integer()?,
                (2, Kind::Integer) => own.unpacked = thrift.count()?,
                (3, Kind::Integer) => own.compressed = thrift.count()?,
                (5, Kind::Struct) => own.read_data(thrift)?,
                (7, Kind::Struct) => own.read_dictionary(thrift)?,
                (8, Kind::Struct) => own.read_second_version(thrift)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(own)
    }

    /// DataPageHeader
    fn read_data(&mut self, thrift: &mut Thrift<'_>) -> Read<()> {
        thrift.fields(|thrift, number, kind| {
            match (number, kind) {
                (1, Kind::Integer) => self.values = Some(thrift.count()?),
                (2, Kind::Integer) => self.encoding = thrift.integer()?,
                (3, Kind::Integer) => self.levels_encoding = Some(thrift.integer()?),
                _ => return Ok(false),
            }
            Ok(true)
        })
    }

    /// DictionaryPageHeader
    fn read_dictionary(&mut self, thrift: &mut Thrift<'_>) -> Read<()> {
        thrift.fields(|thrift, number, kind| {
            match (number, kind) {
                (1, Kind::Integer) => self.values = Some(thrift.count()?),
                (2, Kind::Integer) => self.encoding = thrift.integer()?,
                _ => return Ok(false),
            }
            Ok(true)
        })
    }

    /// DataPageHeaderV2
    fn read_second_version(&mut self, thrift: &mut Thrift<'_>) -> Read<()> {
        thrift.fields(|thrift, number, kind| {
            match (number, kind) {
                (1, Kind::Integer) => self.values = Some(thrift.count()?),
                (4, Kind::Integer) => self.encoding = thrift.integer()?,
                (5 | 6, Kind::Integer) => {
                    let more = thrift.count()?;
                    self.levels = self.levels.checked_add(more).ok_or(MISMATCH)?;
                }
                (7, Kind::Bool(is_compressed)) => self.is_plain = !is_compressed,
                _ => return Ok(false),
            }
            Ok(true)
        })
    }

    /// Returns the page, if it is one that has values.
    fn page(&self, start: u64, codec: Codec) -> Read<Option<Page>> {
        let encoding = Encoding::of(self.encoding);
        let mut page = Page {
            layout: Layout::Together,
            values: 0,
            encoding: Encoding::Plain,
            codec,
            start,
            length: self.compressed,
            unpacked: self.unpacked,
        };
        match self.kind {
            DATA_PAGE => {
                if self.levels_encoding.is_some_and(|encoding| encoding != RLE) {
                    return Err(Unread("levels in an encoding that is not read here"));
                }
                page.encoding = encoding?;
            }
            DICTIONARY_PAGE => {
                // Here the other number of a dictionary stands for plain texts too.
                encoding?;
                page.layout = Layout::Dictionary;
            }
            DATA_PAGE_V2 => {
                page.encoding = encoding?;
                page.layout = Layout::Apart {
                    levels: self.levels,
                };
                let without = |bytes: usize| bytes.checked_sub(self.levels).ok_or(MISMATCH);
                page.unpacked = without(self.unpacked)?;
                if self.is_plain {
                    page.codec = Codec::None;
                }
                without(self.compressed)?;
            }
            _ => return Ok(None),
        }
        page.values = self.values.ok_or(MISMATCH)?;
        let compressed = page.length - page.levels();
        // What is empty need not be compressed.
        if page.unpacked > 0 && !page.codec.may_hold(compressed, page.unpacked) {
            return Err(MISMATCH);
        }
        Ok(Some(page))
    }
}

impl Page {
    /// Returns the number of bytes of levels before the compressed bytes.
    pub fn levels(&self) -> usize {
        match self.layout {
            Layout::Apart { levels } => levels,
            _ => 0,
        }
    }
}

/// PageType
const DATA_PAGE: i64 = 0;
const DICTIONARY_PAGE: i64 = 2;
const DATA_PAGE_V2: i64 = 3;
/// Encoding
const RLE: i64 = 3;

const OUTSIDE: Unread = Unread("a page lies outside its column");
const MISMATCH: Unread = Unread("the header of a page contradicts itself");

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a data page of 3 values, with a text of so many bytes in its statistics.
    fn header(text: usize) -> Vec<u8> {
        let mut bytes = vec![0x15, 0, 0x15, 80, 0x15, 80];
        bytes.extend([0x2c, 0x15, 6, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x18]);
        let mut length = text;
        while length > 127 {
            bytes.push(length as u8 | 128);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.resize(bytes.len() + text, b'x');
        bytes.extend([0, 0, 0]);
        bytes
    }

    fn chunk(end: usize) -> Chunk {
        Chunk {
            codec: Codec::None,
            start: 4,
            end: end as u64,
        }
    }

    #[test]
    fn pages_are_found_behind_headers_of_any_length() {
        for text in [0, 200, 10_000] {
            let head = header(text);
            let page = [&head[..], &[7; 40]].concat();
            let bytes = [b"PAR1", &page[..], &page].concat();
            let found = pages(&bytes, &chunk(bytes.len()), 6).expect("two pages");
            let starts: Vec<usize> = found.iter().map(|page| page.start as usize).collect();
            assert_eq!(starts, [4 + head.len(), 4 + head.len() + page.len()]);
            assert!(found.iter().all(|page| {
                (page.values, page.length, page.unpacked) == (3, 40, 40)
                    && page.encoding == Encoding::Plain
                    && page.layout == Layout::Together
            }));
            assert_eq!(
                pages(&bytes, &chunk(bytes.len()), 3).map(|p| p.len()),
                Ok(1)
            );
            for (end, rows) in [(bytes.len(), 5), (bytes.len(), 7), (bytes.len() - 1, 6)] {
                assert!(pages(&bytes, &chunk(end), rows).is_err());
            }
        }
    }
}
