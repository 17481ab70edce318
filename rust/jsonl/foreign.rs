//! What is no JSONL and is known by its first bytes: it is refused by its name, with what to do.
//!
//! A file that may hold one good row is never refused here. Text in another encoding, a table or one
//! large object could be read as JSON only at fault in every row, each with a message that leads
//! nowhere.

use std::borrow::Cow;
use std::path::Path;

use super::read::after_skippable_frames;
use super::scan::{Kind, Scanner, Value};
use super::{BYTE_ORDER_MARK, line_end, skip_white};
use crate::error::{Error, InputError, Reason, Result};
use crate::memory::push;

/// What a file looks like, and what makes JSONL of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    pub name: Cow<'static, str>,
    pub remedy: Cow<'static, str>,
}

/// Refuses what is recognised as another format.
pub fn check(path: &Path, bytes: &[u8]) -> Result<()> {
    let Some(Format { name, remedy }) = recognise(bytes) else {
        return Ok(());
    };
    let message = format!(
        "this looks like {name}; expected JSONL, a JSON object a line, or a JSON array of objects, \
         in UTF-8, plain or as .gz or .zst; {remedy}"
    );
    Err(Error::from(InputError {
        file: path.display().to_string(),
        line: 1,
        column: 1,
        reason: Reason::OtherFormat,
        message,
    }))
}

/// The format that `bytes` are in, if it is known and no JSONL.
pub fn recognise(bytes: &[u8]) -> Option<Format> {
    let known = binary(bytes).or_else(|| unicode(bytes));
    known
        .map(|(name, remedy)| Format {
            name: name.into(),
            remedy: remedy.into(),
        })
        .or_else(|| text(bytes))
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

/// First bytes, and what they tell. None of them begins a JSON value.
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

/// A file that begins and ends alike: letters alone might begin a text.
const BOTH_ENDS: [(&[u8], Static); 4] = [
    (b"PAR1", ("a Parquet file", PARQUET)),
    (b"PARE", ("an encrypted Parquet file", PARQUET)),
    (b"FEA1", ("an Arrow IPC (Feather) file", ARROW)),
    (b"ORC", ("an ORC file", ORC)),
];

type Static = (&'static str, &'static str);

fn binary(bytes: &[u8]) -> Option<Static> {
    let begun = after_skippable_frames(bytes);
    let begins = |&(first, _): &&(&[u8], Static)| begun.starts_with(first);
    if let Some(&(_, known)) = FIRST_BYTES.iter().find(begins) {
        return Some(known);
    }
    // An ORC file's last byte counts those before it.
    let ends = |last: &[u8]| bytes.ends_with(last) || bytes[..bytes.len() - 1].ends_with(last);
    let both = |&(mark, _): &&(&[u8], Static)| bytes.starts_with(mark) && ends(mark);
    if let Some(&(_, known)) = BOTH_ENDS.iter().find(both) {
        return Some(known);
    }
    if bytes.starts_with(b"BZh") && bytes.get(4..10) == Some(b"1AY&SY") {
        return Some(("a bzip2 archive", "unpack it first with: bzip2 -d"));
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(("a tar archive", "unpack it first with: tar -xf"));
    }
    if let Some((&[0x80, 2..=5], rest)) = bytes.split_first_chunk()
        && rest.ends_with(b".")
    {
        return Some(("a Python pickle", PICKLE));
    }
    // The length of a header, which is an object, and the header.
    let (&length, rest) = bytes.split_first_chunk()?;
    let fits = u64::from_le_bytes(length) <= rest.len() as u64;
    (fits && rest.starts_with(b"{\"")).then_some(("weights (.safetensors)", NO_ROWS))
}

const UTF_16: &str = "UTF-16 text";
const UTF_32: &str = "UTF-32 text";

/// UTF-16 and UTF-32: by their mark or, without one, by the zeros beside their first characters.
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
    Some((name, remedy))
}

fn text(bytes: &[u8]) -> Option<Format> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = &bytes[skip_white(bytes, 0)..];
    let format = |name: &'static str, remedy: &'static str| Format {
        name: name.into(),
        remedy: remedy.into(),
    };
    match text.first()? {
        b'{' => object(text),
        b'[' => {
            let first = &text[skip_white(text, 1)..];
            let members = members(first)?;
            is_article(first, &members).then(|| format(SQUAD, SQUAD_ROWS))
        }
        b'<' => {
            let start = text[..text.len().min(15)].to_ascii_lowercase();
            let is_page = start.starts_with(b"<html") || start.starts_with(b"<!doctype html");
            Some(if is_page {
                format(
                    "an HTML page",
                    "a download may have ended at a page that says why it failed: look at it, and \
                     fetch the file itself",
                )
            } else {
                format("XML", "convert its records to JSON objects, one a line")
            })
        }
        _ => table(text),
    }
}

