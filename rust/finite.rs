//! Finds NaN and infinity in large arrays.

use rayon::prelude::*;

use crate::cancel::check;

/// The number of values between two checks for cancellation.
const BLOCK: usize = 1 << 16;

/// Returns the index of the first value that is NaN or infinite.
pub fn first_not_finite(values: &[f32]) -> Option<usize> {
    let block = values.par_chunks(BLOCK).position_first(|block| {
        check();
        !all_finite(block)
    })?;
    let rest = &values[block * BLOCK..];
    let place = rest.iter().position(|value| !value.is_finite())?;
    Some(block * BLOCK + place)
}

/// Tells whether no value is NaN or infinite.
pub fn all_finite(values: &[f32]) -> bool {
    // The loop never ends early, so that it compiles to vector instructions.
    values
        .iter()
        .fold(true, |finite, value| finite & value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_found() {
        let mut values = vec![1.0; 3 * BLOCK + 5];
        assert_eq!(first_not_finite(&values), None);
        assert_eq!(first_not_finite(&[]), None);
        for place in [3 * BLOCK + 4, 2 * BLOCK, BLOCK - 1, 7, 0] {
            values[place] = if place % 2 == 0 {
                f32::NAN
            } else {
                f32::INFINITY
            };
            assert_eq!(first_not_finite(&values), Some(place));
        }
    }
}
