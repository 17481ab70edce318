//! Quantises vectors to small integers, and bounds the error of their integer scores.
//!
//! Encoders tend to give all texts a common direction, which would use up the range of the
//! integers. So a centre m, about the mean of the rows, is subtracted from each row, and its score
//! q·m is added again for each query. What remains of a row, r, is quantised to multiples −63…63 of
//! a scale that a tile of rows shares. Each query is quantised to multiples −127…127 of a scale of
//! its own. For the approximations r̂ and q̂,
//!
//! ```text
//! q·(m + r) = q·m + q̂·r̂ ± (‖q − q̂‖ ‖r̂‖ + ‖q‖ ‖r − r̂‖)
//! ```
//!
//! by the Cauchy–Schwarz inequality, and q̂·r̂ is the product of the two scales and a sum of
//! products of integers. The norms are measured in float64, not estimated. So the bound holds
//! however a number was rounded, and for vectors of any size.
//!
//! The codes of rows end at 63 and not at 127, because the AVX2 instruction that multiplies bytes
//! adds two products in 16 bits: 2 · 127 · 127 just fits. They are stored with 64 added, because
//! one factor must be unsigned.

use super::Matrix;
use super::isa::for_each_isa;
use super::layout::{GROUP_ROWS, GroupStep, LANES, PanelStep, STEP};

/// The number of rows that share a scale.
pub const TILE_ROWS: usize = 256;
/// In wider vectors, sums of products could exceed the 30 bits that they may take.
pub const MAX_WIDTH: usize = 1 << 16;

/// The largest number of rows that the centre is the mean of.
const CENTRE_ROWS: usize = 1024;

/// The largest code of a row.
const ROW_LEVELS: f32 = 63.0;
/// The number that is added to a row's codes.
const ROW_OFFSET: u8 = 64;
/// The largest code of a query.
const QUERY_LEVELS: f32 = 127.0;

/// An upper bound of the relative error of the norms, which are float64 sums.
const ROUNDING: f64 = 1e-9;

/// Returns the number of steps of a vector.
pub fn steps(width: usize) -> usize {
    width.div_ceil(STEP)
}

/// The vector that is subtracted from every row of the corpus. Any vector gives correct results.
pub struct Centre {
    values: Vec<f32>,
    norm: f64,
}

impl Centre {
    /// Returns the mean of some rows spread over the corpus.
    pub fn of(corpus: Matrix) -> Self {
        let stride = corpus.count().div_ceil(CENTRE_ROWS);
        let mut sums = vec![0.0; corpus.width];
        for row in corpus.iter().step_by(stride) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
        let sampled = corpus.count().div_ceil(stride) as f64;
        let mean: Vec<f32> = sums.iter().map(|sum| (sum / sampled) as f32).collect();
        // A value this small can be subtracted from the largest float32 without overflow.
        if mean.iter().all(|value| value.abs() < 1e30) {
            Self::at(mean)
        } else {
            Self::at(vec![0.0; corpus.width])
        }
    }

    /// Makes a centre with these values.
    fn at(values: Vec<f32>) -> Self {
        Self {
            norm: norm(&values),
            values,
        }
    }
}

/// The scale of a tile's codes, and the norms that bound their error.
#[derive(Clone, Copy, Default)]
pub struct TileFacts {
    scale: f64,
    /// The largest norm of the rows' approximations.
    norm: f64,
    /// The largest norm of the rows' quantisation errors.
    error: f64,
    /// An upper bound of the rows' norms.
    reach: f64,
}

/// The scale of a query's codes, and the norms that bound their error.
#[derive(Clone, Copy, Default)]
pub struct QueryFacts {
    scale: f64,
    /// The norm of the query itself.
    norm: f64,
    error: f64,
    /// The score of the centre, q·m.
    centre: f64,
    /// The part of every sum of products that comes from the offset of the rows' codes.
    offset: f64,
}

impl QueryFacts {
    /// Returns the start value of the sums of products with a tile. With it, a sum is negative only
    /// if the row's score is certainly below `floor`.
    pub fn start(&self, tile: &TileFacts, floor: f32) -> i32 {
        let bound = self.error * tile.norm + self.norm * tile.error;
        // The norms and the exact score are float64 sums, which have small errors themselves.
        let off = (1.0 + ROUNDING) * bound + ROUNDING * self.norm * tile.reach;
        // The exact score is rounded to float32. It is below the floor if it is at most the next
        // lower float32.
        let hopeless = f64::from(floor.next_down()) - off - self.centre;
        let hopeless = hopeless / (self.scale * tile.scale);
        // One unit makes up for truncating the fraction, another for the rounding before. The clamp
        // keeps every sum of products in range.
        let range = f64::from(1 << 30);
        (2.0 - hopeless - self.offset).clamp(-range, range) as i32
    }
}

for_each_isa! {
    /// Quantises the rows of a tile, at most [`TILE_ROWS`]. Unused places of `groups` become 0.
    /// Returns none if a value is not finite.
    pub fn encode_tile(rows: Matrix, centre: &Centre, groups: &mut [GroupStep])
        -> Option<TileFacts> = encode_tile_body;
}

