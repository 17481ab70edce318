//! Recognises files of other formats by their bytes, and says how to convert them.
//!
//! A file that may hold a good row is never refused here. Without this check, a text in another
//! encoding, a table or one large object would fail in every row with an unhelpful message.

mod text;

use std::borrow::Cow;
use std::path::Path;

use crate::error::{Error, InputError, Reason, Result};

/// Returns the bytes after the skippable frames of Zstandard or LZ4. Programs that compress in
/// parallel store sizes in such frames, which hold no text.
pub fn after_skippable_frames(mut bytes: &[u8]) -> &[u8] {
    while let Some((&[kind, 0x2a, 0x4d, 0x18, a, b, c, d], rest)) = bytes.split_first_chunk()
        && (0x50..=0x5f).contains(&kind)
        && let Some(after) = rest.get(u32::from_le_bytes([a, b, c, d]) as usize..)
    {
        bytes = after;
    }
    bytes
}

/// A recognised format: its name, and how to convert it to JSONL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    pub name: Cow<'static, str>,
    pub remedy: Cow<'static, str>,
}

/// Fails if the file is in another known format.
pub fn check(path: &Path, bytes: &[u8]) -> Result<()> {
    let Some(Format { name, remedy }) = recognise(bytes) else {
        return Ok(());
    };
    Err(refusal(
        path,
        format!(
            "this looks like {name}; expected JSONL, a JSON object a line, or a JSON array of \
             objects, in UTF-8, plain or as .gz or .zst; {remedy}"
        ),
    ))
}

/// Refuses what is recognised as no text, or as text in another encoding. `expected` says what the
/// text should hold.
pub fn check_text(path: &Path, bytes: &[u8], expected: &str) -> Result<()> {
    let is_text = memchr::memchr(0, bytes).is_none() && simdutf8::basic::from_utf8(bytes).is_ok();
    match binary(bytes).or_else(|| unicode(bytes)) {
        Some((name, _)) if !is_text => Err(refusal(
            path,
            format!(
                "this looks like {name}; expected {expected}, in UTF-8, plain or as .gz or .zst"
            ),
        )),
        _ => Ok(()),
    }
}

fn refusal(path: &Path, message: String) -> Error {
    Error::from(InputError {
        file: path.display().to_string(),
        line: 1,
        column: 1,
        reason: Reason::OtherFormat,
        message,
    })
}

/// Returns the format of `bytes` if it is a known one other than JSON.
pub fn recognise(bytes: &[u8]) -> Option<Format> {
    let Some((name, remedy)) = binary(bytes).or_else(|| unicode(bytes)) else {
        return text::recognise(bytes).filter(|_| !text::may_hold_a_row(bytes));
    };
    // Rows inside an uncompressed archive do not count. Rows in a text count, even if its first
    // letters look like those of a binary format.
    let is_text = memchr::memchr(0, bytes).is_none() && simdutf8::basic::from_utf8(bytes).is_ok();
    (!is_text || !text::may_hold_a_row(bytes)).then(|| Format {
        name: name.into(),
        remedy: remedy.into(),
    })
}

const UNPACK: &str = "unpack it first";
const NO_ROWS: &str = "give a file of rows";
const PARQUET: &str = "convert it, in Python with pandas: \
                       pandas.read_parquet(IN).to_json(OUT, orient='records', lines=True)";
const ARROW: &str = "convert it, in Python with pandas: \
                     pandas.read_feather(IN).to_json(OUT, orient='records', lines=True)";
const STREAM: &str = "convert it, in Python with pyarrow: \
                      pyarrow.ipc.open_stream(IN).read_pandas().to_json(OUT, orient='records', \
                      lines=True)";
const ORC: &str = "convert it, in Python with pandas: \
                   pandas.read_orc(IN).to_json(OUT, orient='records', lines=True)";
const ARRAY: &str = "write ids and texts as JSONL; an array has no rows with names";
const PICKLE: &str = "load it in Python if you trust whoever made it, and write its rows with \
                      json.dumps, one a line; loading one can run any code, so stage2 does not";

