//! Recognises text formats other than JSONL: tables, web pages, and JSON objects that are not rows.

use super::Format;
use crate::cancel::check;
use crate::jsonl::array::elements;
use crate::jsonl::scan::{Kind, Scanner, Value};
use crate::jsonl::{BYTE_ORDER_MARK, line_end, skip_white};
use crate::memory::push;

/// Returns the format of a text if it looks like a known one other than JSONL. It may still hold
/// good rows; see [`may_hold_a_row`].
pub fn recognise(bytes: &[u8]) -> Option<Format> {
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
            let (members, _) = members(first)?;
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

/// The known member names of rows. Every row has at least one of them.
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

/// The known names of text members. Every row has at least one of them, with a string.
const TEXT_NAMES: [&[u8]; 5] = [b"question", b"text", b"chunk_text", b"input", b"content"];

/// Tells whether any line of the text, or any element if it is a JSON array, may be a good row.
pub fn may_hold_a_row(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let start = skip_white(text, 0);
    if text.get(start) == Some(&b'[') {
        let (rows, _) = elements(text, start);
        return rows.into_iter().any(|row| may_be_a_row(&text[row]));
    }
    text.split(|&byte| byte == b'\n').any(may_be_a_row)
}

/// Tells whether a row is an object with a text member.
fn may_be_a_row(row: &[u8]) -> bool {
    check();
    let row = &row[skip_white(row, 0)..];
    let Some((members, end)) = members(row) else {
        return false;
    };
    // A name written with escapes may be any name.
    let has_text = |member: &Member<'_>| {
        let is_known = TEXT_NAMES.contains(&member.name) || member.name.contains(&b'\\');
        is_known && matches!(member.value.kind, Kind::String { .. })
    };
    skip_white(row, end) == row.len() && members.iter().any(has_text)
}

/// Recognises a text that starts with a JSON object which is not a row.
fn object(text: &[u8]) -> Option<Format> {
    // The reader reports invalid members.
    let (members, end) = members(text)?;
    let is_alone = skip_white(text, end) == text.len();
    let in_lines = memchr::memchr(b'\n', &text[..end]).is_some();
    let has = |names: &[&[u8]]| members.iter().any(|member| names.contains(&member.name));
    let is_row = has(&ROW_NAMES);
    if !is_row && (is_article(text, &members) || is_alone && is_squad(text, &members)) {
        return Some(Format {
            name: SQUAD.into(),
            remedy: SQUAD_ROWS.into(),
        });
    }
    if !is_alone && !in_lines {
        return None;
    }
    let all = |kind| !members.is_empty() && members.iter().all(|m| m.value.kind == kind);
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

/// A member of a JSON object.
struct Member<'a> {
    /// The name without its quotes, with its escapes.
    name: &'a [u8],
    value: Value,
}

/// Returns the members of the object at the start of a text, and the object's end. Returns none if
/// the text does not start with a valid object.
fn members(text: &[u8]) -> Option<(Vec<Member<'_>>, usize)> {
    if text.first() != Some(&b'{') {
        return None;
    }
    let (mut members, mut scanner) = (Vec::new(), Scanner::new(text, 0));
    let read = scanner.object(|key, value| {
        let name = &text[key.start + 1..key.end - 1];
        push(&mut members, Member { name, value });
        Ok(())
    });
    let end = text.len() - scanner.rest().len();
    read.is_ok().then_some((members, end))
}

/// Tells whether an object is an article of SQuAD: its paragraphs have questions or a context.
fn is_article(text: &[u8], members: &[Member<'_>]) -> bool {
    first_has(text, members, b"paragraphs", &[b"qas", b"context"])
}

/// Tells whether an object is a file of SQuAD: it holds articles.
fn is_squad(text: &[u8], members: &[Member<'_>]) -> bool {
    first_has(text, members, b"data", &[b"paragraphs"])
}

/// Tells whether there is a member `list`, a list whose first object has a member with one of
/// `names`.
fn first_has(text: &[u8], all: &[Member<'_>], list: &[u8], names: &[&[u8]]) -> bool {
    let of_that_name = |m: &&Member<'_>| m.name == list && m.value.kind == Kind::Array;
    let Some(list) = all.iter().find(of_that_name) else {
        return false;
    };
    let first = &text[skip_white(text, list.value.start + 1)..list.value.end];
    members(first).is_some_and(|(found, _)| found.iter().any(|member| names.contains(&member.name)))
}

/// Recognises a table: every line has the same number of fields, separated by tabs, commas or
/// semicolons. Also recognises TREC's files, whose fields are separated by spaces.
fn table(text: &[u8]) -> Option<Format> {
    const LOOKED_AT: usize = 3;
    let mut lines = Vec::new();
    let mut start = 0;
    while lines.len() < LOOKED_AT && start < text.len() {
        let end = line_end(text, start);
        let line = text[start..end].trim_ascii();
        start = end + 1;
        // A line that may be a row shows that this is not a table.
        if matches!(line.first(), Some(b'{' | b'[')) {
            return None;
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    // A text of form feeds alone is trimmed to nothing.
    let &first = lines.first()?;
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
        let count = fields(first, by);
        let even = lines.len() > 1 && lines.iter().all(|line| fields(line, by) == count);
        count > 1 && (even || is_header(first, by))
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

/// Tells whether a line is a header: one of its fields is a known name.
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

/// Recognises TREC's judgements and runs.
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

    fn name(text: &str) -> String {
        recognise(text.as_bytes()).map_or_else(String::new, |format| format.name.into_owned())
    }

    #[test]
    fn objects_that_are_not_rows_are_recognised() {
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
    fn a_row_after_an_object_over_several_lines_may_be_good() {
        for row in [
            "{\"text\": \"a\"}",
            " {\"t\\u0065xt\": \"a\", \"id\": 1} \r",
            "{\"text\": \"a\"",
            "{\"text\": 1}",
        ] {
            let text = format!("{{\n}}\n\n{row}\n");
            let may_be = row.contains("\"a\"") && row.contains('}');
            assert_eq!(may_hold_a_row(text.as_bytes()), may_be, "{text:?}");
            let known = crate::jsonl::foreign::recognise(text.as_bytes());
            assert_eq!(known.is_none(), may_be, "{text:?}");
        }
    }

    #[test]
    fn tables_are_recognised_by_their_lines() {
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
