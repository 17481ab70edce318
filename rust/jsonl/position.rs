//! Converts byte offsets of a file to lines and columns.

use super::BYTE_ORDER_MARK;
use crate::cancel::check;

/// The number of bytes that are counted between two checks for cancellation.
const BLOCK: usize = 16 << 20;

/// Converts ascending byte offsets of a file to lines and columns. Counting goes on from the last
/// offset, because a line may be the whole file, and every row in it may be bad.
#[derive(Debug)]
pub struct Positions<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The line and the column, both from 1. The column counts code points without a byte order
    /// mark.
    line: usize,
    column: usize,
}

impl<'a> Positions<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            line: 1,
            column: 1,
        }
    }

    /// Returns the line and column of a byte offset. An offset before the last one counts as the
    /// last.
    pub fn move_to(&mut self, at: usize) -> (usize, usize) {
        let at = at.clamp(self.at, self.bytes.len());
        for passed in self.bytes[self.at..at].chunks(BLOCK) {
            check();
            match memchr::memrchr(b'\n', passed) {
                Some(newline) => {
                    self.line += memchr::memchr_iter(b'\n', passed).count();
                    self.column = 1 + code_points(&passed[newline + 1..]);
                }
                None => self.column += code_points(passed),
            }
        }
        let mark = BYTE_ORDER_MARK.len();
        if self.at < mark && at >= mark && self.bytes.starts_with(BYTE_ORDER_MARK) && self.line == 1
        {
            self.column -= 1;
        }
        self.at = at;
        (self.line, self.column)
    }
}

/// Returns the number of code points in UTF-8 bytes.
fn code_points(utf8: &[u8]) -> usize {
    utf8.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The obvious twin: counts from the start of the file for each offset.
    fn place_of(bytes: &[u8], at: usize) -> (usize, usize) {
        let bytes = bytes[..at]
            .strip_prefix(BYTE_ORDER_MARK)
            .unwrap_or(&bytes[..at]);
        let line = bytes
            .split(|&byte| byte == b'\n')
            .next_back()
            .unwrap_or_default();
        let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
        (lines + 1, code_points(line) + 1)
    }

    #[test]
    fn positions_equal_those_counted_from_the_start() {
        let texts = [
            "",
            "\u{feff}",
            "\u{feff}é日\nab\n\n😀x",
            "one line, no end",
            "\n\n",
            "a\r\nb",
        ];
        for text in texts {
            let bytes = text.as_bytes();
            let starts = if text.starts_with('\u{feff}') { 3 } else { 0 };
            for step in 1..5 {
                let mut places = Positions::of(bytes);
                for at in (starts..=bytes.len()).step_by(step) {
                    assert_eq!(places.move_to(at), place_of(bytes, at), "{text:?} at {at}");
                }
                // Offsets beyond the end or before the last one do not move it.
                let end = places.move_to(usize::MAX);
                assert_eq!(end, place_of(bytes, bytes.len()));
                assert_eq!(places.move_to(0), end);
            }
        }
    }
}
