//! Finds the annotation that belongs to a text, and moves its spans to that text.
//!
//! White space is normalised first: texts are split on it and joined with one space. An annotation
//! belongs to a text if the two are equal. If no annotation is equal, the first one belongs to it
//! that contains the text, or is contained in it, with lengths that differ by less than a tenth of
//! the longer.
//!
//! Equal texts are found by hash. Finding contained texts by comparing all pairs would take
//! quadratic time. Instead every annotation is indexed under a few *keys*, and a text is compared
//! only with the annotations that share a key with it:
//!
//! * Lengths are divided into classes that grow by 10/9, so only two or three classes can match a
//!   text.
//! * Each class has a window width. The key of a window is the smallest hash of the short byte
//!   strings ("grams") in it. An annotation is indexed under the keys of *all* its windows.
//!   Neighbouring windows usually share their smallest hash (winnowing), so an annotation has about
//!   ten keys, whatever its length.
//! * Whichever text contains the other, the middle 80% of the text also occur in the annotation.
//!   They have room for up to three windows, whose keys must all be keys of the annotation. The
//!   text is compared with the annotations under that key which has the fewest.
//!
//! Building and looking up take linear time in the bytes, plus the comparisons. These are few,
//! unless many annotations of similar length share every key in their middle. An example are
//! thousands of copies of a form letter that differ only near their ends; each copy costs one
//! substring search.

mod postings;
mod transfer;
mod windows;

use std::borrow::Cow;

use memchr::memmem;
use rayon::prelude::*;

use crate::cancel::check;
use crate::dedup::{FirstOccurrences, hash};
use postings::{Posting, Postings, number};
use windows::{LengthClasses, lengths_near, tolerance};

pub use crate::white_space::normalise;
pub use transfer::{Transfer, transfer};

/// The number of texts of a parallel work item: one text takes about a microsecond.
const TEXTS_PER_JOB: usize = 256;

/// The largest number of offsets that are tried one by one, without a substring searcher.
const FEW_PLACES: usize = 64;

/// An index of annotations by their texts.
pub struct Index<'a> {
    annotations: Vec<Annotation<'a>>,
    classes: LengthClasses,
    exact: FirstOccurrences,
    windows: Postings,
}

/// The annotation that belongs to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    pub annotation: usize,
    /// Tells whether the two texts are equal, white space aside. Otherwise one contains the other.
    pub is_equal: bool,
}

/// An annotation with its normalised text.
struct Annotation<'a> {
    text: Cow<'a, str>,
    /// The length in code points.
    length: usize,
    /// The number of the last annotation with this text, which is the one used. None if an earlier
    /// annotation has the same text.
    last: Option<usize>,
}

