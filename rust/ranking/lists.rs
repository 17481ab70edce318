//! Lists of scores in CSR form.

use std::cmp::Ordering;
use std::ops::Range;

use rayon::prelude::*;

use super::kendall::kendall_tau;
use crate::cancel::{self, check};
use crate::error::{Error, Result};
use crate::finite::first_not_finite;
use crate::memory;

/// The number of lists of a parallel work item.
pub const LISTS_PER_JOB: usize = 64;

/// The number of indices that are written between two checks for cancellation.
const BLOCK: usize = 1 << 16;

/// Lists of scores in CSR form. List `i` is `scores[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Copy)]
pub struct Lists<'a> {
    scores: &'a [f32],
    offsets: &'a [i64],
}

impl<'a> Lists<'a> {
    /// Makes lists of a flat array. Fails unless the offsets ascend from 0 to the number of scores.
    pub fn new(scores: &'a [f32], offsets: &'a [i64]) -> Result<Self> {
        let rising = offsets.first() == Some(&0) && offsets.is_sorted();
        if !rising || offsets.last() != Some(&(scores.len() as i64)) {
            return Err(Error::Usage(format!(
                "the offsets do not cut up the scores; expected rising numbers from 0 to the \
                 number of scores, {}",
                scores.len()
            )));
        }
        Ok(Self { scores, offsets })
    }

    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn num_scores(&self) -> usize {
        self.scores.len()
    }

    /// Returns the range of a list in the flat array.
    pub fn places(&self, list: usize) -> Range<usize> {
        self.offsets[list] as usize..self.offsets[list + 1] as usize
    }

    pub fn get(&self, list: usize) -> &'a [f32] {
        &self.scores[self.places(list)]
    }

    /// Returns the list that holds the score at `at`, and the score's index in that list.
    pub fn place_of(&self, at: usize) -> (usize, usize) {
        let list = self.offsets.partition_point(|&offset| offset <= at as i64) - 1;
        (list, at - self.offsets[list] as usize)
    }

    /// Fails if a score is NaN or infinite, and says where the first one is.
    pub fn check_finite(&self) -> Result<()> {
        let Some(at) = first_not_finite(self.scores) else {
            return Ok(());
        };
        let (list, place) = self.place_of(at);
        Err(Error::Usage(format!(
            "score {place} of list {list} is {}; expected finite scores",
            self.scores[at]
        )))
    }

    /// Returns for each list Kendall's τ-b between the order of its candidates and that of their
    /// scores. Fails if a score is NaN or infinite.
    pub fn kendall_tau(&self) -> Result<Vec<f64>> {
        self.check_finite()?;
        Ok((0..self.len())
            .into_par_iter()
            .with_min_len(LISTS_PER_JOB)
            .map(|list| kendall_tau(self.get(list)))
            .collect())
    }

    /// Returns for each list the indices within it by falling score. Equal scores are ordered by
    /// rising tie key if there are keys, one for each score, and then by rising index. Fails if a
    /// score is NaN or infinite.
    pub fn order(&self, tie_keys: Option<&[i64]>) -> Result<Vec<i64>> {
        self.check_finite()?;
        if let Some(keys) = tie_keys {
            check_length("tie_keys", keys.len(), self.scores.len(), "scores")?;
        }
        let mut order = memory::zeros("the order", self.scores.len())?;
        slices_mut(&mut order, self.offsets)
            .into_par_iter()
            .zip(self.offsets)
            .with_min_len(LISTS_PER_JOB)
            .for_each(|(places, &start)| {
                let scores = &self.scores[start as usize..][..places.len()];
                let keys = tie_keys.map(|keys| &keys[start as usize..][..places.len()]);
                sort_list(scores, keys, places);
            });
        Ok(order)
    }
}

/// Writes to `places` the indices of a list in the order of [`Lists::order`].
fn sort_list(scores: &[f32], tie_keys: Option<&[i64]>, places: &mut [i64]) {
    for (block, places) in places.chunks_mut(BLOCK).enumerate() {
        check();
        for (i, place) in places.iter_mut().enumerate() {
            *place = (block * BLOCK + i) as i64;
        }
    }
    cancel::sort_unstable_by(places, |&a, &b| {
        let (i, j) = (a as usize, b as usize);
        let by_score = falling(scores[i], scores[j]);
        let by_key = || tie_keys.map_or(Ordering::Equal, |keys| keys[i].cmp(&keys[j]));
        by_score.then_with(by_key).then(a.cmp(&b))
    });
}

/// Compares two scores: the higher one comes first.
pub fn falling(a: f32, b: f32) -> Ordering {
    // A total order distinguishes −0 from 0; adding 0 turns −0 into 0.
    (b + 0.0).total_cmp(&(a + 0.0))
}

/// Splits a slice at its CSR offsets.
pub fn slices_mut<'a, T>(mut flat: &'a mut [T], offsets: &[i64]) -> Vec<&'a mut [T]> {
    let lengths = offsets.windows(2).map(|ends| (ends[1] - ends[0]) as usize);
    lengths
        .map(|length| flat.split_off_mut(..length).unwrap_or_default())
        .collect()
}

/// Fails if an array does not have one entry for each item of another.
pub(super) fn check_length(name: &str, found: usize, expected: usize, of: &str) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{name} has {found} entries for {expected} {of}; expected one for each"
    )))
}
