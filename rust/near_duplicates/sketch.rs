//! MinHash sketches: the share of equal slots of two texts estimates the Jaccard similarity of
//! their shingles (Broder, 1997).

use crate::mix::mix;

/// The number of slots of a sketch.
pub const SLOTS: usize = 48;

/// A sketch. Each slot has a hash function of its own, and holds the low half of the smallest hash
/// of the set.
pub type Sketch = [u16; SLOTS];

/// The factor and the summand of each slot's hash function.
static FUNCTIONS: [[u32; 2]; SLOTS] = {
    let (mut functions, mut slot) = ([[0; 2]; SLOTS], 0);
    while slot < SLOTS {
        let number = mix(slot as u64 + 1);
        functions[slot] = [(number >> 32) as u32 | 1, number as u32];
        slot += 1;
    }
    functions
};

/// Returns the sketch of a set of shingles, and their number. The empty set has no sketch, because
/// it is similar to no other set.
pub fn sketch(shingles: impl Iterator<Item = u64>) -> (Option<Sketch>, u32) {
    let (mut least, mut count) = ([u32::MAX; SLOTS], 0);
    for shingle in shingles {
        count += 1;
        let upper = (shingle >> 32) as u32;
        for (least, [factor, summand]) in least.iter_mut().zip(&FUNCTIONS) {
            *least = (*least).min(upper.wrapping_mul(*factor).wrapping_add(*summand));
        }
    }
    let sketch = (count > 0).then(|| least.map(|number| number as u16));
    (sketch, count)
}

/// Returns how many slots of two sketches are equal.
pub fn agreeing(left: &Sketch, right: &Sketch) -> usize {
    left.iter().zip(right).filter(|(a, b)| a == b).count()
}

/// Packs `count` slots from `first` on, up to four, into one number. After the last slot follows
/// the first.
pub fn slots(sketch: &Sketch, first: usize, count: usize) -> u64 {
    (first..first + count).fold(0, |number, slot| {
        (number << 16) | u64::from(sketch[slot % SLOTS])
    })
}
