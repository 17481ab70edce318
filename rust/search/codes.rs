//! Vectors in small integers, and how far off a score of such integers can be.
//!
//! Rows of the corpus become multiples −63…63 of a scale that a tile of rows shares, queries
//! multiples −127…127 of a scale of their own. For a query q and a row c with the approximations q̂
//! and ĉ,
//!
//! ```text
//! |q·c − q̂·ĉ| ≤ ‖q − q̂‖ ‖ĉ‖ + ‖q‖ ‖c − ĉ‖
//! ```
//!
//! by Cauchy and Schwarz, and q̂·ĉ is the two scales times a sum of products of integers. The norms
//! are measured, in float64, not estimated, so that the bound holds however a number was rounded,
//! and for vectors of any size.
//!
//! 63 and not 127, because the AVX2 instruction that multiplies bytes adds two products in 16 bits:
//! 2 · 127 · 127 just fits. Codes of rows are stored with 64 added, since one factor has to be
//! unsigned there.

use super::Matrix;
use super::exact::LANES;
use super::isa::for_each_isa;

/// Rows that are scored in one register, one to a lane of 32 bits.
pub const GROUP_ROWS: usize = 16;
/// Code bytes of one vector that are multiplied and added up in a lane at once.
pub const STEP: usize = 4;
/// Rows with one scale.
pub const TILE_ROWS: usize = 256;
/// Queries that are scored together.
pub const PANEL: usize = 8;
/// Beyond this width, sums of products of codes could leave the 30 bits allowed them.
pub const MAX_WIDTH: usize = 1 << 16;

const ROW_LEVELS: f32 = 63.0;
const ROW_OFFSET: u8 = 64;
const QUERY_LEVELS: f32 = 127.0;

/// What the float64 sums of norms may be off by, relatively, with room to spare.
const ROUNDING: f64 = 1e-9;

/// The next codes of the rows of a group: [`STEP`] bytes of each in turn.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct GroupStep(pub [[u8; STEP]; GROUP_ROWS]);

impl GroupStep {
    pub const ZERO: Self = Self([[0; STEP]; GROUP_ROWS]);
}

/// The next codes of the queries of a panel.
pub type PanelStep = [[i8; STEP]; PANEL];

pub fn steps(width: usize) -> usize {
    width.div_ceil(STEP)
}

/// What a tile's codes stand for.
#[derive(Clone, Copy, Default)]
pub struct TileFacts {
    scale: f64,
    /// The largest norm of an approximated row.
    norm: f64,
    /// The largest norm of what the approximation leaves out of a row.
    error: f64,
}

/// What a query's codes stand for.
#[derive(Clone, Copy, Default)]
pub struct QueryFacts {
    scale: f64,
    /// The norm of the query itself.
    norm: f64,
    error: f64,
    /// What the offset of the rows' codes adds to every sum of products.
    offset: i64,
}

impl QueryFacts {
    /// The number that a sum of products with codes of the tile starts from, so that it ends up
    /// negative only for rows that certainly score below `floor`.
    pub fn start(&self, tile: &TileFacts, floor: f32) -> i32 {
        let bound = self.error * tile.norm + self.norm * tile.error;
        // The exact score is a float64 sum, itself a little off, and then rounded to float32. That
        // leaves it below the floor if the sum is no larger than the next float32 down.
        let sum_error = self.norm * (tile.norm + tile.error);
        let off = (1.0 + ROUNDING) * bound + ROUNDING * sum_error;
        let hopeless = (f64::from(floor.next_down()) - off) / (self.scale * tile.scale);
        // Rounded down to an integer, and no sum of products leaves the range.
        let range = f64::from(1 << 30);
        (1.0 - hopeless.floor() - self.offset as f64).clamp(-range, range) as i32
    }
}

for_each_isa! {
    /// Approximates the rows of a tile, at most [`TILE_ROWS`] of them; what is left of `groups`
    /// and of their last steps becomes 0. None if a number is not finite.
    pub fn encode_tile(rows: Matrix, groups: &mut [GroupStep]) -> Option<TileFacts>
        = encode_tile_body;
}

