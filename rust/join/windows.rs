//! What an annotation is filed under: lengths in classes, texts in windows, windows by one key.

use std::ops::RangeInclusive;

use super::mix;

/// Odd and without a pattern, so that no text of letters makes a factor 0.
const HEAD: u64 = 0x9e37_79b9_7f4a_7c15;
const TAIL: u64 = 0xd1b5_4a32_d192_ed03;

/// The largest difference in length that a text of `length` code points tolerates in a shorter one.
pub fn tolerance(length: usize) -> usize {
    length.saturating_sub(1) / 10
}

/// Whether the lengths differ by less than a tenth of the longer.
pub fn lengths_near(a: usize, b: usize) -> bool {
    a.abs_diff(b) <= tolerance(a.max(b))
}

/// Classes of lengths in code points; lengths that are [`lengths_near`] fall into the same or neighbouring
/// ones.
pub struct LengthClasses {
    /// The shortest length of each class.
    starts: Vec<usize>,
}

impl LengthClasses {
    /// Below this length only equal texts are near.
    const SHORTEST: usize = 10;

    pub fn up_to(longest: usize) -> Self {
        let grow = |&start: &usize| Some((start + 1).max(start / 9 * 10));
        let starts = std::iter::successors(Some(Self::SHORTEST), grow)
            .take_while(|&start| start <= longest)
            .collect();
        Self { starts }
    }

    pub fn of(&self, length: usize) -> Option<usize> {
        let started = self.starts.partition_point(|&start| start <= length);
        started.checked_sub(1)
    }

    /// The classes of all lengths near `length`.
    pub fn near(&self, length: usize) -> RangeInclusive<usize> {
        let shortest = length - tolerance(length);
        let longest = length.saturating_mul(10).saturating_sub(1) / 9;
        match self.of(longest) {
            Some(last) => self.of(shortest).unwrap_or(0)..=last,
            #[expect(clippy::reversed_empty_ranges, reason = "no class is near")]
            None => 1..=0,
        }
    }

    pub fn shape(&self, class: usize) -> Shape {
        let shortest_annotation = self.starts[class];
        let shortest_text = shortest_annotation - tolerance(shortest_annotation);
        // The middle of a text of n code points has at least n − 2(n − 1)/10 bytes.
        let shortest_middle = (8 * shortest_text + 2).div_ceil(10);
        let window = (shortest_middle / 3).max(Shape::SHORTEST_GRAM);
        Shape {
            window,
            gram: (window / 2).clamp(Shape::SHORTEST_GRAM, Shape::LONGEST_GRAM),
            salt: class as u64,
        }
    }
}

/// How texts of a length class are cut into windows and grams, in bytes.
pub struct Shape {
    pub window: usize,
    gram: usize,
    salt: u64,
}

impl Shape {
    const SHORTEST_GRAM: usize = 8;
    const LONGEST_GRAM: usize = 2 * Self::SHORTEST_GRAM;

    /// The smallest hash of the grams in a window.
    pub fn key(&self, window: &[u8]) -> u64 {
        let hashes = window.windows(self.gram).map(|gram| self.hash(gram));
        hashes.min().map_or(0, mix)
    }

    /// The keys of all windows of `text`; only neighbouring repetitions are left out.
    pub fn push_keys(&self, text: &[u8], keys: &mut Vec<u64>) {
        let grams_per_window = self.window - self.gram + 1;
        let hashes: Vec<u64> = text.windows(self.gram).map(|g| self.hash(g)).collect();
        // The least of every window to the left and to the right of the borders that lie a window
        // apart: each window straddles just one of them (van Herk, Gil and Werman).
        let mut from_border = hashes.clone();
        let mut to_border = hashes;
        for block in from_border.chunks_mut(grams_per_window) {
            for i in 1..block.len() {
                block[i] = block[i].min(block[i - 1]);
            }
        }
        for block in to_border.chunks_mut(grams_per_window) {
            for i in (1..block.len()).rev() {
                block[i - 1] = block[i - 1].min(block[i]);
            }
        }
        let ends = &from_border[grams_per_window - 1..];
        let minima = to_border.iter().zip(ends).map(|(a, b)| mix(*a.min(b)));
        keys.extend(minima);
        keys.dedup();
    }

    /// A hash of the gram's first and last eight bytes, which together are all of it: the two
    /// halves of one long product, folded.
    fn hash(&self, gram: &[u8]) -> u64 {
        let (Some(head), Some(tail)) = (gram.first_chunk::<8>(), gram.last_chunk::<8>()) else {
            return 0;
        };
        let head = u64::from_le_bytes(*head) ^ self.salt.wrapping_add(HEAD);
        let tail = u64::from_le_bytes(*tail) ^ TAIL;
        let product = u128::from(head) * u128::from(tail);
        product as u64 ^ (product >> 64) as u64
    }
}
