//! Annotation ↔ text: which annotation belongs to a text, and where its spans lie there.
//!
//! White space is normalised first (split on it, join with one space). Then an annotation belongs
//! to a text when the two are equal or, failing that, when one contains the other and their lengths
//! differ by less than a tenth of the longer.
//!
//! Equal texts are found by hash. For contained ones, comparing everything with everything would be
//! quadratic; instead every annotation is filed under a few *keys*, so that a text has only to look
//! at the annotations that share a key with it:
//!
//! * Lengths fall into classes that grow by 10/9, so only two or three classes can match a text.
//! * A class has a window width. The key of a window is the smallest hash of the short byte strings
//!   ("grams") in it, and an annotation is filed under the keys of *all* its windows. Neighbouring
//!   windows mostly share their smallest hash (winnowing), so there are about ten keys to an
//!   annotation, whatever its length.
//! * Whichever contains the other, the middle 80% of the text also stand in the annotation. The
//!   class's window fits into them up to three times, and the key of each such window must be among
//!   the annotation's. The key with the fewest annotations is followed, and each of them compared.
//!
//! Building and looking up are linear in the bytes, plus the comparisons. Those are few unless many
//! annotations of like length share every key in their middle, as thousands of copies of one form
//! letter do that differ only near their ends; each such copy costs one substring search.

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

/// Texts per parallel work item: one takes about a microsecond.
const TEXTS_PER_JOB: usize = 256;

/// Places at which a text is tried without a searcher being made for it.
const FEW_PLACES: usize = 64;

/// Annotations by text.
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
    /// Tells whether the two texts are equal, white space aside; else one contains the other.
    pub is_equal: bool,
}

/// An annotation's normalised text.
struct Annotation<'a> {
    text: Cow<'a, str>,
    length: usize,
    /// The last annotation with this text, the one that counts; none where this is not the first.
    last: Option<usize>,
}

impl<'a> Index<'a> {
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

    /// The index of the annotation that belongs to `text`.
    pub fn lookup(&self, text: &str) -> Option<usize> {
        self.find(text).map(|found| found.annotation)
    }

    /// [`Index::lookup`], and whether the two are equal.
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

    /// [`Index::lookup`] for many texts at once, in parallel.
    pub fn lookup_all(&self, texts: &[&str]) -> Vec<Option<usize>> {
        texts
            .par_iter()
            .with_min_len(TEXTS_PER_JOB)
            .map(|text| self.lookup(text))
            .collect()
    }

    fn equal(&self, text: &str) -> Option<usize> {
        self.exact.find(hash(text.as_bytes()), |number| {
            self.annotations[number].text == text
        })
    }

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

    /// The annotations of a class under the rarest of the keys that a match must have.
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
    fn overlaps(&self, text: &str, length: usize) -> bool {
        lengths_near(self.length, length) && overlap(&self.text, text).is_some()
    }
}

/// Where the shorter of two texts starts in the longer, in bytes.
fn overlap(a: &str, b: &str) -> Option<usize> {
    let (longer, shorter) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let (longer, shorter) = (longer.as_bytes(), shorter.as_bytes());
    let places = longer.len() - shorter.len() + 1;
    if places > FEW_PLACES {
        return memmem::find(longer, shorter);
    }
    // A searcher takes longer to make than these few places to try.
    (0..places).find(|&at| longer[at..].starts_with(shorter))
}

/// All annotations, and the first of each text.
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

/// The part of a text that also stands in every annotation containing it or contained in it.
fn middle(text: &str, length: usize) -> &[u8] {
    let cut = tolerance(length);
    if text.len() == length {
        return &text.as_bytes()[cut..length - cut];
    }
    let start: usize = text.chars().take(cut).map(char::len_utf8).sum();
    let end: usize = text.chars().rev().take(cut).map(char::len_utf8).sum();
    &text.as_bytes()[start..text.len() - end]
}

fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^ (x >> 29)
}

#[cfg(test)]
mod tests;