/// The first bytes of formats. No JSON value starts with any of them.
const FIRST_BYTES: [(&[u8], Static); 26] = [
    (b"ARROW1\0\0", ("an Arrow IPC (Feather) file", ARROW)),
    (b"\xff\xff\xff\xff", ("an Arrow IPC stream", STREAM)),
    (b"Obj\x01", ("an Avro file", "convert it to JSONL first")),
    (
        b"PK\x03\x04",
        (
            "a zip archive, or a workbook (.xlsx) or weights (.pt) in one",
            UNPACK,
        ),
    ),
    (b"PK\x05\x06", ("an empty zip archive", NO_ROWS)),
    (
        b"\xfd7zXZ\0",
        ("an xz archive", "unpack it first with: xz -d"),
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        ("a 7z archive", "unpack it first with: 7z x"),
    ),
    (b"Rar!\x1a\x07", ("a RAR archive", UNPACK)),
    (
        b"\x04\x22\x4d\x18",
        ("an LZ4 archive", "unpack it first with: lz4 -d"),
    ),
    (b"\xff\x06\0\0sNaPpY", ("a Snappy archive", UNPACK)),
    (
        b"\x1f\x9d",
        (
            "a compress (.Z) archive",
            "unpack it first with: uncompress",
        ),
    ),
    (
        b"LZIP\x01",
        ("an lzip archive", "unpack it first with: lzip -d"),
    ),
    (b"!<arch>\n", ("an ar archive", UNPACK)),
    (b"\x93NUMPY", ("a numpy array (.npy)", ARRAY)),
    (b"\x89HDF\r\n\x1a\n", ("an HDF5 file", ARRAY)),
    (
        b"SQLite format 3\0",
        (
            "an SQLite database",
            "write its rows out with: sqlite3 -json IN 'select * from TABLE' > OUT",
        ),
    ),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        (
            "a workbook or document of Microsoft Office",
            "save its table as CSV, and convert that",
        ),
    ),
    (b"%PDF-", ("a PDF document", NO_ROWS)),
    (b"{\\rtf", ("a document in rich text", NO_ROWS)),
    (b"\x89PNG\r\n", ("a picture", NO_ROWS)),
    (b"\xff\xd8\xff", ("a picture", NO_ROWS)),
    (b"GIF89a", ("a picture", NO_ROWS)),
    (b"RIFF", ("a recording or picture", NO_ROWS)),
    (b"\x7fELF", ("a program", NO_ROWS)),
    (
        b"version https://git-lfs.github.com/",
        (
            "a pointer of Git LFS and not the file itself",
            "fetch the file with: git lfs pull",
        ),
    ),
    (
        b"%YAML",
        ("YAML", "convert it with: yq -o json -I 0 '.[]' IN > OUT"),
    ),
];

/// Formats whose files start and end with the same letters. The letters at the start alone could
/// begin a text.
const BOTH_ENDS: [(&[u8], Static); 4] = [
    (b"PAR1", ("a Parquet file", PARQUET)),
    (b"PARE", ("an encrypted Parquet file", PARQUET)),
    (b"FEA1", ("an Arrow IPC (Feather) file", ARROW)),
    (b"ORC", ("an ORC file", ORC)),
];

/// The name of a format and how to convert it.
type Static = (&'static str, &'static str);

/// Recognises a binary format.
fn binary(bytes: &[u8]) -> Option<Static> {
    let begun = after_skippable_frames(bytes);
    let begins = |&(first, _): &&(&[u8], Static)| begun.starts_with(first);
    if let Some(&(_, known)) = FIRST_BYTES.iter().find(begins) {
        return Some(known);
    }
    let both = |&(mark, _): &&(&[u8], Static)| {
        let rest = bytes.strip_prefix(*mark).unwrap_or_default();
        // The last byte of an ORC file is a length.
        let but_one = rest.split_last().map_or(rest, |(_, but_one)| but_one);
        rest.ends_with(mark) || but_one.ends_with(mark)
    };
    if let Some(&(_, known)) = BOTH_ENDS.iter().find(both) {
        return Some(known);
    }
    if bytes.starts_with(b"BZh") && bytes.get(4..10) == Some(b"1AY&SY") {
        return Some(("a bzip2 archive", "unpack it first with: bzip2 -d"));
    }
    // The fields before "ustar" are padded with zeros. A text has no zeros, though it may have
    // "mustard" at this offset.
    if let Some((before, rest)) = bytes.split_at_checked(257)
        && rest.starts_with(b"ustar")
        && before.contains(&0)
    {
        return Some(("a tar archive", "unpack it first with: tar -xf"));
    }
    if let Some((&[0x80, 2..=5], rest)) = bytes.split_first_chunk()
        && rest.ends_with(b".")
    {
        return Some(("a Python pickle", PICKLE));
    }
    // The file starts with the length of its header, followed by the header, which is a JSON
    // object.
    let (&length, rest) = bytes.split_first_chunk()?;
    let fits = u64::from_le_bytes(length) <= rest.len() as u64;
    (fits && rest.starts_with(b"{\"")).then_some(("weights (.safetensors)", NO_ROWS))
}

const UTF_16: &str = "UTF-16 text";
const UTF_32: &str = "UTF-32 text";

