//! Texts as string views, 16 bytes a text, as Arrow's Utf8View has them. A view points to the bytes
//! of the column; only a text that has no bytes of its own there is copied.
//!
//! Format: <https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout>.

use std::collections::BTreeMap;
use std::ops::Range;

use super::TextColumn;
use crate::error::{Error, Result, size};
use crate::memory::try_with_capacity;

/// A text of up to so many bytes stands in its view.
const INLINE: usize = 12;

/// The first bytes of a longer text, which its view has for comparisons.
const PREFIX: usize = 4;

/// The largest length and the largest offset in a buffer: integers of 32 bits with a sign.
const LIMIT: usize = i32::MAX as usize;

const WHAT: &str = "texts for Arrow";

/// Views of texts, and the buffers that they point into: the lent ones, then the copied ones.
#[derive(Debug, Default)]
pub struct Views {
    pub views: Vec<u128>,
    /// Parts of the column's bytes. They may overlap.
    pub lent: Vec<Range<usize>>,
    /// Texts with escapes or with a head.
    pub copied: Vec<Vec<u8>>,
}

impl Views {
    /// Makes the views of the texts at `rows`. The lent parts reach no further than these texts.
    ///
    /// # Errors
    /// There is no memory, or a text is too long for a view.
    pub fn of(
        column: &TextColumn,
        rows: impl ExactSizeIterator<Item = usize> + Clone,
    ) -> Result<Self> {
        Self::within(LIMIT, column, rows)
    }

    fn within(
        limit: usize,
        column: &TextColumn,
        rows: impl ExactSizeIterator<Item = usize> + Clone,
    ) -> Result<Self> {
        let mut windows = Windows::new(limit);
        for place in rows.clone().filter_map(|row| column.place(row)) {
            windows.cover(&place)?;
        }
        let (keys, lent): (Vec<_>, Vec<_>) = windows.found.iter().unzip();
        let mut made = Self {
            views: try_with_capacity(WHAT, rows.len())?,
            lent: lent.into_iter().cloned().collect(),
            copied: Vec::new(),
        };
        for row in rows {
            let view = match column.place(row) {
                Some(place) if place.len() > INLINE => {
                    let key = windows.key(&place);
                    let buffer = keys.partition_point(|&&other| other < key);
                    let offset = place.start - made.lent[buffer].start;
                    view_of(&column.bytes()[place], buffer, offset)
                }
                Some(place) => view_of(&column.bytes()[place], 0, 0),
                None => made.copy(limit, column.get(row).as_bytes())?,
            };
            made.views.push(view);
        }
        Ok(made)
    }

    /// Copies a text into the last buffer, or into a new one if that is full. Returns its view.
    fn copy(&mut self, limit: usize, text: &[u8]) -> Result<u128> {
        if text.len() <= INLINE {
            return Ok(view_of(text, 0, 0));
        }
        check_length(text.len(), limit)?;
        let is_full = |last: &Vec<u8>| last.len() + text.len() > limit;
        if self.copied.last().is_none_or(is_full) {
            self.copied.push(Vec::new());
        }
        let buffer = self.copied.len() - 1;
        let bytes = &mut self.copied[buffer];
        bytes.try_reserve(text.len()).map_err(|_| Error::Memory {
            what: WHAT.into(),
            bytes: text.len(),
        })?;
        let offset = bytes.len();
        bytes.extend_from_slice(text);
        Ok(view_of(text, self.lent.len() + buffer, offset))
    }
}

/// Parts of a column's bytes that are so short that each offset in them fits a view.
///
/// The bytes are divided into cells of half the limit, and the texts that begin in a cell have a
/// window. So no text of up to half the limit crosses a border; a longer one has its own window.
struct Windows {
    limit: usize,
    found: BTreeMap<(usize, usize), Range<usize>>,
}

impl Windows {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            found: BTreeMap::new(),
        }
    }

    /// Makes sure that a text lies in its window.
    fn cover(&mut self, place: &Range<usize>) -> Result<()> {
        if place.len() <= INLINE {
            return Ok(());
        }
        check_length(place.len(), self.limit)?;
        let window = self.found.entry(self.key(place));
        let window = window.or_insert_with(|| place.clone());
        *window = window.start.min(place.start)..window.end.max(place.end);
        Ok(())
    }

    /// Returns the key of a text's window: the cell that it begins in, and whether it is its own.
    fn key(&self, place: &Range<usize>) -> (usize, usize) {
        let cell = self.limit / 2;
        let is_long = place.len() > self.limit - cell;
        (
            place.start / cell,
            if is_long { place.start + 1 } else { 0 },
        )
    }
}

