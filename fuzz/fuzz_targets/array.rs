//! Rows of a JSON array: the core finds no fault exactly if `serde_json` finds none, and then finds
//! the same rows.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use stage2_core::jsonl::{OnError, Source};
use stage2_fuzz::{as_row, check_row, is_special, parse};

fuzz_target!(|input: &[u8]| {
    if is_special(input) {
        return;
    }
    let mut array = b"[".to_vec();
    array.extend_from_slice(input);
    let expected = match parse(&array) {
        Some(Value::Array(rows)) if rows.is_empty() => return,
        Some(Value::Array(rows)) => rows.into_iter().map(as_row).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let source = Source::from_bytes("input", array).expect("the array is not empty");
    let parsed = source.parse(OnError::Skip, check_row);
    assert_eq!(parsed.rejects.is_empty(), expected.is_some());
    if let Some(rows) = expected {
        assert_eq!(parsed.pieces.iter().sum::<usize>(), rows.len());
    }
    for rejected in Arc::new(source).locate(parsed.rejects) {
        assert!(rejected.line >= 1 && rejected.column >= 1);
        let _ = rejected.row();
    }
});
