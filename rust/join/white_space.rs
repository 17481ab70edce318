//! White space: what it is, texts without the accidental part of it, and the way back.

use std::borrow::Cow;

/// Python's `str.isspace`, which `str.split` goes by: Unicode white space and the four ASCII
/// separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Splits on white space and joins with one space; a text that is already so is borrowed.
pub fn normalise(text: &str) -> Cow<'_, str> {
    if is_normal(text) {
        return Cow::Borrowed(text);
    }
    let mut normal = String::with_capacity(text.len());
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.push_str(word);
    }
    Cow::Owned(normal)
}

fn is_normal(text: &str) -> bool {
    if text.is_ascii() {
        return is_normal_ascii(text.as_bytes());
    }
    let mut after_space = true;
    for c in text.chars() {
        let space = is_space(c);
        if space && (after_space || c != ' ') {
            return false;
        }
        after_space = space;
    }
    !after_space || text.is_empty()
}

/// Without an early end, which would keep the compiler from looking at many bytes at once.
fn is_normal_ascii(text: &[u8]) -> bool {
    let odd_space = |&byte: &u8| matches!(byte, b'\t'..=b'\r' | 0x1c..=0x1f);
    let odd = text.iter().fold(false, |odd, byte| odd | odd_space(byte));
    let pairs = text.iter().zip(text.get(1..).unwrap_or_default());
    let double = pairs.fold(false, |double, (&a, &b)| double | (a == b' ' && b == b' '));
    !odd && !double && text.first() != Some(&b' ') && text.last() != Some(&b' ')
}

/// Where the code points of a normalised text lie in the original.
///
/// The one space between two words stands for all the white space there, so that the code points
/// of the normalised text cover the original from its first word to its last without a gap.
pub struct Places {
    /// The start of each code point, then the end of the last.
    borders: Vec<usize>,
}

impl Places {
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

    /// The length of the normalised text.
    pub fn len(&self) -> usize {
        self.borders.len() - 1
    }

    /// A span of the original, in the normalised text; none if only white space around the text
    /// is in it.
    pub fn to_normal(&self, [start, end]: [usize; 2]) -> Option<[usize; 2]> {
        let (starts, ends) = (&self.borders[..self.len()], &self.borders[1..]);
        let first = ends.partition_point(|&border| border <= start);
        let last = starts.partition_point(|&border| border < end);
        (first < last).then_some([first, last])
    }

    /// A span of the normalised text, in the original; none if it is not inside the text.
    pub fn to_original(&self, [start, end]: [usize; 2]) -> Option<[usize; 2]> {
        let inside = start < end && end <= self.len();
        inside.then(|| [self.borders[start], self.borders[end]])
    }
}