#[inline(always)]
fn encode_tile_body(rows: Matrix, groups: &mut [GroupStep]) -> Option<TileFacts> {
    let scale = scale(largest(rows.values)?, ROW_LEVELS);
    let steps = steps(rows.width);
    let mut codes = vec![0; rows.width.next_multiple_of(LANES)];
    let (mut squared_norm, mut squared_error) = (0.0f64, 0.0f64);
    groups.fill(GroupStep::ZERO);
    for (i, row) in rows.iter().enumerate() {
        let (norm, error) = encode(row, scale, &mut codes);
        squared_norm = squared_norm.max(norm);
        squared_error = squared_error.max(error);
        let group = &mut groups[i / GROUP_ROWS * steps..][..steps];
        for (step, codes) in group.iter_mut().zip(codes.as_chunks().0) {
            step.0[i % GROUP_ROWS] = codes.map(|code: i8| ROW_OFFSET.wrapping_add_signed(code));
        }
    }
    Some(TileFacts {
        scale: f64::from(scale),
        norm: squared_norm.sqrt(),
        error: squared_error.sqrt(),
    })
}

/// Approximates a query in its lane of a panel.
pub fn encode_query(query: &[f32], panel: &mut [PanelStep], lane: usize) -> QueryFacts {
    let scale = scale(largest(query).unwrap_or(0.0), QUERY_LEVELS);
    let mut codes = vec![0; query.len().next_multiple_of(LANES)];
    let (_, squared_error) = encode(query, scale, &mut codes);
    for (step, &codes) in panel.iter_mut().zip(codes.as_chunks().0) {
        step[lane] = codes;
    }
    let squares = query
        .iter()
        .map(|&value| f64::from(value) * f64::from(value));
    let sum: i64 = codes.iter().map(|&code| i64::from(code)).sum();
    QueryFacts {
        scale: f64::from(scale),
        norm: squares.sum::<f64>().sqrt(),
        error: squared_error.sqrt(),
        offset: sum * i64::from(ROW_OFFSET),
    }
}

/// The largest magnitude; none if there is a NaN or an infinity.
#[inline(always)]
fn largest(values: &[f32]) -> Option<f32> {
    // Without their sign, floats compare as their bits do, NaN above all.
    let bits = values.iter().map(|value| value.abs().to_bits());
    let largest = f32::from_bits(bits.max().unwrap_or(0));
    largest.is_finite().then_some(largest)
}

/// The step between neighbouring codes, never so small that its inverse overflows.
fn scale(largest: f32, levels: f32) -> f32 {
    (largest / levels).max(1e-36)
}

/// Finds the nearest multiples of `scale`, and returns the squared norms of that approximation and
/// of what it leaves out.
#[inline(always)]
fn encode(vector: &[f32], scale: f32, codes: &mut [i8]) -> (f64, f64) {
    let inverse = 1.0 / scale;
    for (code, &value) in codes.iter_mut().zip(vector) {
        // Adding this rounds to an integer and leaves it in the lowest bits.
        let rounded = value * inverse + 1.5 * (1 << 23) as f32;
        *code = rounded.to_bits() as i8;
    }
    let scale = f64::from(scale);
    let squares: i32 = codes
        .iter()
        .map(|&code| i32::from(code) * i32::from(code))
        .sum();
    let squared_norm = f64::from(squares) * scale * scale;
    (
        squared_norm,
        squared_error(vector, scale, &codes[..vector.len()]),
    )
}

#[inline(always)]
fn squared_error(vector: &[f32], scale: f64, codes: &[i8]) -> f64 {
    let square = |value: f32, code: i8| {
        let error = f64::from(value) - f64::from(code) * scale;
        error * error
    };
    let mut sums = [0.0; LANES];
    let (values, last_values) = vector.as_chunks::<LANES>();
    let (codes, last_codes) = codes.as_chunks::<LANES>();
    for (values, codes) in values.iter().zip(codes) {
        for lane in 0..LANES {
            sums[lane] += square(values[lane], codes[lane]);
        }
    }
    let last = last_values.iter().zip(last_codes);
    sums.iter().sum::<f64>() + last.map(|(&value, &code)| square(value, code)).sum::<f64>()
}
