//! Reads runs of small numbers: repeated ones, and packed ones of a few bits each. So Parquet writes
//! which values are null, and which entries of a dictionary they are.

use super::thrift::varint;
use super::{Read, Unread};
use crate::cancel::Ticks;
use crate::memory::push;

/// The most bits that a number has.
const MAX_WIDTH: u32 = 32;

/// A run of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run<'a> {
    Repeated {
        value: u32,
        count: usize,
    },
    /// `count` numbers, one behind another from the lowest bit on.
    Packed {
        bytes: &'a [u8],
        count: usize,
    },
}

/// The runs in some bytes.
pub struct Runs<'a> {
    rest: &'a [u8],
    width: u32,
}

impl<'a> Runs<'a> {
    /// `width` is the number of bits of a number.
    pub fn new(bytes: &'a [u8], width: u32) -> Read<Self> {
        if width > MAX_WIDTH {
            return Err(Unread("numbers have too many bits"));
        }
        Ok(Self { rest: bytes, width })
    }

    /// Returns the next run, cut to `most` numbers.
    pub fn next(&mut self, most: usize) -> Read<Run<'a>> {
        let head = varint(&mut self.rest)?;
        let count = usize::try_from(head >> 1).map_err(|_| CUT_SHORT)?;
        if head & 1 == 1 {
            // Groups of eight numbers take as many bytes as a number has bits.
            let length = count.checked_mul(self.width as usize).ok_or(CUT_SHORT)?;
            let count = count.saturating_mul(8).min(most);
            let bytes = self.take(length)?;
            return Ok(Run::Packed { bytes, count });
        }
        let mut value = [0; 4];
        let length = self.width.div_ceil(8) as usize;
        value[..length].copy_from_slice(self.take(length)?);
        Ok(Run::Repeated {
            value: u32::from_le_bytes(value),
            count: count.min(most),
        })
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Yields numbers of `width` bits. There must be bytes for all.
pub fn unpacked(bytes: &[u8], width: u32, count: usize) -> impl Iterator<Item = u32> {
    let mask = (1u64 << width) - 1;
    (0..count).map(move |number| {
        let bit = number * width as usize;
        let (start, shift) = (bit / 8, bit % 8);
        let word = match bytes[start..].first_chunk() {
            Some(word) => u64::from_le_bytes(*word),
            None => {
                let mut word = [0; 8];
                let end = &bytes[start..];
                word[..end.len()].copy_from_slice(end);
                u64::from_le_bytes(word)
            }
        };
        (word >> shift & mask) as u32
    })
}

/// Returns the rows of the values that are there, of so many rows; none if no row is null.
pub fn rows_of_values(levels: &[u8], rows: usize) -> Read<Option<Vec<u32>>> {
    let mut runs = Runs::new(levels, 1)?;
    let (mut found, mut row, mut ticks) = (None, 0usize, Ticks::default());
    while row < rows {
        ticks.tick();
        match runs.next(rows - row)? {
            Run::Repeated { value: 1, count } => {
                match &mut found {
                    None => {}
                    Some(found) => (row..row + count).for_each(|row| push(found, row as u32)),
                }
                row += count;
            }
            Run::Repeated { value: 0, count } => {
                found.get_or_insert_with(|| (0..row as u32).collect());
                row += count;
            }
            Run::Repeated { .. } => return Err(Unread("a level is too high")),
            Run::Packed { bytes, count } => {
                let found = found.get_or_insert_with(|| (0..row as u32).collect());
                for level in unpacked(bytes, 1, count) {
                    if level == 1 {
                        push(found, row as u32);
                    }
                    row += 1;
                }
            }
        }
    }
    Ok(found.filter(|found: &Vec<u32>| found.len() < rows))
}

const CUT_SHORT: Unread = Unread("numbers are cut short");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_are_read_from_the_lowest_bit_on() {
        // The example of the format: 0 to 7 of 3 bits.
        let bytes = [0b1000_1000, 0b1100_0110, 0b1111_1010];
        let found: Vec<u32> = unpacked(&bytes, 3, 8).collect();
        assert_eq!(found, [0, 1, 2, 3, 4, 5, 6, 7]);
        for width in 0..=32 {
            let most = ((1u64 << width) - 1) as u32;
            let numbers: Vec<u32> = (0..16u32)
                .map(|i| i.wrapping_mul(0x9e37_79b9) & most)
                .collect();
            let mut bits = vec![0u8; 2 * width as usize];
            for (place, number) in numbers.iter().enumerate() {
                for bit in 0..width as usize {
                    let at = place * width as usize + bit;
                    bits[at / 8] |= ((number >> bit & 1) as u8) << (at % 8);
                }
            }
            assert!(unpacked(&bits, width, 16).eq(numbers), "{width}");
        }
    }

    #[test]
    fn runs_are_cut_to_what_is_wanted() {
        let bytes = [20, 7, 3, 0xff, 0, 1];
        let mut runs = Runs::new(&bytes, 3).expect("a width");
        assert_eq!(
            runs.next(99),
            Ok(Run::Repeated {
                value: 7,
                count: 10
            })
        );
        let packed = &bytes[3..];
        assert_eq!(
            runs.next(5),
            Ok(Run::Packed {
                bytes: packed,
                count: 5
            })
        );
        assert!(runs.next(1).is_err());
        for bad in [
            &[5][..],
            &[0x80],
            &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ] {
            assert!(Runs::new(bad, 8).expect("a width").next(9).is_err());
        }
        assert!(Runs::new(&[], 33).is_err());
    }

    #[test]
    fn nulls_are_found() {
        assert_eq!(rows_of_values(&[8, 1], 4), Ok(None));
        assert_eq!(rows_of_values(&[3, 0b1111], 4), Ok(None));
        assert_eq!(rows_of_values(&[8, 0], 4), Ok(Some(vec![])));
        assert_eq!(
            rows_of_values(&[4, 1, 2, 0, 3, 0b101], 6),
            Ok(Some(vec![0, 1, 3, 5]))
        );
        assert_eq!(rows_of_values(&[2, 0, 20, 1], 3), Ok(Some(vec![1, 2])));
        assert!(rows_of_values(&[8, 1], 5).is_err());
        assert!(rows_of_values(&[8, 2], 4).is_err());
    }
}
