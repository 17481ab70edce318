//! How relevant the chunks of a question are, where a file says so.

use super::offsets;
use crate::cancel::check;
use crate::memory::with_capacity;

/// The grade of a chunk without one, in a file where others have grades.
pub const UNGRADED: f64 = 1.0;

/// The grades of lists of ground truths, all above 0. There are none where all of them are 1, which
/// is what a ground truth without a grade counts as.
#[derive(Debug, Clone, Default)]
pub struct Grades {
    /// All lists, end to end.
    pub values: Vec<f64>,
    starts: Vec<i64>,
}

/// A list of ground truths, and their grades if there are any.
#[derive(Debug, Clone, Copy)]
pub struct Graded<'a> {
    pub items: &'a [i64],
    pub grades: &'a [f64],
}

impl Grades {
    /// `values` of lists of these lengths.
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

    /// The grades of a list; an empty slice where there are none.
    pub fn of(&self, list: usize) -> &[f64] {
        match self.starts.get(list..list + 2) {
            Some(&[start, end]) => &self.values[start as usize..end as usize],
            _ => &[],
        }
    }
}

/// The chunks of each question that are relevant.
#[derive(Debug)]
pub struct Relevant {
    pub chunks: Vec<i64>,
    pub lengths: Vec<usize>,
    pub grades: Grades,
    /// Chunks that were left out, since their grade says that they are not relevant.
    pub left_out: usize,
}

impl Relevant {
    /// Takes all chunks where there are no grades. Of graded ones it takes those above 0 and puts
    /// the highest first; equal grades keep their order.
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