const SQUAD: &str = "SQuAD JSON";
const SQUAD_ROWS: &str = "make a chunk of each paragraph's \"context\" and a question of each of \
                          its \"qas\", with the chunk_id of the paragraph";

/// Names of which each row has one.
const ROW_NAMES: [&[u8]; 12] = [
    b"question",
    b"chunk_id",
    b"chunk_ids",
    b"id",
    b"_id",
    b"text",
    b"chunk_text",
    b"input",
    b"content",
    b"targets",
    b"qa_id",
    b"ground_truth_contexts",
];

/// A text that begins with an object: what it is if that is no row.
fn object(text: &[u8]) -> Option<Format> {
    // Members at fault are for the reader to tell.
    let members = members(text)?;
    let end = Scanner::new(text, 0).value().ok()?.end;
    let is_alone = skip_white(text, end) == text.len();
    let in_lines = memchr::memchr(b'\n', &text[..end]).is_some();
    if is_article(text, &members) || is_alone && is_squad(text, &members) {
        return Some(Format {
            name: SQUAD.into(),
            remedy: SQUAD_ROWS.into(),
        });
    }
    if !is_alone && !in_lines {
        return None;
    }
    let has = |names: &[&[u8]]| members.iter().any(|member| names.contains(&member.name));
    let all = |kind| !members.is_empty() && members.iter().all(|m| m.value.kind == kind);
    let is_row = has(&ROW_NAMES);
    let (name, remedy) = if !is_row && all(Kind::Object) {
        (
            "one JSON object that holds objects by name",
            "convert it with: jq -c 'to_entries[] | {id: .key} + .value' IN > OUT".into(),
        )
    } else if all(Kind::Array) && members.len() > 1 {
        (
            "one JSON object of columns",
            "convert it, in Python with pandas: \
             pandas.read_json(IN).to_json(OUT, orient='records', lines=True)"
                .into(),
        )
    } else if !is_row && let Some(list) = members.iter().find(|m| m.value.kind == Kind::Array) {
        let list = String::from_utf8_lossy(list.name);
        (
            "one JSON object with a list in it",
            format!("if its rows are in {list:?}, convert it with: jq -c '.[{list:?}][]' IN > OUT"),
        )
    } else if in_lines {
        (
            "JSON objects that are written over several lines",
            "write each on one line with: jq -c . IN > OUT".into(),
        )
    } else {
        return None;
    };
    Some(Format {
        name: name.into(),
        remedy: remedy.into(),
    })
}

struct Member<'a> {
    /// As it is written.
    name: &'a [u8],
    value: Value,
}

/// The members of the object that a text begins with; none if it is not one, or at fault.
fn members(text: &[u8]) -> Option<Vec<Member<'_>>> {
    let mut members = Vec::new();
    let is_object = text.first() == Some(&b'{');
    let read = Scanner::new(text, 0);
    let read = is_object.then_some(read)?.object(|key, value| {
        let name = &text[key.start + 1..key.end - 1];
        push(&mut members, Member { name, value });
        Ok(())
    });
    read.is_ok().then_some(members)
}

