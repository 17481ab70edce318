//! Lines and columns of places in a file.

use super::BYTE_ORDER_MARK;
use crate::cancel::check;

/// Bytes that are counted between two looks at whether to stop.
const BLOCK: usize = 16 << 20;

/// Lines and columns of places in a file that come in order. Each is counted on from the one
/// before: a line may be the whole file, and every row of it may be at fault.
#[derive(Debug)]
pub struct Positions<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Both from 1; the column counts code points, without a mark of byte order.
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

    /// The line and column of a byte offset; one before the last asked for counts as that.
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

fn code_points(utf8: &[u8]) -> usize {
    utf8.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted from the start for each place, as is obvious.
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
                // Beyond the end and before the last place: where it stands.
                let end = places.move_to(usize::MAX);
                assert_eq!(end, place_of(bytes, bytes.len()));
                assert_eq!(places.move_to(0), end);
            }
        }
    }
}
