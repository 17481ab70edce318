//! Questions of columns that have no fault.

use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::column::TextColumn;
use super::grades::{Relevant, fits_float32};
use super::offsets;
use super::questions::{NAMES, Questions};
use crate::cancel::check;
use crate::error::Result;
use crate::jsonl::Source;
use crate::memory::with_capacity;

/// The row of a question in its table: all that it has is in columns.
const ROW: &[u8] = b"{}\n";

/// Up to so many chunks of a question are compared one by one.
const FEW: usize = 16;

/// The columns of questions, n rows each.
pub struct Given {
    pub questions: TextColumn,
    pub ids: TextColumn,
    /// The empty string if a question has no answer.
    pub answers: TextColumn,
}

/// The judged chunks of each question, in CSR form. Those of question `i` are
/// `chunks[offsets[i]..offsets[i + 1]]`, as row numbers of the chunks.
#[derive(Clone, Copy)]
pub struct Judgements<'a> {
    pub offsets: &'a [i64],
    pub chunks: &'a [i64],
    /// One grade for each judged chunk.
    pub grades: Option<&'a [f64]>,
}

impl Questions {
    /// Takes columns for questions, by the rules that the rows of a file are read by. Returns
    /// nothing if a row breaks one of them, or has no id. `table` is the name of the table.
    ///
    /// The offsets must cut up the chunks, and each chunk must have an id of its own.
    pub(crate) fn of_columns(
        table: &'static str,
        given: Given,
        judged: Judgements<'_>,
    ) -> Result<Option<Self>> {
        let rows = given.questions.len();
        let is_good = |row: usize| {
            check();
            !given.ids.is_blank(row) && judged.is_good(row)
        };
        if !given.questions.all_visible() || !(0..rows).into_par_iter().all(is_good) {
            return Ok(None);
        }
        if !given.ids.repeats().rows.is_empty() {
            return Ok(None);
        }
        let mut lengths = with_capacity(rows);
        lengths.extend(judged.offsets.windows(2).map(|w| (w[1] - w[0]) as usize));
        let mut chunks = with_capacity(judged.chunks.len());
        chunks.extend_from_slice(judged.chunks);
        let relevant = Relevant::of(chunks, judged.grades.unwrap_or_default(), lengths);
        let mut ranges = with_capacity(rows);
        ranges.extend((0..rows).map(|row| row * ROW.len()..(row + 1) * ROW.len() - 1));
        Ok(Some(Self {
            source: Arc::new(Source::of_table(table, ROW.repeat(rows))?),
            ids: given.ids,
            questions: given.questions,
            answers: given.answers,
            relevant: relevant.chunks,
            offsets: offsets(&relevant.lengths),
            grades: relevant.grades,
            not_relevant: relevant.left_out,
            distinct: rows,
            rows: ranges,
            own_members: &NAMES,
        }))
    }
}

impl Judgements<'_> {
    /// Tells whether a question names some chunks, each once, and whether one is relevant.
    fn is_good(&self, row: usize) -> bool {
        let own = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        let grades_fit = self.grades.is_none_or(|grades| {
            let grades = &grades[own.clone()];
            grades.iter().any(|&grade| grade > 0.0) && grades.iter().all(|&g| fits_float32(g))
        });
        !own.is_empty() && grades_fit && all_differ(&self.chunks[own])
    }
}

fn all_differ(chunks: &[i64]) -> bool {
    if chunks.len() > FEW {
        let mut seen = FxHashSet::default();
        return chunks
            .iter()
            .inspect(|_| check())
            .all(|&chunk| seen.insert(chunk));
    }
    (1..chunks.len()).all(|place| !chunks[..place].contains(&chunks[place]))
}
