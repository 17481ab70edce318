//! Lines that are read block by block: they are those of the whole text, wherever blocks end.

#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use stage2_core::jsonl::{Access, Lines};

/// A text of so many bytes takes two blocks.
const TWO_BLOCKS: usize = (1 << 20) + 4096;
/// A zero among so many bytes may begin another format, which is read as a whole.
const LOOKED_AT: usize = 512;

fuzz_target!(|input: &[u8]| {
    // A text that begins with a brace is read block by block.
    let mut text = b"{".to_vec();
    while !input.is_empty() && text.len() < TWO_BLOCKS {
        text.extend_from_slice(input);
    }
    if text.iter().take(LOOKED_AT).any(|&byte| byte == 0) {
        return;
    }
    let path = std::env::temp_dir().join(format!("stage2-fuzz-lines-{}", std::process::id()));
    fs::write(&path, &text).expect("the temporary folder can be written to");
    let mut lines = Lines::open(&path, Access::READ).expect("a brace begins a text");
    let whole = text.strip_suffix(b"\n").unwrap_or(&text);
    let mut expected = whole.split(|&byte| byte == b'\n');
    loop {
        while let Some(place) = lines.next_in_memory() {
            assert_eq!(Some(lines.line(place)), expected.next());
        }
        if !lines.has_more() {
            break;
        }
        lines.fill().expect("the file is whole");
    }
    assert_eq!(expected.next(), None);
    fs::remove_file(&path).expect("the file is there");
});
