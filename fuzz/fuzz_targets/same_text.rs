//! Finding the same texts by hashes of their edges equals the comparison of all keys.
//!
//! Texts are separated by NUL. Each is also added with other white space, in capitals, and repeated
//! with different ends and with different middles.

#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use stage2_core::same_text::{first_of, key};

fuzz_target!(|input: &str| {
    let mut texts = Vec::new();
    for text in input.split('\0') {
        let long = text.repeat(40);
        texts.extend([format!(" {text}\n"), format!("{long}1"), format!("{long} 2")]);
        texts.extend([format!("{long}1{long}"), format!("{long} 2 {long}\n")]);
        texts.extend([text.to_uppercase(), long.to_uppercase()]);
        texts.extend([text.to_owned(), long]);
    }
    let keys: Vec<String> = texts.iter().map(|text| key(text).into_owned()).collect();
    for once in &keys {
        assert_eq!(key(once), *once);
    }
    let expected: Vec<i64> = keys
        .iter()
        .map(|key| keys.iter().position(|other| other == key).unwrap() as i64)
        .collect();
    assert_eq!(first_of(texts.len(), |i| Cow::Borrowed(&*texts[i])), expected);
});