#[inline(always)]
fn encode_tile_body(rows: Matrix, centre: &Centre, groups: &mut [GroupStep]) -> Option<TileFacts> {
    let mut farthest = 0.0f32;
    for row in rows.iter() {
        // The distance is finite exactly if all values of the row are.
        let distance = largest(differences(row, &centre.values));
        if !distance.is_finite() {
            return None;
        }
        farthest = farthest.max(distance);
    }
    let scale = scale(farthest, ROW_LEVELS);
    let steps = steps(rows.width);
    let mut codes = vec![0; rows.width.next_multiple_of(LANES)];
    let (mut largest_norm, mut largest_error) = (0.0f64, 0.0f64);
    groups.fill(GroupStep::ZERO);
    for (i, row) in rows.iter().enumerate() {
        encode(row, &centre.values, scale, &mut codes);
        largest_norm = largest_norm.max(code_norm(&codes));
        largest_error = largest_error.max(squared_error(row, &centre.values, scale, &codes));
        let group = &mut groups[i / GROUP_ROWS * steps..][..steps];
        for (step, codes) in group.iter_mut().zip(codes.as_chunks().0) {
            step.0[i % GROUP_ROWS] = codes.map(|code: i8| ROW_OFFSET.wrapping_add_signed(code));
        }
    }
    let norm = largest_norm * f64::from(scale);
    let error = largest_error.sqrt();
    Some(TileFacts {
        scale: f64::from(scale),
        norm,
        error,
        reach: centre.norm + norm + error,
    })
}

/// Quantises a query of finite values into its lane of a panel.
pub fn encode_query(
    query: &[f32],
    centre: &Centre,
    panel: &mut [PanelStep],
    lane: usize,
) -> QueryFacts {
    let scale = scale(largest(query.iter().copied()), QUERY_LEVELS);
    let zero = vec![0.0; query.len()];
    let mut codes = vec![0; query.len().next_multiple_of(LANES)];
    encode(query, &zero, scale, &mut codes);
    for (step, &codes) in panel.iter_mut().zip(codes.as_chunks().0) {
        step[lane] = codes;
    }
    let products = query.iter().zip(&centre.values);
    let sum: i64 = codes.iter().map(|&code| i64::from(code)).sum();
    QueryFacts {
        scale: f64::from(scale),
        norm: norm(query),
        error: squared_error(query, &zero, scale, &codes).sqrt(),
        centre: products.map(|(&q, &m)| f64::from(q) * f64::from(m)).sum(),
        offset: (sum * i64::from(ROW_OFFSET)) as f64,
    }
}

/// Returns the largest absolute value. If a value is not finite, the result is not finite either.
#[inline(always)]
fn largest(values: impl Iterator<Item = f32>) -> f32 {
    // Without their sign, floats have the order of their bits, with infinity and NaN at the top.
    let bits = values.map(|value| value.abs().to_bits());
    f32::from_bits(bits.max().unwrap_or(0))
}

/// Yields the differences between a vector and the centre.
#[inline(always)]
fn differences(vector: &[f32], centre: &[f32]) -> impl Iterator<Item = f32> {
    vector
        .iter()
        .zip(centre)
        .map(|(value, centre)| value - centre)
}

/// Returns the step between neighbouring codes. It is never so small that its inverse overflows.
fn scale(largest: f32, levels: f32) -> f32 {
    (largest / levels).max(1e-36)
}

/// Quantises a vector to the nearest multiples of `scale`. Codes after its end stay as they are.
#[inline(always)]
fn encode(vector: &[f32], centre: &[f32], scale: f32, codes: &mut [i8]) {
    let inverse = 1.0 / scale;
    for (code, value) in codes.iter_mut().zip(differences(vector, centre)) {
        // This addition rounds to an integer and leaves it in the lowest bits.
        let rounded = value * inverse + 1.5 * (1 << 23) as f32;
        *code = rounded.to_bits() as i8;
    }
}

/// Returns the norm of a vector of codes.
#[inline(always)]
fn code_norm(codes: &[i8]) -> f64 {
    let squares = codes.iter().map(|&code| i32::from(code) * i32::from(code));
    f64::from(squares.sum::<i32>()).sqrt()
}

/// Returns the squared norm of the quantisation error.
#[inline(always)]
fn squared_error(vector: &[f32], centre: &[f32], scale: f32, codes: &[i8]) -> f64 {
    let square = |value: f32, centre: f32, code: i8| {
        let error = f64::from(value) - f64::from(centre) - f64::from(code) * f64::from(scale);
        error * error
    };
    let mut sums = [0.0; LANES];
    let (values, last_values) = vector.as_chunks::<LANES>();
    let (centres, last_centres) = centre.as_chunks::<LANES>();
    let (codes, last_codes) = codes[..vector.len()].as_chunks::<LANES>();
    for ((values, centres), codes) in values.iter().zip(centres).zip(codes) {
        for lane in 0..LANES {
            sums[lane] += square(values[lane], centres[lane], codes[lane]);
        }
    }
    let last = last_values.iter().zip(last_centres).zip(last_codes);
    for (sum, ((&value, &centre), &code)) in sums.iter_mut().zip(last) {
        *sum += square(value, centre, code);
    }
    sums.iter().sum()
}

/// Returns the Euclidean norm of a vector.
fn norm(vector: &[f32]) -> f64 {
    let squares = vector
        .iter()
        .map(|&value| f64::from(value) * f64::from(value));
    squares.sum::<f64>().sqrt()
}
