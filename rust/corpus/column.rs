//! Columns of text that stays where it was read, and is decoded when someone asks for it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::dedup::hash;
use crate::jsonl::Source;
use crate::jsonl::scan::{Kind, Value};
use crate::jsonl::unescape::{is_canonical, unescape};
use crate::memory::prefetch;
use crate::write::push_string;

/// A string's place in a file, quotes left out, and whether it has escapes.
///
/// The empty span stands for a string that is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    start: usize,
    /// Twice the length, plus one where there are escapes: rows come by the million.
    tagged_len: usize,
}

impl Span {
    fn new(start: usize, end: usize, escaped: bool) -> Self {
        Self {
            start,
            tagged_len: (end - start) << 1 | usize::from(escaped),
        }
    }

    /// The content of a string; the digits of a number.
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

    pub fn is_empty(self) -> bool {
        self.tagged_len == 0
    }

    fn is_escaped(self) -> bool {
        self.tagged_len & 1 == 1
    }

    /// The string as it is written, escapes and all.
    fn content(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start..self.end()]
    }

    /// The string itself; `bytes` are those of the file that the span was made for.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        let content = simdutf8::basic::from_utf8(self.content(bytes))
            .expect("rows are checked to be UTF-8 before spans are made");
        if self.is_escaped() {
            unescape(content)
        } else {
            Cow::Borrowed(content)
        }
    }

    /// Whether two strings are equal, however they are written.
    pub fn equals(self, other: Self, bytes: &[u8]) -> bool {
        if self.is_escaped() == other.is_escaped() && self.content(bytes) == other.content(bytes) {
            return true;
        }
        (self.is_escaped() || other.is_escaped()) && self.decode(bytes) == other.decode(bytes)
    }

    /// The hash of the string, however it is written.
    pub fn hash(self, bytes: &[u8]) -> u64 {
        if self.is_escaped() {
            return hash(self.decode(bytes).as_bytes());
        }
        hash(self.content(bytes))
    }
}

/// The bytes that a column's spans point into.
#[derive(Debug, Clone)]
enum Bytes {
    File(Arc<Source>),
    Own(Arc<Vec<u8>>),
}

/// Texts, one a row. Clones share everything.
#[derive(Debug, Clone)]
pub struct TextColumn {
    bytes: Bytes,
    /// Rows beyond the last span are empty.
    spans: Arc<Vec<Span>>,
    len: usize,
}

impl TextColumn {
    /// `spans` of strings in `source`.
    pub(crate) fn of_file(source: &Arc<Source>, spans: Vec<Span>) -> Self {
        Self {
            bytes: Bytes::File(Arc::clone(source)),
            len: spans.len(),
            spans: Arc::new(spans),
        }
    }

    /// The same with empty texts up to a length of `len`.
    pub(crate) fn padded(self, len: usize) -> Self {
        Self { len, ..self }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, i: usize) -> Cow<'_, str> {
        self.span(i).decode(self.bytes())
    }

    /// Whether the text is the empty string, as one that is not there is.
    pub fn is_blank(&self, i: usize) -> bool {
        self.span(i).is_empty()
    }

    /// Appends the text as a JSON string.
    pub fn push_json(&self, i: usize, out: &mut Vec<u8>) {
        let span = self.span(i);
        match &self.bytes {
            // What was a JSON string is one as it stands, unless its escapes are written otherwise.
            Bytes::File(source)
                if !span.is_escaped() || is_canonical(span.content(source.bytes())) =>
            {
                out.push(b'"');
                out.extend_from_slice(span.content(source.bytes()));
                out.push(b'"');
            }
            _ => push_string(out, &self.get(i)),
        }
    }

    /// Fetches where the text lies, ahead of use.
    pub fn prefetch_place(&self, i: usize) {
        prefetch(self.spans.get(i..=i).unwrap_or_default());
    }

    /// Fetches the text, of which `prefetch_place` has fetched where it lies.
    pub fn prefetch_text(&self, i: usize) {
        prefetch(self.span(i).content(self.bytes()));
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Cow<'_, str>> {
        (0..self.len).map(|i| self.get(i))
    }

    fn span(&self, i: usize) -> Span {
        self.spans.get(i).copied().unwrap_or_default()
    }

    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::File(source) => source.bytes(),
            Bytes::Own(bytes) => bytes,
        }
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
        Self {
            bytes: Bytes::Own(Arc::new(bytes)),
            len: spans.len(),
            spans: Arc::new(spans),
        }
    }
}
