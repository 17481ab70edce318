//! The exact score of a query and a row: the one definition that every path of the search uses.

use std::ops::Range;

use super::Matrix;
use super::best::{Best, key};
use super::isa::for_each_isa;
use super::layout::{Hit, LANES};

/// By what a query and a row are compared. A larger score is nearer by each: of a distance it is the
/// negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    InnerProduct,
    Euclidean,
    Manhattan,
}

/// Returns the score as float32.
///
/// Terms and sums are computed in float64. Term i is added to the running sum i mod 8, in order, and
/// the eight sums are added as a balanced tree. The product of two float32 numbers is exact in
/// float64, so a fused multiply-add gives the same bits; the other terms are never fused. The total
/// is rounded to float32 once.
#[inline(always)]
fn score(measure: Measure, query: &[f32], row: &[f32]) -> f32 {
    let total = match measure {
        Measure::InnerProduct => sum(query, row, |q, r| q * r),
        Measure::Euclidean => -sum(query, row, |q, r| (q - r) * (q - r)).sqrt(),
        Measure::Manhattan => -sum(query, row, |q, r| (q - r).abs()),
    };
    total as f32 + 0.0
}

#[inline(always)]
fn sum(query: &[f32], row: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (query_blocks, query_rest) = query.as_chunks::<LANES>();
    let (row_blocks, row_rest) = row.as_chunks::<LANES>();
    for (q, r) in query_blocks.iter().zip(row_blocks) {
        for lane in 0..LANES {
            sums[lane] += term(f64::from(q[lane]), f64::from(r[lane]));
        }
    }
    for (sum, (&q, &r)) in sums.iter_mut().zip(query_rest.iter().zip(row_rest)) {
        *sum += term(f64::from(q), f64::from(r));
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

for_each_isa! {
    /// Returns the scores of the given rows of the corpus, in their order.
    pub fn scores(measure: Measure, query: &[f32], corpus: Matrix, rows: &[i64]) -> Vec<f32>
        = scores_body;
}

#[inline(always)]
fn scores_body(measure: Measure, query: &[f32], corpus: Matrix, rows: &[i64]) -> Vec<f32> {
    let row_scores = rows
        .iter()
        .map(|&row| score(measure, query, corpus.row(row as usize)));
    row_scores.collect()
}

for_each_isa! {
    /// Offers some rows of the corpus to a query.
    pub fn offer_rows(
        measure: Measure,
        query: &[f32],
        corpus: Matrix,
        rows: Range<usize>,
        best: &mut Best,
    ) = offer_rows_body;
}

#[inline(always)]
fn offer_rows_body(
    measure: Measure,
    query: &[f32],
    corpus: Matrix,
    rows: Range<usize>,
    best: &mut Best,
) {
    for row in rows {
        best.offer(key(score(measure, query, corpus.row(row)), row as u32));
    }
}

for_each_isa! {
    /// Offers to their queries, by inner product, the rows of a tile that the filter could not rule
    /// out.
    pub fn offer_hits(
        hits: &[Hit],
        queries: Matrix,
        corpus: Matrix,
        tile: Range<usize>,
        best: &mut [Best],
    ) = offer_hits_body;
}

#[inline(always)]
fn offer_hits_body(
    hits: &[Hit],
    queries: Matrix,
    corpus: Matrix,
    tile: Range<usize>,
    best: &mut [Best],
) {
    for hit in hits {
        let row = tile.start + hit.row;
        // A tile may be padded with rows that do not exist.
        if row < tile.end {
            let query = queries.row(hit.query);
            let score = score(Measure::InnerProduct, query, corpus.row(row));
            best[hit.query].offer(key(score, row as u32));
        }
    }
}