/// Recognises UTF-16 and UTF-32 by their byte order mark or by the zeros in their first characters.
fn unicode(bytes: &[u8]) -> Option<Static> {
    let marks: [(&[u8], Static); 4] = [
        (
            b"\xff\xfe\0\0",
            (UTF_32, "convert it with: iconv -f UTF-32 -t UTF-8 IN > OUT"),
        ),
        (
            b"\0\0\xfe\xff",
            (UTF_32, "convert it with: iconv -f UTF-32 -t UTF-8 IN > OUT"),
        ),
        (
            b"\xff\xfe",
            (UTF_16, "convert it with: iconv -f UTF-16 -t UTF-8 IN > OUT"),
        ),
        (
            b"\xfe\xff",
            (UTF_16, "convert it with: iconv -f UTF-16 -t UTF-8 IN > OUT"),
        ),
    ];
    let marked = marks.into_iter().find(|(mark, _)| bytes.starts_with(mark));
    if let Some((_, known)) = marked {
        return Some(known);
    }
    let (name, remedy) = match *bytes.first_chunk()? {
        [0, 0, 0, 1..=0x7f] => (
            UTF_32,
            "convert it with: iconv -f UTF-32BE -t UTF-8 IN > OUT",
        ),
        [1..=0x7f, 0, 0, 0] => (
            UTF_32,
            "convert it with: iconv -f UTF-32LE -t UTF-8 IN > OUT",
        ),
        [0, 1..=0x7f, 0, 1..=0x7f] => (
            UTF_16,
            "convert it with: iconv -f UTF-16BE -t UTF-8 IN > OUT",
        ),
        [1..=0x7f, 0, 1..=0x7f, 0] => (
            UTF_16,
            "convert it with: iconv -f UTF-16LE -t UTF-8 IN > OUT",
        ),
        _ => return None,
    };
    // Damaged bytes at the start look the same. In these encodings every line has zeros; a row of
    // JSON in UTF-8 that follows them has none.
    let line = memchr::memchr(b'\n', bytes).map_or(&[][..], |end| &bytes[end + 1..]);
    let zeros_go_on = line.len() < 2 || line[..2].contains(&0);
    zeros_go_on.then_some((name, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: impl AsRef<[u8]>) -> String {
        recognise(bytes.as_ref()).map_or_else(String::new, |format| format.name.into_owned())
    }

    #[test]
    fn files_that_may_hold_a_row_are_not_refused() {
        for good in [
            "",
            "{}",
            "{\"question\": \"a\", \"chunk_ids\": [1], \"data\": [{\"paragraphs\": []}]}\n{}",
            "{\"text\": \"a\", \"targets\": [{\"char_start\": 0}]}",
            "{\"a\": {\"b\": 1}}\n{\"a\": {}}\n",
            "{\"a\": \n{\"text\": 1}\n",
            "[{\"text\": 1}]",
            "question,chunk_id\n{\"question\": 1}\n",
            "ORChids,and more\n{}",
            "\u{feff}{\"id\": 1}",
            "\x0c",
            "\0\0\0\n{\"id\": 1}",
            "\0a\0b\n{\"id\": 1}",
            "a\0b\0\n{\"id\": 1}",
            "\x0c\n",
            "PAR1",
            "ORC",
        ] {
            assert_eq!(name(good), "", "{good}");
        }
        let row = "{\"text\": \"good\"}";
        for start in ["RIFF", "%PDF-", "Obj\x01", "<html>", "a,b\nc,d\ne,f\ng,h"] {
            assert_eq!(name(format!("{start}\n {row}\r\n{start}")), "", "{start}");
            assert_ne!(name(format!("{start}\n{row},\n{start}")), "", "{start}");
        }
        assert_eq!(
            name(format!("[{{\"paragraphs\": [{{\"qas\": []}}]}},\n{row}]")),
            ""
        );
    }

    #[test]
    fn a_tar_archive_has_zeros() {
        let mut row = "{\"id\": 1, \"text\": \"".to_owned();
        row.extend(std::iter::repeat_n('m', 257 - row.len()));
        row.push_str("ustard\"}\n");
        assert_eq!(name(&row), "");
        assert_eq!(name(row.replace("mm", "m\0")), "a tar archive");
    }

    #[test]
    fn the_start_and_the_end_of_any_bytes_may_be_looked_at() {
        let marks = FIRST_BYTES.iter().chain(&BOTH_ENDS).map(|&(mark, _)| mark);
        for mark in marks.chain([
            &b"BZh"[..],
            b"\x80\x04",
            b"\x50\x2a\x4d\x18",
            b"{\"a\"",
            b"[{",
        ]) {
            for end in 0..=mark.len() {
                for byte in ["", "\0", "\n", "\x0c", "{", "\t", ",", "\u{feff}"] {
                    let bytes = [&mark[..end], byte.as_bytes()].concat();
                    recognise(&bytes);
                    recognise(&bytes.repeat(60));
                }
            }
        }
    }

    #[test]
    fn encodings_are_recognised_with_and_without_a_mark() {
        let json = "[{\"question\": \"日\"}]";
        let little: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = json.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let wide: Vec<u8> = json
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        for (bytes, mark) in [(&little, &b"\xff\xfe"[..]), (&big, b"\xfe\xff")] {
            assert_eq!(name(bytes), UTF_16);
            assert_eq!(name([mark, bytes].concat()), UTF_16);
        }
        assert_eq!(name(&wide), UTF_32);
        assert_eq!(name([b"\xff\xfe\0\0", &wide[..]].concat()), UTF_32);
    }
}
