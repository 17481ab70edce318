//! A selection of samples.

use rustc_hash::FxHashMap;

use super::{Origin, Samples};
use crate::cancel::check;
use crate::corpus::{Grades, offsets};
use crate::error::{Error, Result};
use crate::memory::with_capacity;

impl Samples {
    /// Returns the samples at the rising indices `rows`. Contexts of a file that none of them has
    /// are dropped, as if the file had these rows only.
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut candidates =
            with_capacity(rows.iter().map(|&row| self.candidates_of(row).len()).sum());
        let (mut lengths, mut num_relevant) =
            (with_capacity(rows.len()), with_capacity(rows.len()));
        let mut grades = Vec::new();
        for &row in rows {
            check();
            candidates.extend_from_slice(self.candidates_of(row));
            lengths.push(self.candidates_of(row).len());
            num_relevant.push(self.num_relevant[row]);
            grades.extend_from_slice(self.grades.of(row));
        }
        let relevant: Vec<usize> = num_relevant.iter().map(|&count| count as usize).collect();
        let (mut contexts, mut context_ids) = (self.contexts.clone(), self.context_ids.clone());
        if self.origin == Origin::Samples {
            let kept = renumber(&mut candidates);
            contexts = contexts.select(&kept);
            context_ids = context_ids.select(&kept);
        }
        let changed = (0..rows.len()).filter(|&place| self.changed.contains(&rows[place]));
        Self {
            qa_ids: self.qa_ids.select(rows),
            questions: self.questions.select(rows),
            answers: self.answers.select(rows),
            contexts,
            context_ids,
            candidates,
            offsets: offsets(&lengths),
            num_relevant,
            grades: Grades::new(grades, &relevant),
            findings: self.findings.clone(),
            origin: self.origin,
            source: self.source.clone(),
            changed: changed.collect(),
            rows: rows.iter().map(|&row| self.rows[row].clone()).collect(),
            own_members: self.own_members,
        }
    }
}

/// Renumbers candidates by their first appearance. Returns the earlier number of each new one.
fn renumber(candidates: &mut [i64]) -> Vec<usize> {
    let mut kept = Vec::new();
    let mut numbers = FxHashMap::default();
    for candidate in candidates {
        check();
        let number = *numbers.entry(*candidate).or_insert_with(|| {
            kept.push(*candidate as usize);
            kept.len() as i64 - 1
        });
        *candidate = number;
    }
    kept
}

/// Checks that `rows` are rising indices below `count`.
pub fn rising_rows(rows: &[i64], count: usize) -> Result<Vec<usize>> {
    let mut found = with_capacity(rows.len());
    for &row in rows {
        match usize::try_from(row) {
            Ok(row) if row < count && found.last().is_none_or(|&last| last < row) => {
                found.push(row)
            }
            _ => {
                return Err(Error::Usage(format!(
                    "rows: {row} is no row, or does not rise; expected rising numbers from 0 to {}",
                    count.saturating_sub(1)
                )));
            }
        }
    }
    Ok(found)
}