fn check_length(length: usize, limit: usize) -> Result<()> {
    if length <= limit {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "a text has {}, and a string view holds up to {}; expected a shorter text, or a request \
         for large_string",
        size(length as u64),
        size(limit as u64)
    )))
}

/// Returns the view of a text, which stands at `offset` of `buffer` unless it is short.
fn view_of(text: &[u8], buffer: usize, offset: usize) -> u128 {
    let mut view = [0; 16];
    view[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
    if text.len() <= INLINE {
        view[4..4 + text.len()].copy_from_slice(text);
    } else {
        view[4..8].copy_from_slice(&text[..PREFIX]);
        view[8..12].copy_from_slice(&(buffer as u32).to_le_bytes());
        view[12..].copy_from_slice(&(offset as u32).to_le_bytes());
    }
    u128::from_le_bytes(view)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::corpus::Span;
    use crate::jsonl::Source;

    /// Reads a view as the format says, with checks that stand in no other place.
    fn read(view: u128, buffers: &[&[u8]]) -> Vec<u8> {
        let bytes = view.to_le_bytes();
        let number = |at: usize| i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let length = number(0) as usize;
        if length <= 12 {
            assert!(bytes[4 + length..].iter().all(|&byte| byte == 0));
            return bytes[4..4 + length].to_vec();
        }
        let start = number(12) as usize;
        let text = &buffers[number(8) as usize][start..start + length];
        assert_eq!(bytes[4..8], text[..4]);
        text.to_vec()
    }

    fn texts_of(column: &TextColumn, made: &Views) -> Vec<Vec<u8>> {
        let lent = made.lent.iter().map(|part| &column.bytes()[part.clone()]);
        let buffers: Vec<&[u8]> = lent.chain(made.copied.iter().map(|b| &b[..])).collect();
        made.views
            .iter()
            .map(|&view| read(view, &buffers))
            .collect()
    }

    #[test]
    fn texts_are_the_same_with_any_limit() {
        let texts: Vec<String> = (0..300)
            .map(|i| "äbc".repeat(i * 7 % 11) + &"x".repeat(i * 5 % 17))
            .collect();
        let longest = texts.iter().map(String::len).max().unwrap();
        let column: TextColumn = texts.iter().collect();
        let rows: Vec<usize> = (0..300).map(|i| i * 7 % 300).chain([5, 5]).collect();
        for limit in [longest, longest + 1, 100, 1000, LIMIT] {
            let made = Views::within(limit, &column, rows.iter().copied()).unwrap();
            let expected: Vec<_> = rows
                .iter()
                .map(|&i| texts[i].clone().into_bytes())
                .collect();
            assert_eq!(texts_of(&column, &made), expected, "{limit}");
            assert!(made.lent.iter().all(|part| part.len() <= limit), "{limit}");
            assert_eq!(made.lent.len() == 1, limit >= column.bytes().len() * 2);
            assert!(made.copied.is_empty());
        }
        let refused = Views::within(longest - 1, &column, rows.iter().copied());
        assert!(matches!(refused, Err(Error::Usage(_))));
    }

    #[test]
    fn what_has_no_bytes_of_its_own_is_copied() {
        let file = r#"{"head": "a head of it", "text": "a \"text\" with escapes", "a": "\u00fc"}"#;
        let source = Arc::new(Source::of_lines("name", file.as_bytes().to_vec()));
        let value = |text: &str, escaped: bool| {
            let start = file.find(text).unwrap();
            Span::of(crate::jsonl::scan::Value {
                start: start - 1,
                end: start + text.len() + 1,
                kind: crate::jsonl::scan::Kind::String { escaped },
            })
        };
        let escaped = value(r#"a \"text\" with escapes"#, true);
        let spans = vec![
            escaped,
            value(r"\u00fc", true),
            value("a head of it", false),
        ];
        let head = value("a head of it", false);
        let heads = TextColumn::of_file(&source, vec![Span::default(), Span::default(), head]);
        let column = TextColumn::of_file(&source, spans).headed(heads);
        let text = r#"a "text" with escapes"#;
        let expected = [text, "ü", "a head of it a head of it", text];
        for (limit, copies) in [(25, 3), (46, 2), (LIMIT, 1)] {
            let made = Views::within(limit, &column, [0, 1, 2, 0].into_iter()).unwrap();
            assert_eq!(
                texts_of(&column, &made),
                expected.map(|t| t.as_bytes().to_vec())
            );
            assert_eq!((made.lent.len(), made.copied.len()), (0, copies));
        }
        let refused = Views::within(24, &column, [2].into_iter());
        assert!(matches!(refused, Err(Error::Usage(_))));
    }
}
