//! Columns of text. The text stays in the file's bytes and is decoded when it is needed.

use std::borrow::Cow;
use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use crate::cancel::check;
use crate::dedup::{FirstOccurrences, hash};
use crate::error::{Error, Result};
use crate::jsonl::Source;
use crate::jsonl::scan::{Kind, Value};
use crate::jsonl::unescape::{is_canonical, unescape};
use crate::memory::{Zero, prefetch, with_capacity};
use crate::white_space::{is_blank, is_blank_utf8};
use crate::write::push_string;

/// The place of a string in a file, without its quotes, and whether it has escapes.
///
/// The empty span stands for a missing string.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    start: usize,
    /// Twice the length in bytes, plus one if the string has escapes. Packing them saves memory,
    /// because rows come in millions.
    tagged_len: usize,
}

// SAFETY: all bits 0 are the empty span.
unsafe impl Zero for Span {}

impl Span {
    fn new(start: usize, end: usize, escaped: bool) -> Self {
        Self {
            start,
            tagged_len: (end - start) << 1 | usize::from(escaped),
        }
    }

    /// Returns the span of a part of a file that has no escapes, such as a field of a table.
    pub fn plain(part: Range<usize>) -> Self {
        Self::new(part.start, part.end, false)
    }

    /// Returns the span of a string's content or of a number's digits.
    pub fn of(value: Value) -> Self {
        match value.kind {
            Kind::String { escaped } => Self::new(value.start + 1, value.end - 1, escaped),
            _ => Self::new(value.start, value.end, false),
        }
    }

    pub fn start(self) -> usize {
        self.start
    }

    fn end(self) -> usize {
        self.start + (self.tagged_len >> 1)
    }

    /// Returns the byte range in the file.
    pub fn range(self) -> Range<usize> {
        self.start..self.end()
    }

    pub fn is_empty(self) -> bool {
        self.tagged_len == 0
    }

    fn is_escaped(self) -> bool {
        self.tagged_len & 1 == 1
    }

    /// Returns the bytes of the string as they are in the file, escapes included.
    fn content(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start..self.end()]
    }

    /// Returns the string with its escapes resolved. `bytes` must be the file's.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        let content = simdutf8::basic::from_utf8(self.content(bytes))
            .expect("rows are checked to be UTF-8 before spans are made");
        if self.is_escaped() {
            unescape(content)
        } else {
            Cow::Borrowed(content)
        }
    }

    /// Tells whether two strings are equal once their escapes are resolved.
    pub fn equals(self, other: Self, bytes: &[u8]) -> bool {
        if self.is_escaped() == other.is_escaped() && self.content(bytes) == other.content(bytes) {
            return true;
        }
        (self.is_escaped() || other.is_escaped()) && self.decode(bytes) == other.decode(bytes)
    }

    /// Returns the hash of the string once its escapes are resolved.
    pub fn hash(self, bytes: &[u8]) -> u64 {
        if self.is_escaped() {
            return hash(self.decode(bytes).as_bytes());
        }
        hash(self.content(bytes))
    }
}

/// The bytes that the spans of a column point into. Clones share them, and they have one place in
/// memory for life.
#[derive(Debug, Clone)]
pub enum Bytes {
    File(Arc<Source>),
    Own(Arc<Vec<u8>>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::File(source) => source.bytes(),
            Self::Own(bytes) => bytes,
        }
    }
}

/// A column of texts. Clones share the data.
#[derive(Debug, Clone)]
pub struct TextColumn {
    bytes: Bytes,
    /// Rows after the last span are empty.
    spans: Arc<Vec<Span>>,
    /// The head of each text, which a space separates from it; the empty string for none.
    heads: Option<Arc<TextColumn>>,
    len: usize,
    /// Whether each text is known to have more than white space.
    all_visible: bool,
    repeats: Arc<OnceLock<Repeats>>,
}

/// The rows of a column by their texts, and those whose text an earlier row has, rising.
#[derive(Debug)]
pub(crate) struct Repeats {
    pub by_text: Arc<FirstOccurrences>,
    pub rows: Vec<usize>,
}

impl TextColumn {
    /// Makes a column of strings in a file.
    pub(crate) fn of_file(source: &Arc<Source>, spans: Vec<Span>) -> Self {
        Self {
            bytes: Bytes::File(Arc::clone(source)),
            len: spans.len(),
            spans: Arc::new(spans),
            heads: None,
            all_visible: false,
            repeats: Arc::default(),
        }
    }

    /// Makes a column of texts that stand in `bytes`. Each span must hold UTF-8 without escapes.
    pub(crate) fn of_bytes(bytes: Vec<u8>, spans: Vec<Span>) -> Self {
        Self {
            bytes: Bytes::Own(Arc::new(bytes)),
            len: spans.len(),
            spans: Arc::new(spans),
            heads: None,
            all_visible: false,
            repeats: Arc::default(),
        }
    }

    /// Notes that each text has more than white space, which whoever made the column has seen.
    pub(crate) fn known_visible(self) -> Self {
        Self {
            all_visible: true,
            ..self
        }
    }

