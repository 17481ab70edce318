//! Reads the footer of a Parquet file: its columns, its groups of rows, and where their chunks are.
//!
//! Format: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>,
//! whose names and numbers of fields stand beside.

use super::codec::Codec;
use super::thrift::{Kind, Thrift};
use super::{Input, Read, Unread};
use crate::memory::{push, try_with_capacity};

/// What a file begins and ends with.
const MAGIC: &[u8; 4] = b"PAR1";
/// The bytes of the footer's length and of the magic number behind it.
const TAIL: usize = 8;

/// A column of the table, which may have other columns in it.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    /// The place of its chunks in each group, if it holds texts: none for lists and other types.
    pub texts: Option<Texts>,
}

/// A column of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts {
    pub place: usize,
    /// Whether a text may be null.
    pub optional: bool,
}

/// A group of rows: a chunk of each column.
#[derive(Debug)]
pub struct Group {
    pub rows: usize,
    /// None for chunks that are not read here.
    pub chunks: Vec<Option<Chunk>>,
}

/// A part of a column: its pages, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    pub codec: Codec,
    pub start: u64,
    pub end: u64,
}

#[derive(Debug)]
pub struct Footer {
    pub rows: usize,
    pub fields: Vec<Field>,
    pub groups: Vec<Group>,
}

impl Footer {
    /// Reads the footer of a file.
    pub fn read(input: &dyn Input) -> Read<Self> {
        let size = input.size();
        let mut tail = [0; TAIL];
        let tail_at = size.checked_sub(TAIL as u64).ok_or(NOT_PARQUET)?;
        input.read(tail_at, &mut tail)?;
        let (length, magic) = tail.split_at(4);
        if magic != MAGIC {
            return Err(NOT_PARQUET);
        }
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let start = tail_at.checked_sub(length as u64);
        let start = start.filter(|&start| start >= MAGIC.len() as u64);
        let start = start.ok_or(Unread("the footer is longer than the file"))?;
        let mut bytes = try_with_capacity("the footer", length).map_err(|_| NO_MEMORY)?;
        bytes.resize(length, 0);
        input.read(start, &mut bytes)?;
        Self::of(&bytes, start)
    }

