//! Entity annotations: texts and the spans of their entities.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::column::{Span, TextColumn};
use super::fields::{Field, Fields};
use super::{Findings, concat, offsets};
use crate::cancel::check;
use crate::error::{Fault, Reason, Result, quoted};
use crate::join::{self, Index, Match};
use crate::jsonl::key_cache::KeyCache;
use crate::jsonl::scan::{Kind, Value};
use crate::jsonl::{Access, OnError, Row, Source};
use crate::memory::with_capacity;

const NAMES: [&str; 2] = ["text", "targets"];
const TEXT: Field = Field(0, 1);
const TARGETS: Field = Field(1, 2);

const TARGET_NAMES: [&str; 3] = ["char_start", "char_end", "span_text"];
const CHAR_START: Field = Field(0, 1);
const CHAR_END: Field = Field(1, 2);
const SPAN_TEXT: Field = Field(2, 3);

/// The number of texts that one task moves spans for.
const TEXTS_PER_JOB: usize = 256;

/// The annotated texts of a file, in its order, and their spans.
#[derive(Debug, Clone)]
pub struct Annotations {
    pub texts: TextColumn,
    pub spans: Spans,
    pub findings: Findings,
}

/// Counts how many texts have an annotation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Matched {
    /// Texts that equal their annotation's text, white space aside.
    pub equal: usize,
    /// Texts that contain their annotation's text, or are contained in it.
    pub contained: usize,
    /// Texts that have at least one entity from their annotation.
    pub with_entity: usize,
    /// Texts without an annotation that would have one if all texts were composed (Unicode's NFC).
    pub if_composed: usize,
}

/// Entity spans of texts, in CSR form. A span is the start and the end of an entity in code points
/// of its text; the end is exclusive. The spans of text `i` are `spans[offsets[i]..offsets[i +
/// 1]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    pub spans: Vec<[i64; 2]>,
    pub offsets: Vec<i64>,
}

impl Spans {
    /// Returns the spans of a text.
    pub fn of(&self, text: usize) -> &[[i64; 2]] {
        &self.spans[self.offsets[text] as usize..self.offsets[text + 1] as usize]
    }
}

impl Annotations {
    /// Loads a file of annotations. Bad rows are left out if `on_error` allows it.
    pub fn load(path: &Path, on_error: OnError, access: Access) -> Result<Self> {
        Self::read(&Arc::new(Source::open(path, access)?), on_error)
    }

    /// Like [`Annotations::load`], from an open source.
    pub fn read(source: &Arc<Source>, on_error: OnError) -> Result<Self> {
        let parsed = source.parse(on_error, Columns::push);
        let mut findings = Findings::new(on_error);
        findings.reject(source, parsed.rejects)?;
        let pieces = &parsed.pieces;
        let texts = concat(pieces, |piece| &piece.texts);
        if texts.is_empty() {
            return Err(findings.no_rows_error(source));
        }
        Ok(Self {
            findings,
            texts: TextColumn::of_file(source, texts),
            spans: Spans {
                spans: concat(pieces, |piece| &piece.spans),
                offsets: offsets(&concat(pieces, |piece| &piece.counts)),
            },
        })
    }

    /// Returns all annotated texts.
    fn decoded(&self) -> Vec<Cow<'_, str>> {
        let mut texts = with_capacity(self.texts.len());
        texts.extend(self.texts.iter().inspect(|_| check()));
        texts
    }

    /// Counts how many of `texts` have an annotation.
    pub fn matched(&self, texts: &[&str]) -> Matched {
        let annotated = self.decoded();
        let annotated: Vec<&str> = annotated.iter().map(AsRef::as_ref).collect();
        let index = Index::build(&annotated);
        let found: Vec<Option<Match>> = texts.par_iter().map(|text| index.find(text)).collect();
        let has_entity = |text: &str, annotation: usize| {
            check();
            let mut spans = Vec::new();
            join::transfer(
                annotated[annotation],
                text,
                self.spans.of(annotation),
                &mut spans,
            );
            !spans.is_empty()
        };
        let with_entity = (texts.par_iter().zip(&found))
            .filter(|(text, found)| found.is_some_and(|one| has_entity(text, one.annotation)))
            .count();
        let equal = found.iter().flatten().filter(|one| one.is_equal).count();
        let without: Vec<&str> = (texts.iter().zip(&found))
            .filter_map(|(text, found)| found.is_none().then_some(*text))
            .collect();
        Matched {
            equal,
            contained: texts.len() - without.len() - equal,
            with_entity,
            if_composed: matched_if_composed(&annotated, &without),
        }
    }

    /// Returns the entity spans of each of `texts`, in code points of that text. They are those
    /// spans of the text's annotation that lie inside the text.
    pub fn spans_for(&self, texts: &[&str]) -> Spans {
        let annotated = self.decoded();
        let annotated: Vec<&str> = annotated.iter().map(AsRef::as_ref).collect();
        let index = Index::build(&annotated);
        let jobs: Vec<(Vec<[i64; 2]>, Vec<usize>)> = texts
            .par_chunks(TEXTS_PER_JOB)
            .map(|texts| {
                let (mut spans, mut counts) = (Vec::new(), Vec::with_capacity(texts.len()));
                for text in texts {
                    check();
                    let before = spans.len();
                    if let Some(i) = index.lookup(text) {
                        join::transfer(annotated[i], text, self.spans.of(i), &mut spans);
                    }
                    counts.push(spans.len() - before);
                }
                (spans, counts)
            })
            .collect();
        Spans {
            spans: concat(&jobs, |(spans, _)| spans),
            offsets: offsets(&concat(&jobs, |(_, counts)| counts)),
        }
    }
}

