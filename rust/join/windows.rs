//! The keys of the index: length classes, windows of texts, and the key of a window.

use std::ops::RangeInclusive;

use super::mix;

/// A random odd number that is mixed into the first half of a gram, so that no text of letters
/// makes a factor 0.
const HEAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// The same for the second half.
const TAIL: u64 = 0xd1b5_4a32_d192_ed03;

/// Returns how many code points shorter a matching text may be than one of `length` code points.
pub fn tolerance(length: usize) -> usize {
    length.saturating_sub(1) / 10
}

/// Tells whether two lengths differ by less than a tenth of the longer one.
pub fn lengths_near(a: usize, b: usize) -> bool {
    a.abs_diff(b) <= tolerance(a.max(b))
}

/// Classes of lengths in code points. Lengths that are [`lengths_near`] are in the same or in
/// neighbouring classes.
pub struct LengthClasses {
    /// The shortest length of each class.
    starts: Vec<usize>,
}

impl LengthClasses {
    /// Below this length only equal lengths are near.
    const SHORTEST: usize = 10;

    /// Makes the classes of lengths up to `longest`.
    pub fn up_to(longest: usize) -> Self {
        let grow = |&start: &usize| Some((start + 1).max(start / 9 * 10));
        let starts = std::iter::successors(Some(Self::SHORTEST), grow)
            .take_while(|&start| start <= longest)
            .collect();
        Self { starts }
    }

    /// Returns the class of a length, or none below the shortest class.
    pub fn of(&self, length: usize) -> Option<usize> {
        let started = self.starts.partition_point(|&start| start <= length);
        started.checked_sub(1)
    }

    /// Returns the classes of all lengths near `length`.
    pub fn near(&self, length: usize) -> RangeInclusive<usize> {
        let shortest = length - tolerance(length);
        let longest = length.saturating_mul(10).saturating_sub(1) / 9;
        match self.of(longest) {
            Some(last) => self.of(shortest).unwrap_or(0)..=last,
            #[expect(clippy::reversed_empty_ranges, reason = "no class is near")]
            None => 1..=0,
        }
    }

    /// Returns the widths of windows and grams of a class.
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

/// How texts of a length class are cut into windows and grams; widths are in bytes.
pub struct Shape {
    pub window: usize,
    gram: usize,
    salt: u64,
}

impl Shape {
    const SHORTEST_GRAM: usize = 8;
    const LONGEST_GRAM: usize = 2 * Self::SHORTEST_GRAM;

    /// Returns the key of a window: the smallest hash of its grams, mixed.
    pub fn key(&self, window: &[u8]) -> u64 {
        let hashes = window.windows(self.gram).map(|gram| self.hash(gram));
        hashes.min().map_or(0, mix)
    }

    /// Appends the keys of all windows of `text`, without neighbouring repetitions.
    pub fn push_keys(&self, text: &[u8], keys: &mut Vec<u64>) {
        let grams_per_window = self.window - self.gram + 1;
        let hashes: Vec<u64> = text.windows(self.gram).map(|g| self.hash(g)).collect();
        // Each window crosses one of the borders that lie a window's width apart. Its minimum is
        // that of its parts to the left and to the right of the border (van Herk, Gil and Werman).
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

    /// Hashes the first and the last eight bytes of a gram, which together are all of it:
    /// multiplies them and folds the two halves of the product.
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
