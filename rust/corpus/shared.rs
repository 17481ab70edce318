//! Merges the ground truths of rows that ask the same question: a chunk that answers one of these
//! rows answers all of them.

use rustc_hash::{FxHashMap, FxHashSet};

use super::grades::{Graded, Grades};
use crate::cancel::{Ticks, check};
use crate::error::{Reason, Result};
use crate::jsonl::Source;
use crate::memory::{Allowance, ensure_available, push, reserve, with_capacity};
use crate::same_text::SameText;

/// The largest total number of ground truths of such rows: 1 GiB of ids.
const MAX_TOTAL: usize = 1 << 27;

/// The bytes that a row takes besides its list.
const ROW_BYTES: usize = 128;
/// The bytes that a ground truth takes while a list is made.
const MAKING_BYTES: usize = 64;

/// The merged ground truths of rows whose question other rows ask too.
#[derive(Debug, Default)]
pub struct SharedGroundTruths {
    /// By row: its own ground truths in their order, then those of the other rows in theirs.
    pub of_row: FxHashMap<usize, GroundTruths>,
    /// The number of different questions that these rows ask.
    pub questions: usize,
}

/// The ground truths of a row.
#[derive(Debug)]
pub struct GroundTruths {
    pub items: Vec<i64>,
    /// One for each item, or empty if the file has no grades.
    grades: Vec<f64>,
}

impl SharedGroundTruths {
    /// Merges the ground truths of all rows with the same question.
    ///
    /// `truths` returns the ground truths of a row. Each array of `first` maps every ground truth
    /// to the first item that equals it, by text or by id; two ground truths are equal if any of
    /// the arrays says so. Equal ground truths are merged, but those of one row are all kept. A
    /// ground truth taken from other rows has the grade that the first of them gives it. `place`
    /// returns the byte offset of a row, for the error.
    ///
    /// # Errors
    /// The merged lists are too large to hold.
    pub fn collect<'a>(
        asked: &SameText,
        truths: impl Fn(usize) -> Graded<'a>,
        first: &[&[i64]],
        source: &Source,
        place: impl Fn(usize) -> usize,
    ) -> Result<Self> {
        let mut found = Self::default();
        let (mut held, room) = (0, Allowance::new(size_of::<i64>()));
        for rows in asked.shared() {
            let given: usize = rows
                .iter()
                .map(|&row| truths(row as usize).items.len())
                .sum();
            ensure_available(given.saturating_mul(MAKING_BYTES));
            let mut all = UniqueItems::new(first);
            for &row in rows {
                check();
                all.extend(truths(row as usize));
            }
            held += rows.len() * all.items.len();
            if held > MAX_TOTAL {
                let message = format!(
                    "the question is asked in {} rows with {} different ground truths, and each \
                     row would have all of them; expected a question to be given once, with its \
                     chunks in \"chunk_ids\"",
                    rows.len(),
                    all.items.len()
                );
                return Err(source.error_at(place(rows[0] as usize), Reason::TooManyRows, message));
            }
            found.questions += 1;
            for &row in rows {
                check();
                let mut own = UniqueItems::new(first);
                own.push_all(truths(row as usize));
                own.extend(all.graded());
                let held = own.items.capacity() + own.grades.capacity();
                room.take_all(held + ROW_BYTES / size_of::<i64>());
                let (items, grades) = (own.items, own.grades);
                found
                    .of_row
                    .insert(row as usize, GroundTruths { items, grades });
            }
        }
        Ok(found)
    }

    /// Concatenates the lists of `len` rows. `own` returns the list of a row that shares nothing.
    /// `push` appends the list of a row with merged ground truths, which it is given. Also returns
    /// the lengths.
    pub fn concat_lists<'a>(
        &self,
        len: usize,
        own: impl Fn(usize) -> &'a [i64],
        mut push: impl FnMut(usize, &[i64], &mut Vec<i64>),
    ) -> (Vec<i64>, Vec<usize>) {
        let before: usize = (0..len).map(|row| own(row).len()).sum();
        let shared: usize = self.of_row.values().map(|all| all.items.len()).sum();
        let (mut items, mut lengths) = (with_capacity(before + shared), with_capacity(len));
        for row in 0..len {
            check();
            let start = items.len();
            match self.of_row.get(&row) {
                Some(all) => push(row, &all.items, &mut items),
                None => items.extend_from_slice(own(row)),
            }
            lengths.push(items.len() - start);
        }
        (items, lengths)
    }

    /// Returns the grades of `len` rows after merging; `own` are those before.
    pub fn grades(&self, len: usize, own: &Grades) -> Grades {
        if own.is_empty() {
            return Grades::default();
        }
        let (mut values, mut lengths) = (with_capacity(own.values.len()), with_capacity(len));
        for row in 0..len {
            check();
            let grades = self.of_row.get(&row).map_or(own.of(row), |all| &all.grades);
            reserve(&mut values, grades.len());
            values.extend_from_slice(grades);
            lengths.push(grades.len());
        }
        Grades::new(values, &lengths)
    }

    /// Returns a warning if any ground truths were merged.
    pub fn warning(&self, source: &Source) -> Option<String> {
        (self.questions > 0).then(|| {
            format!(
                "{}: {} questions are given in several rows, {} in all (case and white space \
                 aside); what answers one row of a question counts as an answer in all of them",
                source.name(),
                self.questions,
                self.of_row.len()
            )
        })
    }
}

/// A list of items that knows which items it already holds.
struct UniqueItems<'a> {
    items: Vec<i64>,
    grades: Vec<f64>,
    first: &'a [&'a [i64]],
    seen: Vec<FxHashSet<i64>>,
    ticks: Ticks,
}

impl<'a> UniqueItems<'a> {
    /// Makes an empty list; `first` is as in [`SharedGroundTruths::collect`].
    fn new(first: &'a [&'a [i64]]) -> Self {
        Self {
            items: Vec::new(),
            grades: Vec::new(),
            first,
            seen: vec![FxHashSet::default(); first.len()],
            ticks: Ticks::default(),
        }
    }

    /// Returns the items and their grades.
    fn graded(&self) -> Graded<'_> {
        Graded {
            items: &self.items,
            grades: &self.grades,
        }
    }

    /// Appends all items.
    fn push_all(&mut self, Graded { items, grades }: Graded<'_>) {
        for (place, &item) in items.iter().enumerate() {
            self.push(item, grades.get(place));
        }
    }

    /// Appends an item and its grade.
    fn push(&mut self, item: i64, grade: Option<&f64>) {
        push(&mut self.items, item);
        if let Some(&grade) = grade {
            push(&mut self.grades, grade);
        }
        for (first, seen) in self.first.iter().zip(&mut self.seen) {
            seen.insert(first[item as usize]);
        }
    }

    /// Appends the items that equal none in the list.
    fn extend(&mut self, Graded { items, grades }: Graded<'_>) {
        for (place, &item) in items.iter().enumerate() {
            self.ticks.tick();
            let kinds = self.first.iter().zip(&self.seen);
            if kinds
                .into_iter()
                .all(|(first, seen)| !seen.contains(&first[item as usize]))
            {
                self.push(item, grades.get(place));
            }
        }
    }
}
