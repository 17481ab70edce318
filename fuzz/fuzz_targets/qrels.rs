//! Lines of judgements: a line is accepted exactly if it has three fields with tabs between them,
//! two ids and a whole number, and what is read of it is what stands there.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use stage2_core::corpus::QrelsRows;
use stage2_core::jsonl::{OnError, Source};

fn judgement(line: &[u8]) -> Option<(&str, &str, u32)> {
    let fields: Vec<&str> = std::str::from_utf8(line).ok()?.split('\t').collect();
    let [question, chunk, grade] = fields[..] else { return None };
    let grade = grade.trim_matches([' ', '\r', '\x0c']);
    let is_number = !grade.is_empty() && grade.chars().all(|c| c.is_ascii_digit());
    if question.is_empty() || chunk.is_empty() || !is_number {
        return None;
    }
    Some((question, chunk, grade.parse().ok()?))
}

fuzz_target!(|input: &[u8]| {
    let source = Arc::new(Source::of_lines("input", input.to_vec()));
    let (rows, rejects, has_header) = QrelsRows::read(&source, OnError::Skip);
    let lines = input
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(input)
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.iter().all(|byte| b" \t\r".contains(byte)));
    let lines: Vec<&[u8]> = lines.skip(usize::from(has_header)).collect();
    let expected: Vec<_> = lines.iter().filter_map(|line| judgement(line)).collect();
    assert_eq!(rows.grades.len(), expected.len());
    assert_eq!(rows.grades.len() + rejects.len(), lines.len());
    let text = |span: stage2_core::corpus::Span| span.decode(source.bytes()).into_owned();
    for (row, &(question, chunk, grade)) in expected.iter().enumerate() {
        assert_eq!(text(rows.questions[row]), question);
        assert_eq!(text(rows.chunks[row]), chunk);
        assert_eq!(rows.grades[row], grade);
    }
    for rejected in source.locate(rejects) {
        assert!(rejected.line >= 1 && rejected.column >= 1);
        let _ = rejected.row();
    }
});
