//! One row of a file.

use std::ops::Range;

use super::scan::{Kind, Scanner, Value};
use crate::error::{Fault, Reason};

/// A row's bytes within its file.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The file up to the end of the row, so that offsets are offsets in the file.
    bytes: &'a [u8],
    start: usize,
}

impl<'a> Row<'a> {
    /// Returns the row in a byte range of a file.
    pub(super) fn of(bytes: &'a [u8], range: Range<usize>) -> Self {
        Self {
            bytes: &bytes[..range.end],
            start: range.start,
        }
    }

    pub fn range(self) -> Range<usize> {
        self.start..self.bytes.len()
    }

    pub fn start(self) -> usize {
        self.start
    }

    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Returns a value inside the row as a row of its own.
    pub fn part(self, value: Value) -> Self {
        Self {
            bytes: &self.bytes[..value.end],
            start: value.start,
        }
    }

    /// Reads the row's object and calls `member` with the key and the value of each member.
    /// Validates the whole row. Fails if it is not a JSON object.
    #[inline]
    pub fn object(
        self,
        member: impl FnMut(Value, Value) -> Result<(), Box<Fault>>,
    ) -> Result<(), Box<Fault>> {
        self.members(|scanner, _| scanner.key(), member)
    }

    /// Like [`Row::object`], but reads the keys with `key`, as [`Scanner::members`] does.
    #[inline]
    pub fn members<K>(
        self,
        key: impl FnMut(&mut Scanner<'a>, usize) -> Result<K, Box<Fault>>,
        member: impl FnMut(K, Value) -> Result<(), Box<Fault>>,
    ) -> Result<(), Box<Fault>> {
        let mut scanner = Scanner::new(self.bytes, self.start);
        if self.bytes.get(self.start) == Some(&b'{') {
            scanner.members(key, member)?;
            return scanner.end();
        }
        let value = scanner.value()?;
        scanner.end()?;
        if value.kind == Kind::Object {
            return Scanner::new(self.bytes, value.start).members(key, member);
        }
        Err(Fault::new(
            value.start,
            Reason::WrongType,
            format!("the row is {}; expected a JSON object", value.kind.name()),
        ))
    }

    pub(super) fn check_utf8(self) -> Result<(), Box<Fault>> {
        let Err(error) = simdutf8::compat::from_utf8(&self.bytes[self.start..]) else {
            return Ok(());
        };
        let at = self.start + error.valid_up_to();
        Err(Fault::new(
            at,
            Reason::InvalidUtf8,
            format!(
                "the byte 0x{:02x} is not UTF-8 here; expected UTF-8",
                self.bytes[at]
            ),
        ))
    }
}
