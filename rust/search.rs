//! Exact search: finds for every query the k rows of a corpus with the largest inner products, or
//! with the smallest distances.
//!
//! By a distance every row gets its exact score. The rest of this is about inner products.
//!
//! Most rows can be ruled out without their exact score. Rows and queries are quantised to small
//! integers ([`codes`]). A [`kernel`] computes integer scores of a tile of rows and a panel of
//! queries at a time. If it cannot prove that a row stays below the query's floor, the k-th best
//! score so far, the row gets its [`exact`] score and is offered to the query's [`best`]. The
//! integers affect only the speed: instruction set, tiling and threads never change a result.
//!
//! * A query's floor starts as its k-th best score in a sample spread over the corpus, so that it
//!   is nearly right from the first tile on, whatever the order of the rows. The sample is searched
//!   in the same way, after a sample of its own.
//! * The corpus is quantised a slab at a time, and blocks of queries are scored against it. The
//!   scores of all queries and rows never exist at once.

mod best;
mod codes;
mod exact;
mod isa;
mod kernel;
mod layout;

use std::ops::Range;

use rayon::prelude::*;

use crate::cancel::check as check_stop;
use crate::error::{Error, Result};
use crate::finite::first_not_finite;
use crate::memory::{try_with_capacity, zeros};
use best::{Best, row_of, score_of};
pub use exact::Measure;

use codes::{Centre, MAX_WIDTH, QueryFacts, TILE_ROWS, TileFacts};
use isa::Isa;
use kernel::Panel;
use layout::{GROUP_ROWS, GroupStep, PANEL, PanelStep};

/// The bytes of codes per thread in a slab: few enough that the codes, and the rows they stand for,
/// are still in a cache when the queries are scored against them.
const SLAB_BYTES: usize = 512 << 10;

/// One row in so many is in the sample that the floors start from. The sample costs almost nothing,
/// and about ln 32 times k rows are left that raise the floor to its final value.
const SAMPLE_SHARE: usize = 32;

/// With fewer queries than this, quantising the corpus costs more than scoring it.
const FEW_QUERIES: usize = 4;

/// The number of given rows that are scored between two checks for cancellation.
const ROWS_AT_A_TIME: usize = 1 << 12;

/// The largest number of panels that a task scores against a slab: their codes stay in the cache.
const MAX_PANELS: usize = 16;

