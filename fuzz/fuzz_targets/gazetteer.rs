//! Names and texts: every file of names is read or refused, and what is found is what a scan of all
//! parts finds.
//!
//! The first byte chooses the form and whether case counts. Names and texts are separated by NUL;
//! names have a line each.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stage2_core::gazetteer::{Form, Gazetteer, Prepared, Rows, Rules, is_boundary};
use stage2_core::jsonl::{OnError, Source};

fn key(text: &str, rules: Rules) -> Vec<u8> {
    let mut prepared = Prepared::default();
    prepared.read(text, rules);
    prepared.key().to_vec()
}

/// Reads the input as each kind of file. None may panic.
fn read_all(input: &[u8]) {
    let source = || Source::of_lines("names", input.to_vec());
    let tables = [Rows::of_lines(source(), OnError::Skip), Rows::of_table(source(), OnError::Skip)];
    let json = Source::from_bytes("names", input.to_vec())
        .and_then(|source| Rows::of_json(source, OnError::Skip));
    for rows in tables.into_iter().chain([json]).flatten() {
        assert_eq!(rows.labels.len(), rows.names.len());
        assert_eq!(rows.alias_offsets.len(), rows.names.len() + 1);
        let _ = Gazetteer::of_rows(rows, "names", Rules::default(), 2);
    }
}

fuzz_target!(|input: &[u8]| {
    read_all(input);
    let Some((&choice, rest)) = input.split_first() else { return };
    let Ok(rest) = std::str::from_utf8(rest) else { return };
    let Some((names, text)) = rest.split_once('\0') else { return };
    let form = [Form::None, Form::Nfc, Form::Nfkc][usize::from(choice >> 1) % 3];
    let rules = Rules { ignore_case: choice & 1 == 1, form };
    let source = Source::of_lines("names", names.as_bytes().to_vec());
    let Ok(rows) = Rows::of_lines(source, OnError::Skip) else { return };
    let keys: Vec<Vec<u8>> = rows.names.iter().map(|name| key(&name, rules)).collect();
    let Ok(gazetteer) = Gazetteer::of_rows(rows, "names", rules, 1) else { return };
    let found = gazetteer.find(&[text]);
    let bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();

    let mut last = 0;
    for (&[start, end], &name) in found.spans.spans.iter().zip(&found.names) {
        assert!(last <= start && start < end, "spans rise");
        last = end;
        let [start, end] = [start, end].map(|at| bytes[at as usize]);
        assert!(is_boundary(text, start) && is_boundary(text, end));
        assert_eq!(key(&text[start..end], rules), keys[name as usize]);
    }
    // In the form `Written` a name stands where it stands byte by byte.
    if form == Form::None && !rules.ignore_case && !text.contains(char::is_whitespace) {
        let mut at = 0;
        let mut expected = Vec::new();
        while at < bytes.len() - 1 {
            let ends = |name: &Vec<u8>| {
                let end = bytes[at] + name.len();
                let stands = text.as_bytes()[bytes[at]..].starts_with(name);
                (!name.is_empty() && stands && is_boundary(text, bytes[at])
                    && is_boundary(text, end)).then_some(end)
            };
            match keys.iter().filter_map(ends).max() {
                Some(end) => {
                    let end = bytes.binary_search(&end).expect("names end between characters");
                    expected.push([at as i64, end as i64]);
                    at = end;
                }
                None => at += 1,
            }
        }
        assert_eq!(found.spans.spans, expected);
    }
});
