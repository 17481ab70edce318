//! Sketches: of two texts about as many slots agree as their shingles overlap (Broder, 1997).

use crate::mix::mix;

/// Numbers that a sketch has.
pub const SLOTS: usize = 48;

/// In each slot the low half of the least of a set's hashes, under a hash function of its own.
pub type Sketch = [u16; SLOTS];

/// Factor and summand of each slot's hash function.
static FUNCTIONS: [[u32; 2]; SLOTS] = {
    let (mut functions, mut slot) = ([[0; 2]; SLOTS], 0);
    while slot < SLOTS {
        let number = mix(slot as u64 + 1);
        functions[slot] = [(number >> 32) as u32 | 1, number as u32];
        slot += 1;
    }
    functions
};

/// The sketch of a set of shingles, and their number; none of the empty set, which is like no other.
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

/// How many slots of two sketches agree.
pub fn agreeing(left: &Sketch, right: &Sketch) -> usize {
    left.iter().zip(right).filter(|(a, b)| a == b).count()
}

/// `count` slots from `first` on, the first again after the last, as one number.
pub fn slots(sketch: &Sketch, first: usize, count: usize) -> u64 {
    (first..first + count).fold(0, |number, slot| {
        (number << 16) | u64::from(sketch[slot % SLOTS])
    })
}