/// A matrix of float32 in row-major order.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Matrix<'a> {
    /// Makes a matrix with rows of `width` values. Fails if the values do not fill whole rows.
    pub fn new(values: &'a [f32], width: usize) -> Result<Self> {
        if width == 0 || !values.len().is_multiple_of(width) {
            return Err(Error::Usage(format!(
                "{} numbers do not make vectors of width {width}",
                values.len()
            )));
        }
        Ok(Self { values, width })
    }

    fn count(&self) -> usize {
        self.values.len() / self.width
    }

    fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.width..][..self.width]
    }

    fn rows(&self, rows: Range<usize>) -> Self {
        Self {
            values: &self.values[rows.start * self.width..rows.end * self.width],
            width: self.width,
        }
    }

    fn iter(&self) -> impl Iterator<Item = &'a [f32]> {
        self.values.chunks_exact(self.width)
    }

    /// Fails if a value is NaN or infinite; `name` is that of the matrix in the message.
    fn check_finite(&self, name: &str) -> Result<()> {
        match first_not_finite(self.values) {
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

/// The best rows of every query, best first. Equal scores are ordered by rising row.
#[derive(Debug, PartialEq)]
pub struct TopK {
    /// `k` rows for each query, one query after another.
    pub rows: Vec<i64>,
    pub scores: Vec<f32>,
}

/// Finds for every query the `k` rows of `corpus` with the largest scores.
///
/// # Errors
/// The widths differ, `k` is 0 or more than the number of rows, or a value is not finite.
pub fn top_k(measure: Measure, queries: Matrix, corpus: Matrix, k: usize) -> Result<TopK> {
    top_k_on(Isa::best(), measure, queries, corpus, k)
}

/// Like [`top_k`], with a given instruction set.
fn top_k_on(isa: Isa, measure: Measure, queries: Matrix, corpus: Matrix, k: usize) -> Result<TopK> {
    check(queries, corpus, k)?;
    // Allocated before the search, because so many may be asked for that they do not fit into
    // memory.
    let count = queries.count().saturating_mul(k);
    let (rows, scores) = (
        try_with_capacity("the rows found", count)?,
        try_with_capacity("their scores", count)?,
    );
    let filtered = measure == Measure::InnerProduct && corpus.width <= MAX_WIDTH;
    let best = if filtered && queries.count() >= FEW_QUERIES {
        filter(isa, queries, corpus, k)?
    } else {
        corpus.check_finite("corpus")?;
        let blocks = query_blocks(queries.count()).into_iter();
        let found = blocks.map(|block| score_all(isa, measure, queries.rows(block), corpus, k));
        found.flatten().collect()
    };
    let mut found = TopK { rows, scores };
    for best in best {
        check_stop();
        for key in best.into_sorted() {
            found.rows.push(i64::from(row_of(key)));
            found.scores.push(score_of(key));
        }
    }
    Ok(found)
}

/// Returns the exact scores of given rows: for query `i` those of `rows[offsets[i]..offsets[i +
/// 1]]`. Fails if the widths differ, a query is not finite, or there is no such row.
pub fn scores(
    measure: Measure,
    queries: Matrix,
    corpus: Matrix,
    rows: &[i64],
    offsets: &[i64],
) -> Result<Vec<f32>> {
    check_widths(queries, corpus)?;
    queries.check_finite("queries")?;
    let cut_up = offsets.len() == queries.count() + 1
        && offsets.first() == Some(&0)
        && offsets.is_sorted()
        && offsets.last() == Some(&(rows.len() as i64));
    if !cut_up {
        return Err(Error::Usage(format!(
            "the offsets do not cut up the rows; expected {} rising numbers from 0 to {}",
            queries.count() + 1,
            rows.len()
        )));
    }
    let known = 0..corpus.count() as i64;
    if let Some(row) = rows.iter().find(|row| !known.contains(row)) {
        return Err(Error::Usage(format!(
            "there is no row {row} in a corpus of {}",
            corpus.count()
        )));
    }
    let isa = Isa::best();
    let parts: Vec<Vec<f32>> = (0..queries.count())
        .into_par_iter()
        .map(|i| {
            let rows = &rows[offsets[i] as usize..offsets[i + 1] as usize];
            let scored = rows.chunks(ROWS_AT_A_TIME).map(|rows| {
                check_stop();
                exact::scores(isa, measure, queries.row(i), corpus, rows)
            });
            scored.collect::<Vec<_>>().concat()
        })
        .collect();
    Ok(parts.concat())
}

/// Returns the exact scores of all rows for each query, one query after another.
///
/// # Errors
/// The widths differ, or a value is not finite.
pub fn all_scores(measure: Measure, queries: Matrix, corpus: Matrix) -> Result<Vec<f32>> {
    check_widths(queries, corpus)?;
    queries.check_finite("queries")?;
    corpus.check_finite("corpus")?;
    let rows: Vec<i64> = (0..corpus.count() as i64).collect();
    let mut found: Vec<f32> = zeros("the scores", queries.count().saturating_mul(rows.len()))?;
    let isa = Isa::best();
    // A block of rows stays in the cache while all queries are scored against it.
    for rows in rows.chunks(ROWS_AT_A_TIME) {
        found
            .par_chunks_mut(corpus.count().max(1))
            .enumerate()
            .for_each(|(i, found)| {
                check_stop();
                let scored = exact::scores(isa, measure, queries.row(i), corpus, rows);
                found[rows[0] as usize..][..rows.len()].copy_from_slice(&scored);
            });
    }
    Ok(found)
}

/// Fails if queries and corpus differ in width.
fn check_widths(queries: Matrix, corpus: Matrix) -> Result<()> {
    if queries.width == corpus.width {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "queries of width {} cannot be compared with rows of width {}",
        queries.width, corpus.width
    )))
}

/// Fails if the arguments of a search are invalid.
fn check(queries: Matrix, corpus: Matrix, k: usize) -> Result<()> {
    check_widths(queries, corpus)?;
    if k == 0 || k > corpus.count() {
        return Err(Error::Usage(format!(
            "the {k} best of {} rows asked for; expected k from 1 to the number of rows",
            corpus.count()
        )));
    }
    if u32::try_from(corpus.count()).is_err() {
        return Err(Error::Usage(format!(
            "{} rows are too many to search at once; expected fewer than 2^32",
            corpus.count()
        )));
    }
    queries.check_finite("queries")
}

