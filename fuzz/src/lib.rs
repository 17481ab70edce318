//! Shared code of the fuzz targets: compares rows as the core reads them with rows as `serde_json`
//! reads them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Deserializer, Map, Value};
use stage2_core::corpus::Span;
use stage2_core::error::Fault;
use stage2_core::jsonl::Row;
use stage2_core::jsonl::key_cache::KeyCache;
use stage2_core::jsonl::scan::{Kind, MAX_DEPTH};

/// Parses a whole text with `serde_json`, without its limit on nesting. Returns none if it is
/// invalid.
pub fn parse(json: &[u8]) -> Option<Value> {
    let mut deserializer = Deserializer::from_slice(json);
    deserializer.disable_recursion_limit();
    let value = Value::deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// Returns the members of a row that the core must accept: an object that does not nest too deeply.
pub fn as_row(value: Value) -> Option<Map<String, Value>> {
    if depth(&value) > MAX_DEPTH {
        return None;
    }
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// Returns the depth of the nesting of lists and objects.
fn depth(value: &Value) -> u32 {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Tells whether the text may hold an object that `serde_json` treats as one of its own types.
pub fn is_special(text: &[u8]) -> bool {
    text.windows(11).any(|window| window == b"$serde_json")
}

/// Reads a row with the core and counts it if it is good. Panics unless the core accepts exactly
/// the rows that `serde_json` accepts, with the same members.
pub fn check_row(good: &mut usize, row: Row<'_>) -> Result<(), Box<Fault>> {
    let Some(expected) = parse(&row.bytes()[row.start()..]).and_then(as_row) else {
        return Err(row.object(|_, _| Ok(())).expect_err("serde_json refuses the row"));
    };
    let mut found = BTreeMap::new();
    row.object(|name, value| {
        // If members have the same name, the last one counts, as in `serde_json`.
        found.insert(Span::of(name).decode(row.bytes()).into_owned(), value);
        Ok(())
    })
    .expect("serde_json accepts the row");
    assert_eq!(found.len(), expected.len());
    for (name, value) in found {
        let raw = &row.bytes()[value.start..value.end];
        let expected = &expected[&name];
        assert_eq!(value.kind.name(), kind_name(expected, value.kind));
        assert_eq!(parse(raw).as_ref(), Some(expected));
        if let Value::String(text) = expected {
            assert_eq!(Span::of(value).decode(row.bytes()), *text);
        }
    }
    *good += 1;
    Ok(())
}

/// Checks that member names read with the memory of the row before are those read without it.
#[derive(Default)]
pub struct Names {
    key_cache: KeyCache,
    seen: Vec<String>,
}

impl Names {
    /// Panics unless both ways of reading the row agree.
    pub fn check_row(&mut self, row: Row<'_>) -> Result<(), Box<Fault>> {
        let name = |key| Span::of(key).decode(row.bytes()).into_owned();
        let mut expected = Vec::new();
        let plain = row.object(|key, value| {
            expected.push((name(key), value));
            Ok(())
        });
        let Self { key_cache, seen } = self;
        let mut found = Vec::new();
        let remembered = row.members(
            |scanner, place| {
                key_cache.read_key(scanner, place, |key| {
                    seen.push(name(key));
                    Some(seen.len() - 1)
                })
            },
            |rank, value| {
                found.push((rank.expect("every name has a rank"), value));
                Ok(())
            },
        );
        assert_eq!(remembered, plain);
        let found = found.into_iter().map(|(rank, value)| (seen[rank].clone(), value));
        assert_eq!(found.collect::<Vec<_>>(), expected);
        plain
    }
}

/// Returns the kind of a value. `serde_json` has one kind of number, so the core's kind is used.
fn kind_name(value: &Value, found: Kind) -> &'static str {
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Bool,
        Value::Number(_) if matches!(found, Kind::Integer | Kind::Float) => found,
        Value::Number(_) => Kind::Float,
        Value::String(_) => Kind::String { escaped: false },
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
    };
    kind.name()
}
