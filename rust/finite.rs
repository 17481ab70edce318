//! NaN and infinity, found in bulk.

use rayon::prelude::*;

use crate::cancel::check;

/// Numbers that are looked at before the next look at whether to stop.
const BLOCK: usize = 1 << 16;

/// The place of the first number that is NaN or infinite.
pub fn first_not_finite(values: &[f32]) -> Option<usize> {
    let block = values.par_chunks(BLOCK).position_first(|block| {
        check();
        !all_finite(block)
    })?;
    let rest = &values[block * BLOCK..];
    let place = rest.iter().position(|value| !value.is_finite())?;
    Some(block * BLOCK + place)
}

pub fn all_finite(values: &[f32]) -> bool {
    // No short cut, so that it runs as vector instructions.
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
