//! Reads member names faster when they repeat those of the row before.
//!
//! Most rows of a file have the same layout. If the bytes of a member's name, its colon and the
//! white space after it are the same as in the row before, its name need not be parsed again.

use super::scan::{Scanner, Value};
use crate::error::Fault;

/// The number of members of a row that are remembered. Further members are read too, only slower.
const PLACES: usize = 8;

/// Remembers the first bytes of each member of the row before, and the rank of its name. The rank
/// is the index of the name in a list of known names, or none.
#[derive(Debug, Default)]
pub struct KeyCache([CachedKey; PLACES]);

/// The first bytes of a member, in one word: its name, the colon and the white space after it.
#[derive(Debug, Clone, Copy, Default)]
struct CachedKey {
    bytes: u128,
    mask: u128,
    /// The number of remembered bytes, or 0.
    length: usize,
    rank: Option<usize>,
}

impl KeyCache {
    /// Moves the scanner past the name of a row's member number `place` and returns the name's
    /// rank. Calls `find` to get the rank of a name, unless the remembered bytes are the same.
    #[inline]
    pub fn read_key(
        &mut self,
        scanner: &mut Scanner<'_>,
        place: usize,
        find: impl FnOnce(Value) -> Option<usize>,
    ) -> Result<Option<usize>, Box<Fault>> {
        scanner.skip_white();
        let Some(cached) = self.0.get_mut(place) else {
            return Ok(find(scanner.key()?));
        };
        let rest = scanner.rest();
        if cached.fits(rest) {
            scanner.pass(cached.length);
            return Ok(cached.rank);
        }
        let key = scanner.key()?;
        scanner.skip_white();
        let rank = find(key);
        *cached = CachedKey::of(&rest[..rest.len() - scanner.rest().len()], rank);
        Ok(rank)
    }
}

impl CachedKey {
    /// Remembers the bytes of a name if there are few enough.
    fn of(bytes: &[u8], rank: Option<usize>) -> Self {
        const WIDTH: usize = size_of::<u128>();
        let mut word = [0; WIDTH];
        let Some(start) = word.get_mut(..bytes.len()) else {
            return Self::default();
        };
        start.copy_from_slice(bytes);
        Self {
            bytes: u128::from_le_bytes(word),
            mask: u128::MAX >> ((WIDTH - bytes.len()) * 8),
            length: bytes.len(),
            rank,
        }
    }

    /// Tells whether the rest of the row starts with the remembered bytes.
    #[inline]
    fn fits(&self, rest: &[u8]) -> bool {
        let is_same = |bytes| u128::from_le_bytes(bytes) & self.mask == self.bytes;
        self.length > 0 && rest.first_chunk().copied().is_some_and(is_same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads rows one after another; the rank of a name is its length.
    fn ranks(rows: &[&str]) -> Vec<Vec<Option<usize>>> {
        let mut key_cache = KeyCache::default();
        let read = |row: &&str| {
            let mut found = Vec::new();
            let mut scanner = Scanner::new(row.as_bytes(), 0);
            let names = |scanner: &mut Scanner<'_>, place| {
                key_cache.read_key(scanner, place, |key| Some(key.end - key.start - 2))
            };
            let member = |rank, _: Value| {
                found.push(rank);
                Ok(())
            };
            scanner.members(names, member).expect(row);
            scanner.end().expect(row);
            found
        };
        rows.iter().map(read).collect()
    }

    #[test]
    fn names_that_differ_from_the_row_before_are_read() {
        let rows = [
            r#"{"a": 1, "bb" : 2, "a name longer than a word": 3}"#,
            r#"{"a": 1, "bb" : 2, "a name longer than a word": 3}"#,
            r#"{"a" : 1, "b": 2, "c":3}"#,
            r#"{"a":1}"#,
            r#"{"ab": 1, "b": 25555555555555}"#,
            r#"{"b": 1, "c": 2, "d": 3, "e": 4, "f": 5, "g": 6, "h": 7, "i": 8, "jj": 9}"#,
            r#"{"b": 1, "c": 2, "d": 3, "e": 4, "f": 5, "g": 6, "h": 7, "i": 8, "jj": 9}"#,
        ];
        let lengths: [&[usize]; 7] = [
            &[1, 2, 25],
            &[1, 2, 25],
            &[1, 1, 1],
            &[1],
            &[2, 1],
            &[1, 1, 1, 1, 1, 1, 1, 1, 2],
            &[1, 1, 1, 1, 1, 1, 1, 1, 2],
        ];
        let expected = lengths.map(|row| row.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(ranks(&rows), expected);
    }
}
