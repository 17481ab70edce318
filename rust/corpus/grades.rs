//! Graded relevance: how relevant the chunks of a question are.

use super::offsets;
use crate::cancel::check;
use crate::memory::with_capacity;

/// The grade that is assumed for a chunk without one, in a file where other chunks have grades.
pub const UNGRADED: f64 = 1.0;

/// Tells whether float32, in which losses are computed, can hold a grade: it becomes neither
/// infinite nor 0 there.
pub fn fits_float32(grade: f64) -> bool {
    let narrow = grade as f32;
    narrow.is_finite() && (narrow == 0.0) == (grade == 0.0)
}

/// The grades of lists of ground truths, in CSR form. All grades are above 0. They are empty if
/// every grade is 1, because a ground truth without a grade counts as 1.
#[derive(Debug, Clone, Default)]
pub struct Grades {
    /// The grades of all lists, one list after another.
    pub values: Vec<f64>,
    starts: Vec<i64>,
}

/// A list of ground truths and their grades, which are empty if there are none.
#[derive(Debug, Clone, Copy)]
pub struct Graded<'a> {
    pub items: &'a [i64],
    pub grades: &'a [f64],
}

impl Grades {
    /// Makes the grades of lists with these lengths.
    pub fn new(values: Vec<f64>, lengths: &[usize]) -> Self {
        if values.iter().all(|&grade| grade == UNGRADED) {
            return Self::default();
        }
        Self {
            values,
            starts: offsets(lengths),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the grades of a list, or an empty slice if there are none.
    pub fn of(&self, list: usize) -> &[f64] {
        match self.starts.get(list..list + 2) {
            Some(&[start, end]) => &self.values[start as usize..end as usize],
            _ => &[],
        }
    }
}

/// The relevant chunks of each question.
#[derive(Debug)]
pub struct Relevant {
    pub chunks: Vec<i64>,
    pub lengths: Vec<usize>,
    pub grades: Grades,
    /// The number of chunks left out because their grade is 0 or less.
    pub left_out: usize,
}

impl Relevant {
    /// Selects the relevant chunks of each question. Without grades these are all chunks. With
    /// grades they are those with a grade above 0, sorted by falling grade; the sort is stable.
    pub fn of(chunks: Vec<i64>, grades: &[f64], lengths: Vec<usize>) -> Self {
        if grades.is_empty() {
            return Self {
                chunks,
                lengths,
                grades: Grades::default(),
                left_out: 0,
            };
        }
        let (mut kept, mut values) = (with_capacity(chunks.len()), with_capacity(chunks.len()));
        let mut kept_lengths = with_capacity(lengths.len());
        let mut start = 0;
        for length in lengths {
            check();
            let places = start..start + length;
            start = places.end;
            let mut places: Vec<usize> = places.filter(|&place| grades[place] > 0.0).collect();
            places.sort_by(|&a, &b| grades[b].total_cmp(&grades[a]));
            kept.extend(places.iter().map(|&place| chunks[place]));
            values.extend(places.iter().map(|&place| grades[place]));
            kept_lengths.push(places.len());
        }
        Self {
            left_out: chunks.len() - kept.len(),
            chunks: kept,
            grades: Grades::new(values, &kept_lengths),
            lengths: kept_lengths,
        }
    }
}