/// Computes the exact score of every row for a block of queries. The threads share the rows.
fn score_all(isa: Isa, measure: Measure, queries: Matrix, corpus: Matrix, k: usize) -> Vec<Best> {
    let none = || queries.iter().map(|_| Best::new(k)).collect::<Vec<_>>();
    let score_tile = |mut best: Vec<Best>, tile: usize| {
        check_stop();
        let start = tile * TILE_ROWS;
        let rows = start..(start + TILE_ROWS).min(corpus.count());
        for (query, best) in queries.iter().zip(&mut best) {
            exact::offer_rows(isa, measure, query, corpus, rows.clone(), best);
        }
        best
    };
    (0..corpus.count().div_ceil(TILE_ROWS))
        .into_par_iter()
        .fold(none, score_tile)
        .reduce(none, |mut all, part| {
            all.iter_mut()
                .zip(part)
                .for_each(|(all, part)| all.merge(part));
            all
        })
}

/// Finds the best rows by integer scores first, and computes exact scores of what is left.
fn filter(isa: Isa, queries: Matrix, corpus: Matrix, k: usize) -> Result<Vec<Best>> {
    let centre = Centre::of(corpus);
    let mut blocks: Vec<Block> = query_blocks(queries.count())
        .into_par_iter()
        .map(|range| Block::new(queries.rows(range), &centre, k))
        .collect();
    for sample in samples(corpus, k) {
        let sample = Matrix::new(&sample, corpus.width)?;
        // A value that is not finite is reported below, by its row in the whole corpus.
        if !search(isa, &mut blocks, sample, &centre) {
            break;
        }
        blocks.par_iter_mut().for_each(Block::keep_floors);
    }
    if !search(isa, &mut blocks, corpus, &centre) {
        corpus.check_finite("corpus")?;
    }
    Ok(blocks.into_iter().flat_map(|block| block.best).collect())
}

/// Yields samples of rows spread over the corpus, from the smallest with at least `k` rows to one
/// with one row in [`SAMPLE_SHARE`].
fn samples(corpus: Matrix, k: usize) -> impl Iterator<Item = Vec<f32>> {
    let strides = std::iter::successors(Some(SAMPLE_SHARE), |stride| Some(stride * SAMPLE_SHARE));
    let strides: Vec<usize> = strides
        .take_while(|stride| corpus.count() / stride >= k)
        .collect();
    strides.into_iter().rev().map(move |stride| {
        let rows: Vec<&[f32]> = corpus.iter().step_by(stride).collect();
        rows.concat()
    })
}

/// Scores every query against every row. Returns false if a value is not finite.
fn search(isa: Isa, blocks: &mut [Block], corpus: Matrix, centre: &Centre) -> bool {
    let mut slab = Slab::for_width(corpus.width, corpus.count());
    for start in (0..corpus.count()).step_by(slab.rows) {
        let rows = start..(start + slab.rows).min(corpus.count());
        if !slab.encode(isa, corpus, centre, rows) {
            return false;
        }
        blocks
            .par_iter_mut()
            .for_each(|block| block.search(isa, corpus, &slab));
    }
    true
}

/// Splits the queries into blocks of whole panels, with enough blocks to keep all threads busy.
fn query_blocks(queries: usize) -> Vec<Range<usize>> {
    let panels = queries.div_ceil(PANEL);
    let tasks = 4 * rayon::current_num_threads();
    let block = panels.div_ceil(tasks).clamp(1, MAX_PANELS) * PANEL;
    let starts = (0..queries).step_by(block);
    starts
        .map(|start| start..(start + block).min(queries))
        .collect()
}

/// A part of the corpus, quantised.
struct Slab {
    /// The number of rows that fit, in whole tiles.
    rows: usize,
    steps: usize,
    first_row: usize,
    groups: Vec<GroupStep>,
    tiles: Vec<TileFacts>,
}

