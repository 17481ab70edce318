//! Files of other formats: whatever the bytes, none is refused that may hold a good row in the lines
//! that are looked at, and what stands before the first frame of text is passed over as a twin does.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stage2_core::jsonl::foreign::{after_skippable_frames, recognise};
use stage2_fuzz::parse;

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

fuzz_target!(|input: &[u8]| {
    assert_eq!(after_skippable_frames(input), twin(input));
    let Some(format) = recognise(input) else {
        return;
    };
    assert!(!format.name.is_empty() && !format.remedy.is_empty());
    // An object in two lines, or one after another, may be rows; what has a text is one.
    let first = input
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let row = parse(first).filter(|value| value.get("text").is_some_and(|text| text.is_string()));
    assert!(row.is_none(), "{} was refused", format.name);
});
