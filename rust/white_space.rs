//! Defines white space, normalises it, and maps offsets of the normalised text back.

use std::borrow::Cow;

/// Tells whether Python's `str.isspace` is true, as `str.split` uses it: for Unicode white space
/// and the four ASCII separators U+001C to U+001F.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Tells whether a text is empty or only white space.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}

/// Tells whether bytes that are a text in UTF-8 are empty or only white space. Nearly always the
/// first character tells, and no more is read.
pub fn is_blank_utf8(text: &[u8]) -> bool {
    let width = match text.first() {
        Some(b'!'..=b'~') => return false,
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    let first = &text[..text.len().min(width)];
    let is_blank_text = |bytes| std::str::from_utf8(bytes).is_ok_and(is_blank);
    is_blank_text(first) && is_blank_text(text)
}

/// Splits a text on white space and joins its words with one space. Borrows a text that is already
/// in this form.
pub fn normalise(text: &str) -> Cow<'_, str> {
    let found = irregular(text.as_bytes());
    if found == 0 {
        return Cow::Borrowed(text);
    }
    let mut normal = String::with_capacity(text.len());
    if found & MULTI_BYTE != 0 {
        text.split(is_space)
            .for_each(|word| push(&mut normal, word));
    } else {
        // Every white-space character has one byte, so characters need not be decoded.
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|b| b == b' ' || is_control_space(b)) {
            push(&mut normal, &rest[..at]);
            rest = &rest[at + 1..];
        }
        push(&mut normal, rest);
    }
    Cow::Owned(normal)
}

/// Appends a word, after one space if it is not the first.
fn push(normal: &mut String, word: &str) {
    if !normal.is_empty() && !word.is_empty() {
        normal.push(' ');
    }
    normal.push_str(word);
}

/// Tells whether a byte is ASCII white space other than the space.
fn is_control_space(byte: u8) -> bool {
    (byte.wrapping_sub(b'\t') < 5) | (byte.wrapping_sub(0x1c) < 4)
}

/// The bit that [`irregular`] returns for white space of one byte.
const ONE_BYTE: u8 = 1;
/// The bit that [`irregular`] returns for white space of several bytes.
const MULTI_BYTE: u8 = 2;

/// Finds white space that [`normalise`] would change: anything but one space between two words.
/// Returns [`ONE_BYTE`] and [`MULTI_BYTE`], or 0.
///
/// The loops never end early and work on bytes, so that they compile to vector instructions.
fn irregular(text: &[u8]) -> u8 {
    let (Some(&first), Some(&last)) = (text.first(), text.last()) else {
        return 0;
    };
    let mut narrow = is_control_space(first) | (first == b' ') | (last == b' ');
    let mut wide = false;
    let second = text.get(1..).unwrap_or_default();
    for (&a, &b) in text.iter().zip(second) {
        narrow |= is_control_space(b) | ((a ^ b' ') | (b ^ b' ') == 0);
        // These are U+0085 and U+00A0.
        wide |= (a == 0xc2) & ((b == 0x85) | (b == 0xa0));
    }
    let third = text.get(2..).unwrap_or_default();
    for ((&a, &b), &c) in text.iter().zip(second).zip(third) {
        // These are U+1680; U+2000 to U+200A, U+2028, U+2029, U+202F; U+205F; U+3000.
        let general = (c.wrapping_sub(0x80) < 11) | (c & 0xfe == 0xa8) | (c == 0xaf);
        wide |= ((a == 0xe1) & (b == 0x9a) & (c == 0x80))
            | ((a == 0xe2) & (b == 0x80) & general)
            | ((a == 0xe2) & (b == 0x81) & (c == 0x9f))
            | ((a == 0xe3) & (b == 0x80) & (c == 0x80));
    }
    (ONE_BYTE * u8::from(narrow)) | (MULTI_BYTE * u8::from(wide))
}

/// Maps code points of a normalised text to those of the original, and back.
///
/// The one space between two words stands for all the white space that was there. So the code
/// points of the normalised text cover the original from its first word to its last without a gap.
pub struct OffsetMap {
    /// The start of each code point of the normalised text in the original, then the end of the
    /// last.
    borders: Vec<usize>,
}

impl OffsetMap {
    /// Builds the map for a text.
    pub fn of(original: &str) -> Self {
        let mut borders = Vec::with_capacity(original.len() + 1);
        let mut in_word = false;
        let mut end = 0;
        for (i, c) in original.chars().enumerate() {
            let space = is_space(c);
            if !space {
                if !in_word && !borders.is_empty() {
                    borders.push(end);
                }
                borders.push(i);
                end = i + 1;
            }
            in_word = !space;
        }
        borders.push(end);
        Self { borders }
    }

    /// Returns the length of the normalised text in code points.
    pub fn len(&self) -> usize {
        self.borders.len() - 1
    }

    /// Maps a span of the original to the normalised text. Returns none if the span holds only
    /// white space before or after the text.
    pub fn to_normal(&self, [start, end]: [usize; 2]) -> Option<[usize; 2]> {
        let (starts, ends) = (&self.borders[..self.len()], &self.borders[1..]);
        let first = ends.partition_point(|&border| border <= start);
        let last = starts.partition_point(|&border| border < end);
        (first < last).then_some([first, last])
    }

    /// Maps a span of the normalised text to the original. Returns none if the span is empty or
    /// ends outside the text.
    pub fn to_original(&self, [start, end]: [usize; 2]) -> Option<[usize; 2]> {
        let inside = start < end && end <= self.len();
        inside.then(|| [self.borders[start], self.borders[end]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_blank_as_texts_are() {
        for text in [
            "",
            " ",
            "\u{3000}\n",
            "\x1f",
            "a",
            " a",
            "é",
            "\u{85}",
            "日本",
            "\u{3000}日",
            "😀",
            "\0",
        ] {
            assert_eq!(is_blank_utf8(text.as_bytes()), is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn white_space_is_found_at_every_place() {
        // There is no white space above U+FFFF.
        for c in '\0'..='\u{ffff}' {
            let forms = ["a?b", "?a", "a?", "?", "a ?b", "a? b", "é?é", "“?”", "a??b"];
            for text in forms.map(|form| form.replace('?', &c.to_string())) {
                let words: Vec<_> = text.split(is_space).filter(|w| !w.is_empty()).collect();
                assert_eq!(normalise(&text), words.join(" "), "{text:?}");
                assert_eq!(is_blank(&text), words.is_empty(), "{text:?}");
            }
        }
    }
}