/// An article of SQuAD has paragraphs, which have questions or a context.
fn is_article(text: &[u8], members: &[Member<'_>]) -> bool {
    first_has(text, members, b"paragraphs", &[b"qas", b"context"])
}

fn is_squad(text: &[u8], members: &[Member<'_>]) -> bool {
    first_has(text, members, b"data", &[b"paragraphs"])
}

/// Whether the first object in the list of this name has a member of one of these names.
fn first_has(text: &[u8], all: &[Member<'_>], list: &[u8], names: &[&[u8]]) -> bool {
    let of_that_name = |m: &&Member<'_>| m.name == list && m.value.kind == Kind::Array;
    let Some(list) = all.iter().find(of_that_name) else {
        return false;
    };
    let first = &text[skip_white(text, list.value.start + 1)..list.value.end];
    members(first).is_some_and(|found| found.iter().any(|member| names.contains(&member.name)))
}

/// Lines of as many fields each, by tabs, commas or semicolons; or TREC's, by spaces.
fn table(text: &[u8]) -> Option<Format> {
    const LOOKED_AT: usize = 3;
    let mut lines = Vec::new();
    let mut start = 0;
    while lines.len() < LOOKED_AT && start < text.len() {
        let end = line_end(text, start);
        let line = text[start..end].trim_ascii();
        start = end + 1;
        // One good row, or what may be one, and this is no table.
        if matches!(line.first(), Some(b'{' | b'[')) {
            return None;
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    if let Some(name) = trec(&lines) {
        return Some(Format {
            name: name.into(),
            remedy: "give questions and chunks as JSONL, the judgements as each question's \
                     \"chunk_ids\""
                .into(),
        });
    }
    let separators = [
        (b'\t', "tab-separated values (TSV)", "\\t"),
        (b',', "comma-separated values (CSV)", ","),
        (b';', "semicolon-separated values (CSV)", ";"),
    ];
    let fields = |line: &[u8], by| line.split(|&byte| byte == by).count();
    let (_, name, by) = separators.into_iter().find(|&(by, ..)| {
        let count = fields(lines[0], by);
        let even = lines.len() > 1 && lines.iter().all(|line| fields(line, by) == count);
        count > 1 && (even || is_header(lines[0], by))
    })?;
    let remedy = format!(
        "convert it, in Python with pandas: \
         pandas.read_csv(IN, sep='{by}').to_json(OUT, orient='records', lines=True)"
    );
    Some(Format {
        name: name.into(),
        remedy: remedy.into(),
    })
}

/// Whether a line names columns, one of them as rows do.
fn is_header(line: &[u8], by: u8) -> bool {
    const OTHERS: [&[u8]; 12] = [
        b"query",
        b"query-id",
        b"query_id",
        b"corpus-id",
        b"anchor",
        b"positive",
        b"negative",
        b"answer",
        b"context",
        b"passage",
        b"document",
        b"title",
    ];
    let mut names = line.split(|&byte| byte == by).map(|name| {
        let name = name.trim_ascii();
        let name = name.strip_prefix(b"\"").unwrap_or(name);
        let name = name.strip_suffix(b"\"").unwrap_or(name);
        name.to_ascii_lowercase()
    });
    names.any(|name| ROW_NAMES.iter().chain(&OTHERS).any(|known| *known == name))
}

/// Judgements or a run as TREC writes them.
fn trec(lines: &[&[u8]]) -> Option<&'static str> {
    let shape = |line: &&[u8]| {
        let fields: Vec<&[u8]> = line
            .split(u8::is_ascii_whitespace)
            .filter(|field| !field.is_empty())
            .collect();
        match fields[..] {
            [_, b"0" | b"Q0", _, grade] if grade.iter().all(u8::is_ascii_digit) => 4,
            [_, b"Q0", _, _, _, _] => 6,
            _ => 0,
        }
    };
    let shapes: Vec<usize> = lines.iter().map(shape).collect();
    match shapes[..] {
        [4, ..] if shapes.iter().all(|&shape| shape == 4) => Some("TREC judgements (qrels)"),
        [6, ..] if shapes.iter().all(|&shape| shape == 6) => Some("a TREC run"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: impl AsRef<[u8]>) -> String {
        recognise(bytes.as_ref()).map_or_else(String::new, |format| format.name.into_owned())
    }

    #[test]
    fn what_may_hold_a_row_is_not_refused() {
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
        ] {
            assert_eq!(name(good), "", "{good}");
        }
    }

    #[test]
    fn encodings_are_told_with_and_without_a_mark() {
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

    #[test]
    fn objects_that_are_no_rows_are_told_apart() {
        let cases = [
            (
                "{\"version\": \"1\", \"data\": [{\"title\": \"\", \"paragraphs\": []}]}",
                SQUAD,
            ),
            (
                "[{\"paragraphs\": [{\"context\": \"\", \"qas\": []}]}]",
                SQUAD,
            ),
            ("{\"paragraphs\": [{\"qas\": []}]}\n{}", SQUAD),
            (
                "{\"c1\": {\"text\": \"a\"}}",
                "one JSON object that holds objects by name",
            ),
            (
                "{\"text\": [\"a\"], \"id\": [1]}",
                "one JSON object of columns",
            ),
            (
                "{\"rows\": [{\"id\": 1}], \"n\": 1}",
                "one JSON object with a list in it",
            ),
            (
                "{\n\"id\": 1\n}\n{\n}",
                "JSON objects that are written over several lines",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(name(text), expected, "{text}");
        }
    }

    #[test]
    fn tables_are_told_by_their_lines() {
        let cases = [
            (
                "question\tchunk_id\nWho?\tc1\n",
                "tab-separated values (TSV)",
            ),
            (
                "\"id\",\"text\"\n1,\"a, b\"\n",
                "comma-separated values (CSV)",
            ),
            ("a;b\nc;d\n", "semicolon-separated values (CSV)"),
            ("q1 0 d1 1\nq1 0 d2 0\n", "TREC judgements (qrels)"),
            ("q1\tQ0\td1\t1\t0.5\tbm25\n", "a TREC run"),
            ("A line, and\nanother\n", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(name(text), expected, "{text}");
        }
    }
}
