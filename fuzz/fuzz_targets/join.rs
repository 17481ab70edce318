//! The join by index equals the comparison of every text with every annotation.
//!
//! Texts are separated by NUL; the first half are the annotations. Inputs stay short, because only
//! the common parts of texts matter: `ab\0b` is a good seed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stage2_core::join::{Index, normalise, transfer};

fuzz_target!(|input: &str| {
    let texts: Vec<&str> = input.split('\0').collect();
    let (annotations, texts) = texts.split_at(texts.len() / 2);
    let index = Index::build(annotations);
    for &text in texts {
        let found = index.lookup(text);
        assert_eq!(found, scan(annotations, text));
        if let Some(annotation) = found {
            check_spans(annotations[annotation], text);
        }
    }
});

fn scan(annotations: &[&str], text: &str) -> Option<usize> {
    let normal: Vec<_> = annotations.iter().map(|text| normalise(text)).collect();
    let text = normalise(text);
    let contained = |other: &str| {
        let (a, b) = (text.chars().count(), other.chars().count());
        10 * a.abs_diff(b) < a.max(b) && (text.contains(other) || other.contains(&*text))
    };
    let equal = normal.iter().position(|other| *other == text);
    let first = equal.or_else(|| normal.iter().position(|other| contained(other)))?;
    normal.iter().rposition(|other| *other == normal[first])
}

/// Checks that every span of one code point keeps its text, or is dropped.
fn check_spans(annotation: &str, text: &str) {
    let (from, to): (Vec<char>, Vec<char>) = (annotation.chars().collect(), text.chars().collect());
    for (start, &covered) in (0..).zip(&from) {
        let mut moved = Vec::new();
        transfer(annotation, text, &[[start, start + 1]], &mut moved);
        for [start, end] in moved {
            let moved: String = to[start as usize..end as usize].iter().collect();
            assert_eq!(normalise(&moved), normalise(&covered.to_string()));
        }
    }
}
