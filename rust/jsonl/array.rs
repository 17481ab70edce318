//! Splits a JSON array into its elements, even if some of them are invalid.

use std::ops::Range;

use super::skip_white;
use crate::cancel::Ticks;
use crate::error::{Fault, Reason};
use crate::memory::push;

/// Returns the byte ranges of the elements of the array that opens at `open`, and the fault of the
/// array itself if it has one. Elements are found by brackets and quotes alone.
pub fn elements(bytes: &[u8], open: usize) -> (Vec<Range<usize>>, Option<Box<Fault>>) {
    let mut elements = Vec::new();
    let mut ticks = Ticks::default();
    let mut at = skip_white(bytes, open + 1);
    if bytes.get(at) == Some(&b']') {
        return (elements, trailing(bytes, at + 1));
    }
    loop {
        let Some(end) = lenient_end(bytes, at, &mut ticks) else {
            // The element is cut off. Its reader will report that.
            push(&mut elements, at..bytes.len());
            return (elements, None);
        };
        if end == at {
            return (elements, Some(broken_array(bytes, at, "a row")));
        }
        push(&mut elements, at..end);
        at = skip_white(bytes, end);
        match bytes.get(at) {
            Some(b',') => at = skip_white(bytes, at + 1),
            Some(b']') => return (elements, trailing(bytes, at + 1)),
            _ => {
                return (
                    elements,
                    Some(broken_array(bytes, at, "',' or ']' after a row")),
                );
            }
        }
    }
}

/// Returns the fault of an array whose elements cannot be separated at the offset `at`.
fn broken_array(bytes: &[u8], at: usize, expected: &str) -> Box<Fault> {
    if at == bytes.len() {
        let message = format!("the array never ends; expected {expected}");
        return Fault::new(at, Reason::TruncatedJson, message);
    }
    let message =
        format!("the array's rows cannot be told apart from here on; expected {expected}");
    Fault::new(at, Reason::InvalidJson, message)
}

/// Returns a fault if anything but white space follows the array.
fn trailing(bytes: &[u8], end: usize) -> Option<Box<Fault>> {
    let at = skip_white(bytes, end);
    (at < bytes.len()).then(|| {
        let message = "something follows the array; expected the end of the file";
        Fault::new(at, Reason::TrailingData, message)
    })
}

/// Returns the end of the JSON value that starts at `at`, found by brackets and quotes alone.
/// Returns none if the bytes end first.
fn lenient_end(bytes: &[u8], at: usize, ticks: &mut Ticks) -> Option<usize> {
    let mut depth = 0usize;
    let mut i = at;
    loop {
        ticks.tick();
        match bytes.get(i)? {
            b'"' => i = lenient_string_end(bytes, i)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return Some(i),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            _ => {}
        }
        i += 1;
    }
}

/// Returns the offset of the quote that ends the string starting at `quote`.
fn lenient_string_end(bytes: &[u8], quote: usize) -> Option<usize> {
    let mut i = quote + 1;
    loop {
        i += memchr::memchr2(b'"', b'\\', bytes.get(i..)?)?;
        if bytes[i] == b'"' {
            return Some(i);
        }
        i += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_ends_survive_invalid_elements() {
        let end_of = |bytes: &[u8], at| lenient_end(bytes, at, &mut Ticks::default());
        assert_eq!(end_of(br#"{"a": NaN, "b]": "\"}"}, 2"#, 0), Some(23));
        assert_eq!(end_of(b"tru , 2", 0), Some(4));
        assert_eq!(end_of(b"1]", 0), Some(1));
        assert_eq!(end_of(br#"{"a"#, 0), None);
    }
}