    /// Tells whether each text has more than white space, heads aside.
    pub(crate) fn all_visible(&self) -> bool {
        self.all_visible
            || (0..self.len).into_par_iter().all(|row| {
                check();
                self.is_visible(row)
            })
    }

    /// Tells whether the column refers to no file.
    pub(crate) fn owns_its_texts(&self) -> bool {
        matches!(self.bytes, Bytes::Own(_)) && self.heads.is_none()
    }

    /// Tells whether most of the bytes that the column keeps in memory belong to no text of it, such
    /// as repetitions of its texts.
    pub(crate) fn is_sparse(&self) -> bool {
        /// Fewer bytes are not worth a copy.
        const FEW: usize = 1 << 20;
        let kept = self.bytes.len();
        kept > FEW
            && self
                .spans
                .iter()
                .map(|span| span.range().len())
                .sum::<usize>()
                < kept / 2
    }

    /// Puts a head before each text; the empty string is none.
    pub(crate) fn headed(self, heads: TextColumn) -> Self {
        let some = heads.spans.iter().any(|span| !span.is_empty());
        Self {
            heads: some.then(|| Arc::new(heads)),
            repeats: Arc::default(),
            ..self
        }
    }

    /// Returns a column of the texts at `rows`. A row behind the last has the empty string.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let mut spans = Vec::new();
        if !self.spans.is_empty() {
            spans = with_capacity(rows.len());
            spans.extend(rows.iter().map(|&row| self.span(row)));
        }
        let heads = self.heads.as_ref();
        Self {
            bytes: self.bytes.clone(),
            spans: Arc::new(spans),
            heads: heads.map(|heads| Arc::new(heads.select(rows))),
            len: rows.len(),
            all_visible: self.all_visible && rows.iter().all(|&row| row < self.len),
            repeats: Arc::default(),
        }
    }

    /// Returns the same column, padded with empty texts to a length of `len`.
    pub(crate) fn padded(self, len: usize) -> Self {
        Self {
            all_visible: self.all_visible && len <= self.len,
            len,
            repeats: Arc::default(),
            ..self
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the text of a row.
    pub fn get(&self, i: usize) -> Cow<'_, str> {
        let text = self.span(i).decode(self.bytes());
        match self.head(i) {
            None => text,
            Some(head) => Cow::Owned(format!("{head} {text}")),
        }
    }

    /// Tells whether the text of a row is missing or the empty string.
    pub fn is_blank(&self, i: usize) -> bool {
        self.span(i).is_empty()
    }

    /// Returns the hash of each text.
    pub(crate) fn hashes(&self) -> Vec<u64> {
        let mut hashes = with_capacity(self.len);
        (0..self.len)
            .into_par_iter()
            .inspect(|_| check())
            .map(|i| match self.has_head(i) {
                true => hash(self.get(i).as_bytes()),
                false => self.span(i).hash(self.bytes()),
            })
            .collect_into_vec(&mut hashes);
        hashes
    }

    /// Tells whether two rows have equal texts.
    pub(crate) fn equal(&self, i: usize, j: usize) -> bool {
        match self.has_head(i) || self.has_head(j) {
            true => self.get(i) == self.get(j),
            false => self.span(i).equals(self.span(j), self.bytes()),
        }
    }

    /// Finds the rows with equal texts. They are found at the first call.
    pub(crate) fn repeats(&self) -> &Repeats {
        if let Some(found) = self.repeats.get() {
            return found;
        }
        // Computed outside the lock: parallel work must not wait for a lock.
        let (by_text, rows) = FirstOccurrences::build(&self.hashes(), |i, j| self.equal(i, j));
        let by_text = Arc::new(by_text);
        self.repeats.get_or_init(|| Repeats { by_text, rows })
    }

    /// Returns for each row the first one with an equal text; none if all texts differ.
    pub fn first_equal(&self) -> Option<Vec<i64>> {
        let Repeats { by_text, rows } = self.repeats();
        if rows.is_empty() {
            return None;
        }
        let of_repeats: Vec<i64> = rows
            .par_iter()
            .map(|&row| {
                check();
                let hash = hash(self.get(row).as_bytes());
                let first = by_text.find(hash, |other| self.equal(row, other));
                first.unwrap_or(row) as i64
            })
            .collect();
        let mut first = with_capacity(self.len);
        first.extend(0..self.len as i64);
        for (&row, of_row) in rows.iter().zip(of_repeats) {
            first[row] = of_row;
        }
        Some(first)
    }

    /// Tells of each pair of rows whether their texts differ. A row behind the last has the empty
    /// string.
    ///
    /// # Errors
    /// There are not as many rows as others.
    pub fn differ(&self, rows: &[usize], others: &[usize]) -> Result<Vec<bool>> {
        if rows.len() != others.len() {
            return Err(Error::Usage(format!(
                "{} texts to compare with {}; expected as many",
                rows.len(),
                others.len()
            )));
        }
        let mut differ = with_capacity(rows.len());
        (rows.par_iter().zip(others))
            .inspect(|_| check())
            .map(|(&row, &other)| !self.equal(row, other))
            .collect_into_vec(&mut differ);
        Ok(differ)
    }

    /// Returns the bytes of the texts at `rows`. A row behind the last has the empty string.
    pub fn lengths(&self, rows: &[usize]) -> Vec<i64> {
        let mut lengths = with_capacity(rows.len());
        (rows.par_iter())
            .inspect(|_| check())
            .map(|&row| self.get(row).len() as i64)
            .collect_into_vec(&mut lengths);
        lengths
    }

    /// Tells whether the text of a row has more than white space, its head aside.
    pub(crate) fn is_visible(&self, i: usize) -> bool {
        let span = self.span(i);
        match span.is_escaped() {
            // The first character of nearly every text is visible, which is quick to see.
            true => {
                let first = span.content(self.bytes()).first();
                matches!(first, Some(b'!'..=b'[' | b']'..=b'~'))
                    || !is_blank(&span.decode(self.bytes()))
            }
            false => !is_blank_utf8(span.content(self.bytes())),
        }
    }

    /// Returns the column with the empty string in place of texts of white space alone.
    pub(crate) fn visible(&self) -> Self {
        if self.spans.is_empty() {
            return self.clone();
        }
        let rows: Vec<usize> = (0..self.len)
            .map(|row| {
                if self.is_visible(row) {
                    row
                } else {
                    usize::MAX
                }
            })
            .collect();
        self.select(&rows)
    }

    /// Appends the text of a row as a JSON string.
    pub fn push_json(&self, i: usize, out: &mut Vec<u8>) {
        let span = self.span(i);
        match &self.bytes {
            // The bytes of the file are copied, unless their escapes are not those that we write.
            Bytes::File(source)
                if !self.has_head(i)
                    && (!span.is_escaped() || is_canonical(span.content(source.bytes()))) =>
            {
                out.push(b'"');
                out.extend_from_slice(span.content(source.bytes()));
                out.push(b'"');
            }
            _ => push_string(out, &self.get(i)),
        }
    }

    /// Prefetches the span of a row's text.
    pub fn prefetch_place(&self, i: usize) {
        prefetch(self.spans.get(i..=i).unwrap_or_default());
    }

    /// Prefetches the text of a row. Its span must have been prefetched before.
    pub fn prefetch_text(&self, i: usize) {
        prefetch(self.span(i).content(self.bytes()));
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Cow<'_, str>> {
        (0..self.len).map(|i| self.get(i))
    }

    fn span(&self, i: usize) -> Span {
        self.spans.get(i).copied().unwrap_or_default()
    }

    fn has_head(&self, i: usize) -> bool {
        self.heads.as_ref().is_some_and(|heads| !heads.is_blank(i))
    }

    fn head(&self, i: usize) -> Option<Cow<'_, str>> {
        let heads = self.heads.as_ref().filter(|_| self.has_head(i))?;
        Some(heads.get(i))
    }

    /// Returns the place of a row's text in the bytes; none if the text is not there as it is.
    pub(super) fn place(&self, i: usize) -> Option<Range<usize>> {
        let span = self.span(i);
        (!span.is_escaped() && self.head(i).is_none()).then(|| span.range())
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl<S: AsRef<str>> FromIterator<S> for TextColumn {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut bytes = Vec::new();
        let spans: Vec<Span> = texts
            .into_iter()
            .map(|text| {
                let start = bytes.len();
                bytes.extend_from_slice(text.as_ref().as_bytes());
                Span::new(start, bytes.len(), false)
            })
            .collect();
        Self::of_bytes(bytes, spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_column_knows_of_its_texts() {
        let texts: TextColumn = ["a", "", "b", "a", " "].iter().collect();
        assert_eq!(texts.first_equal(), Some(vec![0, 1, 2, 0, 4]));
        assert_eq!(texts.select(&[2, 3, usize::MAX]).first_equal(), None);
        assert_eq!(texts.lengths(&[0, usize::MAX, 4]), [1, 0, 1]);
        let differ = texts.differ(&[0, 0, 1], &[3, 2, usize::MAX]);
        assert_eq!(differ.expect("as many"), [false, true, false]);
        assert!(texts.differ(&[0], &[]).is_err());
        assert!(!texts.all_visible());
        let visible = texts.select(&[0, 2, 3]);
        assert!(visible.all_visible());
        let known = visible.known_visible();
        assert!(known.select(&[1, 1]).all_visible());
        assert!(!known.select(&[1, usize::MAX]).all_visible());
        assert!(!known.padded(9).all_visible());
    }

    #[test]
    fn a_column_of_few_of_many_bytes_is_sparse() {
        let texts = TextColumn::from_iter(["x".repeat(600_000), "y".repeat(600_000)]);
        assert!(!texts.is_sparse());
        assert!(!texts.select(&[1]).is_sparse());
        assert!(!texts.select(&[1, 1]).is_sparse());
        assert!(texts.select(&[]).is_sparse());
        assert!(!TextColumn::from_iter(["x", "y"]).select(&[]).is_sparse());
    }
}
