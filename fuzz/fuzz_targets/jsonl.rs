//! Rows of a JSONL file: the core accepts what `serde_json` accepts and reads the same values.
//! Reading a row with the memory of the row before gives the same as reading it alone.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stage2_core::jsonl::{OnError, Source};
use stage2_fuzz::{Names, as_row, check_row, is_special, parse};

fuzz_target!(|input: &[u8]| {
    let text = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let is_white = |byte: &u8| b" \t\r\n".contains(byte);
    let is_array = text.iter().find(|byte| !is_white(byte)) == Some(&b'[');
    if is_array || is_special(text) {
        return;
    }
    let lines: Vec<&[u8]> = text
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.iter().all(is_white))
        .collect();
    let Ok(source) = Source::from_bytes("input", input.to_vec()) else {
        assert!(lines.is_empty());
        return;
    };
    let parsed = source.parse(OnError::Skip, check_row);
    let good = lines.iter().filter_map(|line| parse(line).and_then(as_row)).count();
    assert_eq!(parsed.pieces.iter().sum::<usize>(), good);
    assert_eq!(parsed.rejects.len(), lines.len() - good);
    assert_eq!(source.parse(OnError::Strict, check_row).rejects.is_empty(), good == lines.len());
    source.parse(OnError::Skip, Names::check_row);
});
