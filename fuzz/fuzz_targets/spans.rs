//! Entity annotations: the core accepts a row exactly if an obvious reading by `serde_json` and
//! code points accepts it, with the same spans. Spans moved to any text lie inside it.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use stage2_core::corpus::Annotations;
use stage2_core::join::normalise;
use stage2_core::jsonl::{OnError, Source};
use stage2_fuzz::{as_row, is_special, parse};

fuzz_target!(|input: &[u8]| {
    // The input must be JSONL; other targets test arrays.
    if is_special(input) || input.contains(&b'[') && input.trim_ascii_start().starts_with(b"[") {
        return;
    }
    let Ok(source) = Source::from_bytes("input", input.to_vec()) else { return };
    let expected: Vec<_> = input
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(input)
        .split(|&byte| byte == b'\n')
        .filter_map(|line| annotation(&parse(line).and_then(as_row)?))
        .collect();
    let Ok(annotations) = Annotations::read(&Arc::new(source), OnError::Skip) else {
        assert!(expected.is_empty());
        return;
    };
    let texts: Vec<_> = annotations.texts.iter().collect();
    assert_eq!(texts.len(), expected.len());
    for (i, (text, spans)) in expected.iter().enumerate() {
        assert_eq!(texts[i], *text);
        assert_eq!(annotations.spans.of(i), spans);
    }

    let shortened: Vec<&str> = texts.iter().map(|text| text.trim_end_matches('a')).collect();
    let moved = annotations.spans_for(&shortened);
    for (i, text) in shortened.iter().enumerate() {
        let length = text.chars().count() as i64;
        assert!(moved.of(i).iter().all(|&[start, end]| 0 <= start && start < end && end <= length));
    }
});

fn annotation(row: &Map<String, Value>) -> Option<(String, Vec<[i64; 2]>)> {
    let text = row.get("text")?.as_str()?.to_owned();
    if normalise(&text).is_empty() {
        return None;
    }
    let points: Vec<char> = text.chars().collect();
    let targets = row.get("targets")?.as_array()?;
    let spans: Option<Vec<_>> = targets.iter().map(|target| span(target, &points)).collect();
    Some((text, spans?))
}

fn span(target: &Value, text: &[char]) -> Option<[i64; 2]> {
    let integer = |name| target.get(name)?.to_string().parse::<i64>().ok();
    let (start, end) = (integer("char_start")?, integer("char_end")?);
    if start < 0 || start >= end || end > text.len() as i64 {
        return None;
    }
    let found: String = text[start as usize..end as usize].iter().collect();
    match target.get("span_text") {
        None | Some(Value::Null) => Some([start, end]),
        Some(Value::String(expected)) => (*expected == found).then_some([start, end]),
        Some(_) => None,
    }
}
