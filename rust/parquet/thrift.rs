//! Reads Thrift's compact protocol, in which Parquet writes its footer and the headers of its pages.
//!
//! Format: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use super::{Read, Unread};

/// Values may lie so deep in others. Parquet's own need six levels.
const MAX_DEPTH: usize = 32;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool(bool),
    Byte,
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

impl Kind {
    fn of(number: u8) -> Read<Self> {
        Ok(match number {
            1 => Self::Bool(true),
            2 => Self::Bool(false),
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Binary,
            // A set is written as a list.
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return Err(Unread("a value of no known type")),
        })
    }
}

/// The bytes that are still to be read.
pub struct Thrift<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Thrift<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            depth: 0,
        }
    }

    /// Returns how many bytes have not been read.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Reads a struct. `read` is called with the number and the type of each field; it reads the
    /// value, or returns false to leave it out.
    pub fn fields(&mut self, mut read: impl FnMut(&mut Self, i16, Kind) -> Read<bool>) -> Read<()> {
        self.nested(|own| {
            let mut number = 0i16;
            loop {
                let head = own.byte()?;
                if head == 0 {
                    return Ok(());
                }
                number = match head >> 4 {
                    0 => i16::try_from(own.integer()?).map_err(|_| OUT_OF_RANGE)?,
                    more => number.checked_add(more.into()).ok_or(OUT_OF_RANGE)?,
                };
                let kind = Kind::of(head & 15)?;
                if !read(own, number, kind)? {
                    own.skip(kind)?;
                }
            }
        })
    }

    /// Reads the head of a list. Returns the number of its elements, which are no more than there
    /// are bytes, and their type.
    pub fn list(&mut self) -> Read<(usize, Kind)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.unsigned()?,
            count => count.into(),
        };
        let count = usize::try_from(count).map_err(|_| OUT_OF_RANGE)?;
        if count > self.rest.len() {
            return Err(CUT_SHORT);
        }
        // An empty list may have any type.
        let kind = if count == 0 { 3 } else { head & 15 };
        Ok((count, Kind::of(kind)?))
    }

    /// Reads an integer.
    pub fn integer(&mut self) -> Read<i64> {
        let zigzag = self.unsigned()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// Reads an integer that must not be negative.
    pub fn count(&mut self) -> Read<usize> {
        usize::try_from(self.integer()?).map_err(|_| OUT_OF_RANGE)
    }

    /// Reads a string of bytes.
    pub fn binary(&mut self) -> Read<&'a [u8]> {
        let length = usize::try_from(self.unsigned()?).map_err(|_| OUT_OF_RANGE)?;
        self.take(length)
    }

    fn skip(&mut self, kind: Kind) -> Read<()> {
        match kind {
            Kind::Bool(_) => {}
            Kind::Byte => drop(self.byte()?),
            Kind::Integer => drop(self.unsigned()?),
            Kind::Double => drop(self.take(8)?),
            Kind::Uuid => drop(self.take(16)?),
            Kind::Binary => drop(self.binary()?),
            Kind::Struct => self.fields(|_, _, _| Ok(false))?,
            Kind::List => self.nested(|own| {
                let (count, kind) = own.list()?;
                (0..count).try_for_each(|_| own.skip_element(kind))
            })?,
            Kind::Map => self.nested(|own| {
                let count = own.unsigned()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = own.byte()?;
                let (key, value) = (Kind::of(kinds >> 4)?, Kind::of(kinds & 15)?);
                (0..count).try_for_each(|_| {
                    own.skip_element(key)?;
                    own.skip_element(value)
                })
            })?,
        }
        Ok(())
    }

    /// Skips an element of a list or a map, where a truth value takes a byte.
    fn skip_element(&mut self, kind: Kind) -> Read<()> {
        match kind {
            Kind::Bool(_) => self.skip(Kind::Byte),
            kind => self.skip(kind),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Read<()>) -> Read<()> {
        if self.depth == MAX_DEPTH {
            return Err(Unread("values lie too deep in others"));
        }
        self.depth += 1;
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn unsigned(&mut self) -> Read<u64> {
        varint(&mut self.rest)
    }

    fn byte(&mut self) -> Read<u8> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Reads an integer of seven bits a byte, the lowest first, and moves behind it.
pub fn varint(rest: &mut &[u8]) -> Read<u64> {
    let mut value = 0u64;
    for (place, &byte) in rest.iter().enumerate().take(10) {
        let bits = u64::from(byte & 127);
        let shifted = bits << (7 * place);
        if shifted >> (7 * place) != bits {
            return Err(OUT_OF_RANGE);
        }
        value |= shifted;
        if byte < 128 {
            *rest = &rest[place + 1..];
            return Ok(value);
        }
    }
    Err(CUT_SHORT)
}

const CUT_SHORT: Unread = Unread("a value is cut short");
const OUT_OF_RANGE: Unread = Unread("a number is out of range");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_seven_bits_a_byte() {
        for (bytes, value) in [
            (&[0][..], 0),
            (&[0x7f], 127),
            (&[0x80, 1], 128),
            (&[255, 255, 255, 255, 255, 255, 255, 255, 255, 1], u64::MAX),
        ] {
            let mut rest = bytes;
            assert_eq!(varint(&mut rest), Ok(value));
            assert!(rest.is_empty());
        }
        for bad in [&[][..], &[0x80], &[255; 10], &[128; 11]] {
            assert!(varint(&mut &*bad).is_err());
        }
        assert_eq!(Thrift::new(&[3]).integer(), Ok(-2));
        assert!(Thrift::new(&[3]).count().is_err());
    }

    #[test]
    fn fields_that_nobody_wants_are_left_out() {
        // Field 1: true; 2: a list of two structs; 3: a map of a byte to a double; 20: -1.
        let mut bytes = vec![0x11, 0x19, 0x2c, 0x18, 1, b'x', 0, 0, 0x1b, 1, 0x37, 9];
        bytes.extend([0; 8]);
        bytes.extend([0x06, 40, 1, 0, 77]);
        let mut thrift = Thrift::new(&bytes);
        let mut found = Vec::new();
        let read = thrift.fields(|own, number, kind| {
            found.push((number, kind));
            Ok(number == 20 && own.integer()? == -1)
        });
        assert_eq!(read, Ok(()));
        assert_eq!(thrift.left(), 1);
        let kinds = [
            (1, Kind::Bool(true)),
            (2, Kind::List),
            (3, Kind::Map),
            (20, Kind::Integer),
        ];
        assert_eq!(found, kinds);
        for length in 0..bytes.len() - 1 {
            let read = Thrift::new(&bytes[..length]).fields(|_, _, _| Ok(false));
            assert!(read.is_err(), "{length}");
        }
    }

    #[test]
    fn what_would_take_for_ever_is_refused() {
        for bad in [
            // Structs in structs, and lists in lists, without an end.
            vec![0x1c; 100],
            [vec![0x19], vec![0x19; 100]].concat(),
            // A list of more elements than there are bytes.
            vec![0x19, 0xf3, 255, 255, 255, 255, 15, 0],
            // The field behind the last.
            vec![0x03, 0xfe, 255, 3, 0, 0x13, 0],
            vec![0x1e],
        ] {
            assert!(Thrift::new(&bad).fields(|_, _, _| Ok(false)).is_err());
        }
    }
}
