//! A validating JSON scanner. It reports where values start and end, and allocates nothing.

use super::special::next_special;
use crate::cancel::Ticks;
use crate::error::{Fault, Reason};

/// The deepest nesting that a row may have. The row itself counts as 1.
pub const MAX_DEPTH: u32 = 128;

type Result<T> = std::result::Result<T, Box<Fault>>;

/// The type of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Bool,
    Integer,
    Float,
    String { escaped: bool },
    Array,
    Object,
}

impl Kind {
    /// Returns the name that messages use, such as "a list".
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a number with a fraction or exponent",
            Self::String { .. } => "a string",
            Self::Array => "a list",
            Self::Object => "an object",
        }
    }
}

/// A JSON value: its kind and its byte range, including a string's quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Scans JSON values in `bytes`, which must be valid UTF-8 and end where the row ends.
///
/// Offsets count from the start of `bytes`. Every method returns a fault if the JSON is invalid.
#[derive(Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    ticks: Ticks,
}

impl<'a> Scanner<'a> {
    /// Starts a scanner at the offset `at`.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            depth: 0,
            ticks: Ticks::default(),
        }
    }

    /// Scans the next value.
    #[inline]
    pub fn value(&mut self) -> Result<Value> {
        self.skip_white();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"') => Kind::String {
                escaped: self.string()?,
            },
            Some(b'{') => {
                self.object(|_, _| Ok(()))?;
                Kind::Object
            }
            Some(b'[') => {
                self.array(|_| Ok(()))?;
                Kind::Array
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word(b"true", Kind::Bool)?,
            Some(b'f') => self.word(b"false", Kind::Bool)?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            _ => return Err(self.unexpected("a JSON value")),
        };
        Ok(Value {
            kind,
            start,
            end: self.at,
        })
    }

    /// Scans an object and calls `member` with the key, a string, and the value of each member.
    #[inline]
    pub fn object(&mut self, member: impl FnMut(Value, Value) -> Result<()>) -> Result<()> {
        self.members(|scanner, _| scanner.key(), member)
    }

    /// Scans an object. Calls `key` to scan each key; it also gets the number of members before.
    /// Calls `member` with the result of `key` and the value.
    #[inline]
    pub fn members<K>(
        &mut self,
        mut key: impl FnMut(&mut Self, usize) -> Result<K>,
        mut member: impl FnMut(K, Value) -> Result<()>,
    ) -> Result<()> {
        self.open()?;
        if self.peek() != Some(b'}') {
            for place in 0.. {
                let key = key(self, place)?;
                let value = self.value()?;
                member(key, value)?;
                if !self.comma(b'}', "',' or '}' after a member")? {
                    break;
                }
            }
        }
        self.close();
        Ok(())
    }

    /// Scans an array and calls `element` with each element.
    #[inline]
    pub fn array(&mut self, mut element: impl FnMut(Value) -> Result<()>) -> Result<()> {
        self.open()?;
        if self.peek() != Some(b']') {
            loop {
                let value = self.value()?;
                element(value)?;
                if !self.comma(b']', "',' or ']' after an element")? {
                    break;
                }
            }
        }
        self.close();
        Ok(())
    }

    /// Checks that only white space is left.
    #[inline]
    pub fn end(&mut self) -> Result<()> {
        self.skip_white();
        if self.at < self.bytes.len() {
            return Err(Fault::new(
                self.at,
                Reason::TrailingData,
                "something follows the row's JSON value; expected one value a row, and its end",
            ));
        }
        Ok(())
    }

    /// Returns the next byte, if any.
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Returns the rest of the row.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Skips `count` bytes, which must be there.
    #[inline]
    pub fn pass(&mut self, count: usize) {
        self.at += count;
    }

    #[inline]
    pub fn skip_white(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes an opening bracket and counts the nesting.
    #[inline]
    fn open(&mut self) -> Result<()> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::new(
                self.at,
                Reason::TooDeep,
                format!("lists and objects nest deeper than {MAX_DEPTH}; expected a flatter row"),
            ));
        }
        self.depth += 1;
        self.at += 1;
        self.skip_white();
        Ok(())
    }

    /// Passes a closing bracket.
    #[inline]
    fn close(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Scans a member's name and the colon after it. Returns the name, a string.
    #[inline]
    pub fn key(&mut self) -> Result<Value> {
        self.skip_white();
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a member's name in double quotes"));
        }
        let escaped = self.string()?;
        let end = self.at;
        self.skip_white();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("':' after a member's name"));
        }
        self.at += 1;
        Ok(Value {
            kind: Kind::String { escaped },
            start,
            end,
        })
    }

    /// Passes a comma and returns true, or stops before `closing` and returns false.
    #[inline]
    fn comma(&mut self, closing: u8, expected: &'static str) -> Result<bool> {
        self.skip_white();
        match self.peek() {
            Some(b',') => {
                self.ticks.tick();
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == closing => Ok(false),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Scans a string. Returns true if it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool> {
        let quote = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at = next_special(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(control) => {
                    return Err(Fault::new(
                        self.at,
                        Reason::InvalidJson,
                        format!(
                            "a string holds the control character 0x{control:02x}; \
                             expected it escaped, as \\u00{control:02x}"
                        ),
                    ));
                }
                None => {
                    return Err(Fault::new(
                        quote,
                        Reason::TruncatedJson,
                        "a string that starts here never ends; expected '\"'",
                    ));
                }
            }
        }
    }

    /// Scans an escape.
    #[inline]
    fn escape(&mut self) -> Result<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => self.unicode_escape(),
            Some(_) => Err(Fault::new(
                self.at,
                Reason::InvalidJson,
                "an unknown escape; expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX",
            )),
            None => Err(self.truncated()),
        }
    }

    /// Scans `\uXXXX` or a surrogate pair.
    fn unicode_escape(&mut self) -> Result<()> {
        let start = self.at;
        let first = self.hex4()?;
        let paired = match first {
            0xd800..=0xdbff => {
                self.bytes[self.at..].starts_with(b"\\u") && matches!(self.hex4()?, 0xdc00..=0xdfff)
            }
            0xdc00..=0xdfff => false,
            _ => true,
        };
        if paired {
            return Ok(());
        }
        Err(Fault::new(
            start,
            Reason::LoneSurrogate,
            format!("\\u{first:04x} is half of a surrogate pair; expected both halves, or none"),
        ))
    }

    /// Scans `\uXXXX` and returns its number.
    fn hex4(&mut self) -> Result<u32> {
        let start = self.at;
        let mut code = 0;
        self.at += 2;
        for _ in 0..4 {
            let Some(byte) = self.peek() else {
                return Err(self.truncated());
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(Fault::new(
                    start,
                    Reason::InvalidJson,
                    "an incomplete escape; expected four hexadecimal digits after \\u",
                ));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// Scans a number.
    fn number(&mut self) -> Result<Kind> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.unexpected("a digit")),
        }
        let mut kind = Kind::Integer;
        if self.peek() == Some(b'.') {
            kind = Kind::Float;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            kind = Kind::Float;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(kind)
    }

    /// Scans one or more digits.
    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected("a digit"));
        }
        Ok(())
    }

    /// Scans one of the words `true`, `false` and `null`.
    fn word(&mut self, word: &'static [u8], kind: Kind) -> Result<Kind> {
        let rest = &self.bytes[self.at..];
        if !rest.starts_with(word) {
            if word.starts_with(rest) {
                return Err(self.truncated());
            }
            return Err(self.unexpected("a JSON value"));
        }
        self.at += word.len();
        Ok(kind)
    }

    /// Returns the fault of a row that ends inside a value.
    #[cold]
    fn truncated(&self) -> Box<Fault> {
        Fault::new(
            self.bytes.len(),
            Reason::TruncatedJson,
            "the row ends in the middle of a JSON value; expected the rest of it",
        )
    }

    /// Returns the fault of a byte that cannot stand here.
    #[cold]
    fn unexpected(&self, expected: &'static str) -> Box<Fault> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return Fault::new(
                self.at,
                Reason::TruncatedJson,
                format!("the row ends in the middle of a JSON value; expected {expected}"),
            );
        }
        for word in ["NaN", "Infinity"] {
            if rest.starts_with(word.as_bytes()) {
                return Fault::new(
                    self.at,
                    Reason::NotFinite,
                    format!("{word} is not JSON; expected a finite number or null"),
                );
            }
        }
        let found = match String::from_utf8_lossy(&rest[..rest.len().min(4)])
            .chars()
            .next()
        {
            Some(c) if !c.is_control() => format!("'{c}'"),
            _ => format!("the byte 0x{:02x}", rest[0]),
        };
        Fault::new(
            self.at,
            Reason::InvalidJson,
            format!("{found} is not valid JSON here; expected {expected}"),
        )
    }
}

#[cfg(test)]
mod tests;