/// Counts how many of `texts` have an annotation if all texts are composed (Unicode's NFC).
fn matched_if_composed(annotated: &[&str], texts: &[&str]) -> usize {
    let is_composed = |text: &&str| {
        check();
        text.is_ascii() || is_nfc(text)
    };
    if texts.is_empty() || annotated.par_iter().chain(texts).all(is_composed) {
        return 0;
    }
    let composed = |text: &&str| -> String {
        check();
        text.nfc().collect()
    };
    let [annotated, texts] =
        [annotated, texts].map(|all| all.par_iter().map(composed).collect::<Vec<_>>());
    let [annotated, texts] =
        [&annotated, &texts].map(|all| all.iter().map(String::as_str).collect::<Vec<_>>());
    let found = Index::build(&annotated).lookup_all(&texts);
    found.iter().flatten().count()
}

/// The columns of a piece of the file.
#[derive(Debug, Default)]
struct Columns {
    texts: Vec<Span>,
    spans: Vec<[i64; 2]>,
    counts: Vec<usize>,
    key_cache: KeyCache,
    target_key_cache: KeyCache,
}

impl Columns {
    /// Reads a row and appends it.
    fn push(&mut self, row: Row<'_>) -> Result<(), Box<Fault>> {
        let mut fields = Fields::new(row, &NAMES);
        fields.read(&mut self.key_cache)?;
        let text = fields.text(TEXT, Reason::EmptyText)?;
        let targets = fields.required(TARGETS)?;
        let decoded = text.decode(row.bytes());
        let places = CodePoints::of(&decoded);
        let before = self.spans.len();
        let read = fields.for_each(TARGETS, targets, |target| {
            if target.kind != Kind::Object {
                return Err(fields.wrong_type(TARGETS, target, "an object"));
            }
            let target = row.part(target);
            let span = span(target, &places, &mut self.target_key_cache)?;
            self.spans.push(span);
            Ok(())
        });
        if let Err(fault) = read {
            self.spans.truncate(before);
            return Err(fault);
        }
        self.texts.push(text);
        self.counts.push(self.spans.len() - before);
        Ok(())
    }
}

/// Reads one target: a span of the text, which must lie inside it and match its `span_text`.
fn span(
    target: Row<'_>,
    text: &CodePoints<'_>,
    key_cache: &mut KeyCache,
) -> Result<[i64; 2], Box<Fault>> {
    let mut fields = Fields::new(target, &TARGET_NAMES);
    fields.read(key_cache)?;
    let (from, to) = (fields.required(CHAR_START)?, fields.required(CHAR_END)?);
    let start = fields.as_integer(CHAR_START, from)?;
    let end = fields.as_integer(CHAR_END, to)?;
    let length = text.len() as i64;
    if start < 0 || end > length {
        let Value { start: at, .. } = if start < 0 { from } else { to };
        let message = format!(
            "the entity {start}..{end} lies outside its text, which has {length} code points; \
             expected 0 <= char_start < char_end <= {length}"
        );
        return Err(Fault::new(at, Reason::SpanOutsideText, message));
    }
    if start >= end {
        let message = format!("the entity {start}..{end} is empty; expected char_start < char_end");
        return Err(Fault::new(from.start, Reason::EmptySpan, message));
    }
    if let Some(expected) = fields.string(SPAN_TEXT)? {
        let found = text.slice(start as usize, end as usize);
        let expected_text = expected.decode(target.bytes());
        if found != expected_text {
            let message = format!(
                "the text has {} at {start}..{end}, its span_text says {}; expected the two to be \
                 equal, offsets counted in code points",
                quoted(found),
                quoted(&expected_text)
            );
            return Err(Fault::new(expected.start(), Reason::SpanMismatch, message));
        }
    }
    Ok([start, end])
}

/// A text that can be sliced by code points.
pub(super) struct CodePoints<'a> {
    text: &'a str,
    /// The byte offset of each code point, then of the end. Empty for ASCII text, where byte
    /// offsets are code points.
    bytes: Vec<usize>,
}

impl<'a> CodePoints<'a> {
    /// Finds the code points of a text.
    pub fn of(text: &'a str) -> Self {
        let mut bytes = Vec::new();
        if !text.is_ascii() {
            bytes.extend(text.char_indices().map(|(at, _)| at));
            bytes.push(text.len());
        }
        Self { text, bytes }
    }

    /// Returns the length in code points.
    pub fn len(&self) -> usize {
        if self.bytes.is_empty() {
            self.text.len()
        } else {
            self.bytes.len() - 1
        }
    }

    /// Returns the text from code point `start` up to `end`.
    pub fn slice(&self, start: usize, end: usize) -> &'a str {
        let byte = |at: usize| {
            if self.bytes.is_empty() {
                at
            } else {
                self.bytes[at]
            }
        };
        &self.text[byte(start)..byte(end)]
    }
}
