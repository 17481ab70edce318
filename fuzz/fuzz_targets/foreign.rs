//! Files of other formats: whatever the bytes, no text is refused of which a line, or an element of
//! the array that it is, may be a good row, and what stands before the first frame of text is passed
//! over as a twin does.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use stage2_core::jsonl::foreign::{after_skippable_frames, recognise};
use stage2_fuzz::{as_row, is_special, parse};

/// Frames passed one by one.
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

/// What the reader would take for rows, as far as they are JSON.
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
    // An archive of rows that are not packed has them in it, among zeros.
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
