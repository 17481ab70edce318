//! Recognition of other formats: no text is refused that may hold a good row, as a line or as an
//! element of a JSON array. Skippable frames are skipped as an obvious twin skips them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use stage2_core::jsonl::foreign::{after_skippable_frames, recognise};
use stage2_fuzz::{as_row, is_special, parse};

/// The twin: skips one frame after another.
fn twin(bytes: &[u8]) -> &[u8] {
    if bytes.len() < 8 || bytes[0] & 0xf0 != 0x50 || bytes[1..4] != [0x2a, 0x4d, 0x18] {
        return bytes;
    }
    let size = bytes[4..8]
        .iter()
        .rev()
        .fold(0, |size, &byte| size << 8 | usize::from(byte));
    if bytes.len() - 8 < size {
        bytes
    } else {
        twin(&bytes[8 + size..])
    }
}

/// Returns the rows that the reader would find, as far as they are valid JSON.
fn rows(text: &str) -> Vec<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('[') {
        return match parse(text.as_bytes()) {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        };
    }
    text.split('\n')
        .filter_map(|line| parse(line.as_bytes()))
        .collect()
}

fuzz_target!(|input: &[u8]| {
    assert_eq!(after_skippable_frames(input), twin(input));
    let Some(format) = recognise(input) else {
        return;
    };
    assert!(!format.name.is_empty() && !format.remedy.is_empty());
    // An uncompressed archive of rows holds them among zeros.
    let text = std::str::from_utf8(input).unwrap_or_default();
    if text.contains('\0') || is_special(input) {
        return;
    }
    let names = ["question", "text", "chunk_text", "input", "content"];
    for row in rows(text).into_iter().filter_map(as_row) {
        let has_text = names.iter().any(|&name| row.get(name).is_some_and(Value::is_string));
        assert!(!has_text, "{} was refused", format.name);
    }
});