impl<'a> Index<'a> {
    /// Builds the index of annotations with these texts.
    pub fn build(texts: &[&'a str]) -> Self {
        let (annotations, exact) = deduplicated(texts);
        let longest = annotations.iter().map(|a| a.length).max().unwrap_or(0);
        let classes = LengthClasses::up_to(longest);
        let windows = Postings::collect(annotations.len(), |number, keys| {
            check();
            let a = &annotations[number];
            if let (Some(_), Some(class)) = (a.last, classes.of(a.length)) {
                classes.shape(class).push_keys(a.text.as_bytes(), keys);
            }
        });
        Self {
            annotations,
            classes,
            exact,
            windows,
        }
    }

    /// Returns the number of the annotation that belongs to `text`.
    pub fn lookup(&self, text: &str) -> Option<usize> {
        self.find(text).map(|found| found.annotation)
    }

    /// Like [`Index::lookup`], but also tells whether the texts are equal.
    pub fn find(&self, text: &str) -> Option<Match> {
        check();
        let text = normalise(text);
        let equal = self.equal(&text);
        let number = equal.or_else(|| self.contained(&text))?;
        Some(Match {
            annotation: self.annotations[number].last?,
            is_equal: equal.is_some(),
        })
    }

    /// Like [`Index::lookup`], for many texts in parallel.
    pub fn lookup_all(&self, texts: &[&str]) -> Vec<Option<usize>> {
        texts
            .par_iter()
            .with_min_len(TEXTS_PER_JOB)
            .map(|text| self.lookup(text))
            .collect()
    }

    /// Returns the first annotation whose normalised text equals `text`.
    fn equal(&self, text: &str) -> Option<usize> {
        self.exact.find(hash(text.as_bytes()), |number| {
            self.annotations[number].text == text
        })
    }

    /// Returns the first annotation that contains `text` or is contained in it.
    fn contained(&self, text: &str) -> Option<usize> {
        let length = text.chars().count();
        let middle = middle(text, length);
        let mut first = None;
        for class in self.classes.near(length) {
            let earlier = |number: usize| first.is_none_or(|found| number < found);
            let found = self
                .fewest_candidates(class, middle)
                .iter()
                .map(|&posting| number(posting))
                .take_while(|&number| earlier(number))
                .inspect(|_| check())
                .find(|&number| self.annotations[number].overlaps(text, length));
            first = found.or(first);
        }
        first
    }

    /// Returns the annotations of a class under the rarest key of the windows in `middle`.
    fn fewest_candidates(&self, class: usize, middle: &[u8]) -> &[Posting] {
        let shape = self.classes.shape(class);
        let mut fewest: Option<&[Posting]> = None;
        for window in middle.chunks_exact(shape.window) {
            let candidates = self.windows.get(shape.key(window));
            if fewest.is_none_or(|fewest| candidates.len() < fewest.len()) {
                fewest = Some(candidates);
            }
            if candidates.len() <= 1 {
                break;
            }
        }
        fewest.unwrap_or(&[])
    }
}

impl Annotation<'_> {
    /// Tells whether the lengths are near and one text contains the other.
    fn overlaps(&self, text: &str, length: usize) -> bool {
        lengths_near(self.length, length) && overlap(&self.text, text).is_some()
    }
}

/// Returns the byte offset of the shorter of two texts in the longer one.
fn overlap(a: &str, b: &str) -> Option<usize> {
    let (longer, shorter) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let (longer, shorter) = (longer.as_bytes(), shorter.as_bytes());
    let places = longer.len() - shorter.len() + 1;
    if places > FEW_PLACES {
        return memmem::find(longer, shorter);
    }
    // For so few offsets, making a searcher takes longer than trying them.
    (0..places).find(|&at| longer[at..].starts_with(shorter))
}

/// Normalises the annotations and finds the first and the last of those with equal texts.
fn deduplicated<'a>(texts: &[&'a str]) -> (Vec<Annotation<'a>>, FirstOccurrences) {
    let mut annotations: Vec<Annotation<'a>> = texts
        .par_iter()
        .enumerate()
        .with_min_len(TEXTS_PER_JOB)
        .map(|(i, text)| {
            check();
            let text = normalise(text);
            Annotation {
                length: text.chars().count(),
                last: Some(i),
                text,
            }
        })
        .collect();
    let hashes: Vec<u64> = annotations
        .par_iter()
        .inspect(|_| check())
        .map(|a| hash(a.text.as_bytes()))
        .collect();
    let same = |i: usize, j: usize| annotations[i].text == annotations[j].text;
    let (first_of, repeats) = FirstOccurrences::build(&hashes, same);
    for repeat in repeats {
        let first = first_of.find(hashes[repeat], |other| {
            annotations[other].text == annotations[repeat].text
        });
        annotations[repeat].last = None;
        if let Some(first) = first {
            annotations[first].last = Some(repeat);
        }
    }
    (annotations, first_of)
}

/// Returns the part of a text that must occur in every annotation that contains the text or is
/// contained in it. `length` is the text's length in code points.
fn middle(text: &str, length: usize) -> &[u8] {
    let cut = tolerance(length);
    if text.len() == length {
        return &text.as_bytes()[cut..length - cut];
    }
    let start: usize = text.chars().take(cut).map(char::len_utf8).sum();
    let end: usize = text.chars().rev().take(cut).map(char::len_utf8).sum();
    &text.as_bytes()[start..text.len() - end]
}

/// Mixes the bits of a hash.
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^ (x >> 29)
}

#[cfg(test)]
mod tests;