impl Slab {
    /// Makes an empty slab for rows of this width.
    fn for_width(width: usize, corpus_rows: usize) -> Self {
        let steps = codes::steps(width);
        let tile_bytes = TILE_ROWS * steps * layout::STEP;
        let slab_bytes = rayon::current_num_threads() * SLAB_BYTES;
        let tiles = (slab_bytes / tile_bytes).clamp(1, corpus_rows.div_ceil(TILE_ROWS));
        Self {
            rows: tiles * TILE_ROWS,
            steps,
            first_row: 0,
            groups: vec![GroupStep::ZERO; tiles * TILE_ROWS / GROUP_ROWS * steps],
            tiles: vec![TileFacts::default(); tiles],
        }
    }

    fn steps_per_tile(&self) -> usize {
        TILE_ROWS / GROUP_ROWS * self.steps
    }

    /// Quantises some rows of the corpus. Returns false if a value is not finite.
    fn encode(&mut self, isa: Isa, corpus: Matrix, centre: &Centre, rows: Range<usize>) -> bool {
        self.first_row = rows.start;
        self.tiles.truncate(rows.len().div_ceil(TILE_ROWS));
        let steps_per_tile = self.steps_per_tile();
        self.groups
            .par_chunks_mut(steps_per_tile)
            .zip(&mut self.tiles)
            .enumerate()
            .map(|(tile, (groups, facts))| {
                check_stop();
                let start = rows.start + tile * TILE_ROWS;
                let rows = corpus.rows(start..(start + TILE_ROWS).min(rows.end));
                let encoded = codes::encode_tile(isa, rows, centre, groups);
                encoded.map(|encoded| *facts = encoded).is_some()
            })
            .reduce(|| true, |a, b| a & b)
    }
}

/// Some queries, quantised, with their best rows so far.
struct Block<'a> {
    queries: Matrix<'a>,
    panels: Vec<PanelStep>,
    facts: Vec<QueryFacts>,
    best: Vec<Best>,
}

impl<'a> Block<'a> {
    /// Quantises the queries of a block.
    fn new(queries: Matrix<'a>, centre: &Centre, k: usize) -> Self {
        let steps = codes::steps(queries.width);
        let panels = queries.count().div_ceil(PANEL);
        let mut block = Self {
            queries,
            panels: vec![[[0; layout::STEP]; PANEL]; panels * steps],
            facts: Vec::with_capacity(queries.count()),
            best: Vec::with_capacity(queries.count()),
        };
        for (i, query) in queries.iter().enumerate() {
            let panel = &mut block.panels[i / PANEL * steps..][..steps];
            block
                .facts
                .push(codes::encode_query(query, centre, panel, i % PANEL));
            block.best.push(Best::new(k));
        }
        block
    }

    /// Offers every row of the slab that may be among the best of a query.
    fn search(&mut self, isa: Isa, corpus: Matrix, slab: &Slab) {
        let mut hits = Vec::new();
        let tiles = slab
            .groups
            .chunks_exact(slab.steps_per_tile())
            .zip(&slab.tiles);
        for (tile, (groups, facts)) in tiles.enumerate() {
            check_stop();
            for (panel, codes) in self.panels.chunks_exact(slab.steps).enumerate() {
                let first_query = panel * PANEL;
                let panel = Panel {
                    codes,
                    starts: self.starts(first_query, facts),
                    first_query,
                };
                kernel::scan(isa, groups, &panel, &mut hits);
            }
            let first_row = slab.first_row + tile * TILE_ROWS;
            let rows = first_row..(first_row + TILE_ROWS).min(corpus.count());
            exact::offer_hits(isa, &hits, self.queries, corpus, rows, &mut self.best);
            hits.clear();
        }
    }

    /// Forgets the rows found so far, but keeps their lowest scores as the floors.
    fn keep_floors(&mut self) {
        self.best.iter_mut().for_each(Best::keep_floor);
    }

    /// Returns the start values of a panel's sums. Lanes without a query start far below zero.
    fn starts(&self, first_query: usize, tile: &TileFacts) -> [i32; PANEL] {
        let mut starts = [i32::MIN / 2; PANEL];
        let queries = self.facts[first_query..]
            .iter()
            .zip(&self.best[first_query..]);
        for (start, (facts, best)) in starts.iter_mut().zip(queries) {
            *start = facts.start(tile, best.floor_score());
        }
        starts
    }
}

#[cfg(test)]
mod tests;
