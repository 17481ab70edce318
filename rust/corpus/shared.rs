//! Ground truths that rows of one question share: asked twice, it is one question, and what
//! answers one row answers the other.

use rustc_hash::{FxHashMap, FxHashSet};

use super::grades::{Graded, Grades};
use crate::cancel::{Ticks, check};
use crate::error::{Reason, Result};
use crate::jsonl::Source;
use crate::memory::{Allowance, ensure_available, push, reserve, with_capacity};
use crate::same_text::SameText;

/// Rows times ground truths, over all questions, that are held; a list of ids of 1 GiB.
const MAX_TOTAL: usize = 1 << 27;

/// Bytes that a row takes besides its list, and that a ground truth takes while a list is made.
const ROW_BYTES: usize = 128;
const MAKING_BYTES: usize = 64;

/// The ground truths of rows whose question other rows ask too.
#[derive(Debug, Default)]
pub struct SharedGroundTruths {
    /// By row: its own in their order, then those of the other rows in theirs.
    pub of_row: FxHashMap<usize, GroundTruths>,
    /// How many questions these rows are of.
    pub questions: usize,
}

/// A row's ground truths.
#[derive(Debug)]
pub struct GroundTruths {
    pub items: Vec<i64>,
    /// One for each, if the file has any.
    grades: Vec<f64>,
}

impl SharedGroundTruths {
    /// Collects them.
    ///
    /// `truths` gives the ground truths of a row. Each of `first` says for every ground truth which
    /// is the first of its kind; those that are of one kind by any of them count as one, and only a
    /// row's own may repeat one another. One that a row has from other rows has the grade that the
    /// first of them gives it. An error is that of the row `place` gives the start of.
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

    /// Lays the lists of `len` rows end to end: `own` gives that of a row which shares nothing, and
    /// `push` appends that of one which does, given the ground truths that it has now. Also returns
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

    /// The grades that `len` rows have now; `own` are those that they had.
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

    /// What a user should know of them; nothing where there are none.
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

/// Items, and what kinds they are of.
struct UniqueItems<'a> {
    items: Vec<i64>,
    grades: Vec<f64>,
    first: &'a [&'a [i64]],
    seen: Vec<FxHashSet<i64>>,
    ticks: Ticks,
}

impl<'a> UniqueItems<'a> {
    fn new(first: &'a [&'a [i64]]) -> Self {
        Self {
            items: Vec::new(),
            grades: Vec::new(),
            first,
            seen: vec![FxHashSet::default(); first.len()],
            ticks: Ticks::default(),
        }
    }

    fn graded(&self) -> Graded<'_> {
        Graded {
            items: &self.items,
            grades: &self.grades,
        }
    }

    /// Takes in all items.
    fn push_all(&mut self, Graded { items, grades }: Graded<'_>) {
        for (place, &item) in items.iter().enumerate() {
            self.push(item, grades.get(place));
        }
    }

    fn push(&mut self, item: i64, grade: Option<&f64>) {
        push(&mut self.items, item);
        if let Some(&grade) = grade {
            push(&mut self.grades, grade);
        }
        for (first, seen) in self.first.iter().zip(&mut self.seen) {
            seen.insert(first[item as usize]);
        }
    }

    /// Takes in the items of new kinds.
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