    /// Reads a footer, before which a file has `end` bytes.
    fn of(bytes: &[u8], end: u64) -> Read<Self> {
        let (mut rows, mut schema, mut groups) = (None, Vec::new(), Vec::new());
        // FileMetaData
        Thrift::new(bytes).fields(|thrift, number, kind| {
            match (number, kind) {
                (2, Kind::List) => schema = elements(thrift, Element::read)?,
                (3, Kind::Integer) => rows = Some(thrift.count()?),
                (4, Kind::List) => groups = elements(thrift, |thrift| group(thrift, end))?,
                (8, _) => return Err(Unread("the columns are encrypted")),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let rows = rows.ok_or(MISSING)?;
        let (fields, leaves) = fields_of(&schema)?;
        let mut sum = 0usize;
        for group in &groups {
            sum = sum.checked_add(group.rows).ok_or(MISMATCH)?;
            if group.chunks.len() != leaves {
                return Err(MISMATCH);
            }
        }
        if sum != rows {
            return Err(MISMATCH);
        }
        Ok(Self {
            rows,
            fields,
            groups,
        })
    }

    /// Returns a column that is read here, by its name.
    pub fn texts(&self, name: &str) -> Option<Texts> {
        let mut named = self.fields.iter().filter(|field| field.name == name);
        let texts = named.next()?.texts?;
        let is_read = |group: &Group| group.rows == 0 || group.chunks[texts.place].is_some();
        (named.next().is_none() && self.groups.iter().all(is_read)).then_some(texts)
    }
}

/// SchemaElement: a column, or a group of `children` of the columns behind it.
struct Element {
    name: String,
    children: usize,
    is_text: bool,
    repetition: Option<i64>,
}

impl Element {
    fn read(thrift: &mut Thrift<'_>) -> Read<Self> {
        let (mut name, mut children, mut repetition) = (None, 0, None);
        let (mut is_bytes, mut is_utf8, mut is_string, mut is_other) = (false, false, false, false);
        thrift.fields(|thrift, number, kind| {
            match (number, kind) {
                (1, Kind::Integer) => is_bytes = thrift.integer()? == BYTE_ARRAY,
                (3, Kind::Integer) => repetition = Some(thrift.integer()?),
                (4, Kind::Binary) => name = Some(String::from_utf8(thrift.binary()?.to_vec())),
                (5, Kind::Integer) => children = thrift.count()?,
                (6, Kind::Integer) => is_utf8 = thrift.integer()? == UTF8,
                // LogicalType: a union, which has one field. Its first is that of strings.
                (10, Kind::Struct) => thrift.fields(|_, number, _| {
                    is_string |= number == 1;
                    is_other |= number != 1;
                    Ok(false)
                })?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            name: name
                .ok_or(MISSING)?
                .map_err(|_| Unread("a name is no UTF-8"))?,
            children,
            is_text: is_bytes && (is_utf8 || is_string) && !is_other,
            repetition,
        })
    }
}

/// Returns the columns of the table, and the number of chunks that a group of rows has.
fn fields_of(schema: &[Element]) -> Read<(Vec<Field>, usize)> {
    let (root, mut rest) = schema.split_first().ok_or(MISSING)?;
    let (mut fields, mut leaves) = (Vec::new(), 0);
    for _ in 0..root.children {
        let field = rest.first().ok_or(MISMATCH)?;
        let is_flat = matches!(field.repetition, Some(REQUIRED | OPTIONAL));
        let texts = (field.children == 0 && field.is_text && is_flat).then_some(Texts {
            place: leaves,
            optional: field.repetition == Some(OPTIONAL),
        });
        let name = field.name.clone();
        push(&mut fields, Field { name, texts });
        // All that lies in the field comes before the next one.
        let mut open = 1usize;
        while open > 0 {
            let (element, behind) = rest.split_first().ok_or(MISMATCH)?;
            leaves += usize::from(element.children == 0);
            open = (open - 1).checked_add(element.children).ok_or(MISMATCH)?;
            rest = behind;
        }
    }
    rest.is_empty().then_some((fields, leaves)).ok_or(MISMATCH)
}

/// RowGroup
fn group(thrift: &mut Thrift<'_>, end: u64) -> Read<Group> {
    let (mut rows, mut chunks) = (None, Vec::new());
    thrift.fields(|thrift, number, kind| {
        match (number, kind) {
            (1, Kind::List) => chunks = elements(thrift, |thrift| chunk(thrift, end))?,
            (3, Kind::Integer) => rows = Some(thrift.count()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let rows = rows.ok_or(MISSING)?;
    // A column of lists has another number of values.
    let chunks = chunks
        .into_iter()
        .map(|(chunk, values)| chunk.filter(|_| values == rows))
        .collect();
    Ok(Group { rows, chunks })
}

/// ColumnChunk: the chunk if it can be read here, and the number of its values.
fn chunk(thrift: &mut Thrift<'_>, end: u64) -> Read<(Option<Chunk>, usize)> {
    let (mut found, mut is_elsewhere) = (None, false);
    thrift.fields(|thrift, number, kind| {
        match (number, kind) {
            (3, Kind::Struct) => found = Some(column(thrift, end)?),
            // The path of another file, and keys of encrypted columns.
            (1 | 8 | 9, _) => {
                is_elsewhere = true;
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let (chunk, values) = found.ok_or(MISSING)?;
    Ok((chunk.filter(|_| !is_elsewhere), values))
}

/// ColumnMetaData
fn column(thrift: &mut Thrift<'_>, end: u64) -> Read<(Option<Chunk>, usize)> {
    let (mut is_bytes, mut are_known, mut codec) = (false, false, None);
    let (mut values, mut size, mut data, mut dictionary) = (None, None, None, None);
    thrift.fields(|thrift, number, kind| {
        match (number, kind) {
            (1, Kind::Integer) => is_bytes = thrift.integer()? == BYTE_ARRAY,
            (2, Kind::List) => {
                let found = elements(thrift, Thrift::integer)?;
                are_known = found.iter().all(|encoding| ENCODINGS.contains(encoding));
            }
            (4, Kind::Integer) => codec = Codec::of(thrift.integer()?),
            (5, Kind::Integer) => values = Some(thrift.count()?),
            (7, Kind::Integer) => size = Some(thrift.count()? as u64),
            (9, Kind::Integer) => data = Some(thrift.count()? as u64),
            // Some writers put 0 where there is none.
            (11, Kind::Integer) => dictionary = Some(thrift.count()? as u64).filter(|&at| at > 0),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let data = data.ok_or(MISSING)?;
    let start = dictionary.map_or(data, |dictionary| dictionary.min(data));
    let behind = start.checked_add(size.ok_or(MISSING)?).ok_or(MISMATCH)?;
    // A group without rows may say anything of where its pages are.
    let is_inside = start >= MAGIC.len() as u64 && behind <= end;
    let is_read = is_bytes && are_known && is_inside;
    let chunk = codec.filter(|_| is_read).map(|codec| Chunk {
        codec,
        start,
        end: behind,
    });
    Ok((chunk, values.ok_or(MISSING)?))
}

/// Reads a list.
fn elements<'a, T>(
    thrift: &mut Thrift<'a>,
    mut read: impl FnMut(&mut Thrift<'a>) -> Read<T>,
) -> Read<Vec<T>> {
    let (count, _) = thrift.list()?;
    let mut found = Vec::new();
    for _ in 0..count {
        push(&mut found, read(thrift)?);
    }
    Ok(found)
}

/// Type
const BYTE_ARRAY: i64 = 6;
/// ConvertedType
const UTF8: i64 = 0;
/// FieldRepetitionType
const REQUIRED: i64 = 0;
const OPTIONAL: i64 = 1;
/// Encoding: PLAIN, PLAIN_DICTIONARY, RLE, BIT_PACKED and RLE_DICTIONARY.
const ENCODINGS: [i64; 5] = [0, 2, 3, 4, 8];

const NOT_PARQUET: Unread = Unread("it ends unlike a Parquet file");
const NO_MEMORY: Unread = Unread("there is no memory for the footer");
const MISSING: Unread = Unread("the footer lacks a field");
const MISMATCH: Unread = Unread("the footer contradicts itself");

#[cfg(test)]
mod tests {
    use super::*;

    /// An element by its name, its fields between type and name, and those behind.
    fn element(name: &str, before: &[u8], behind: &[u8]) -> Element {
        // The name is field 4, so the fields before it are written with their full numbers.
        let mut bytes = before.to_vec();
        bytes.extend([0x08, 8, name.len() as u8]);
        bytes.extend(name.as_bytes());
        bytes.extend(behind);
        bytes.push(0);
        Element::read(&mut Thrift::new(&bytes)).expect("an element")
    }

    // Type 6; repetition 0 and 1; converted type 0; logical types 1 and 2; children 2.
    const REQUIRED_BYTES: &[u8] = &[0x15, 12, 0x25, 0];
    const OPTIONAL_BYTES: &[u8] = &[0x15, 12, 0x25, 2];
    const AS_UTF8: &[u8] = &[0x25, 0];
    const AS_STRING: &[u8] = &[0x6c, 0x1c, 0, 0];
    const AS_MAP: &[u8] = &[0x6c, 0x2c, 0, 0];
    const OF_TWO: &[u8] = &[0x15, 4];

    #[test]
    fn flat_columns_of_texts_are_told() {
        let schema = [
            element("", &[], &[0x15, 10]),
            element("a", REQUIRED_BYTES, AS_UTF8),
            element("b", &[0x35, 4], OF_TWO),
            element("c", OPTIONAL_BYTES, AS_STRING),
            element("d", REQUIRED_BYTES, AS_UTF8),
            element("e", OPTIONAL_BYTES, AS_STRING),
            element("f", OPTIONAL_BYTES, AS_MAP),
            element("g", REQUIRED_BYTES, &[]),
        ];
        let (fields, leaves) = fields_of(&schema).expect("a schema");
        let found: Vec<_> = fields
            .iter()
            .map(|f| (&*f.name, f.texts.map(|t| (t.place, t.optional))))
            .collect();
        let expected = [
            ("a", Some((0, false))),
            ("b", None),
            ("e", Some((3, true))),
            ("f", None),
            ("g", None),
        ];
        assert_eq!((&found[..], leaves), (&expected[..], 6));
        assert!(fields_of(&schema[..7]).is_err());
        assert!(fields_of(&[]).is_err());
    }

    #[test]
    fn a_footer_must_lie_in_its_file() {
        let with_length = |length: u32| [b"PAR1", &length.to_le_bytes()[..], b"PAR1"].concat();
        for bytes in [
            b"PAR1".to_vec(),
            b"PAR1xxxxPAR2".to_vec(),
            with_length(1),
            with_length(u32::MAX),
            with_length(0),
        ] {
            assert!(Footer::read(&bytes).is_err());
        }
    }
}
