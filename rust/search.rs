//! Exact search: for every query the k rows of a corpus with the largest inner products.

mod best;
mod exact;

use rayon::prelude::*;

use crate::error::{Error, Result};
use best::{Best, key, row_of, score_of};

/// Rows that are scored before the next query's turn: they stay in the cache meanwhile.
const TILE_ROWS: usize = 256;

/// Vectors of equal width, one after the other.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Matrix<'a> {
    pub fn new(values: &'a [f32], width: usize) -> Result<Self> {
        if width == 0 || !values.len().is_multiple_of(width) {
            return Err(Error::Usage(format!(
                "{} numbers do not make vectors of width {width}",
                values.len()
            )));
        }
        Ok(Self { values, width })
    }

    pub fn rows(&self) -> usize {
        self.values.len() / self.width
    }

    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.width..][..self.width]
    }

    fn check_finite(&self, name: &str) -> Result<()> {
        let wrong = |value: &f32| !value.is_finite();
        match self.values.par_iter().position_first(wrong) {
            None => Ok(()),
            Some(at) => Err(Error::Usage(format!(
                "row {} of the {name} has {} at position {}; expected finite numbers",
                at / self.width,
                self.values[at],
                at % self.width
            ))),
        }
    }
}

/// The best rows of every query, best first; equal scores by rising row.
pub struct TopK {
    /// `k` rows for each query.
    pub rows: Vec<i64>,
    pub scores: Vec<f32>,
}

/// Finds, for every query, the `k` rows of `corpus` with the largest inner products.
pub fn top_k(queries: Matrix, corpus: Matrix, k: usize) -> Result<TopK> {
    if queries.width != corpus.width {
        return Err(Error::Usage(format!(
            "queries of width {} cannot be compared with rows of width {}",
            queries.width, corpus.width
        )));
    }
    if k == 0 || k > corpus.rows() {
        return Err(Error::Usage(format!(
            "the {k} best of {} rows asked for; expected k from 1 to the number of rows",
            corpus.rows()
        )));
    }
    if u32::try_from(corpus.rows()).is_err() {
        return Err(Error::Usage(format!(
            "{} rows are too many to search at once; expected fewer than 2^32",
            corpus.rows()
        )));
    }
    queries.check_finite("queries")?;
    corpus.check_finite("corpus")?;
    let best: Vec<Best> = (0..queries.rows())
        .collect::<Vec<_>>()
        .par_chunks(8)
        .flat_map_iter(|block| scan(queries, corpus, k, block))
        .collect();
    let mut found = TopK {
        rows: Vec::with_capacity(queries.rows() * k),
        scores: Vec::with_capacity(queries.rows() * k),
    };
    for best in best {
        for key in best.into_sorted() {
            found.rows.push(i64::from(row_of(key)));
            found.scores.push(score_of(key));
        }
    }
    Ok(found)
}

/// Scores every row of `corpus`, tile by tile, for a block of queries.
fn scan(queries: Matrix, corpus: Matrix, k: usize, block: &[usize]) -> Vec<Best> {
    let mut best: Vec<Best> = block.iter().map(|_| Best::new(k)).collect();
    for start in (0..corpus.rows()).step_by(TILE_ROWS) {
        let tile = start..(start + TILE_ROWS).min(corpus.rows());
        for (&query, best) in block.iter().zip(&mut best) {
            let query = queries.row(query);
            for row in tile.clone() {
                best.offer(key(exact::score(query, corpus.row(row)), row as u32));
            }
        }
    }
    best
}
