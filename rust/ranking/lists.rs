//! Lists of scores in CSR form, and how many of each list are relevant.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::kendall::kendall_tau;
use crate::error::{Error, Result};

/// Lists per parallel work item.
pub const LISTS_PER_JOB: usize = 64;

/// Lists of scores, one after the other.
#[derive(Clone, Copy)]
pub struct Lists<'a> {
    scores: &'a [f32],
    offsets: &'a [i64],
}

impl<'a> Lists<'a> {
    /// Refuses offsets that do not cut up `scores`.
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

    pub fn get(&self, list: usize) -> &'a [f32] {
        &self.scores[self.offsets[list] as usize..self.offsets[list + 1] as usize]
    }

    /// Refuses NaN and infinity, and says where the first is.
    pub fn check_finite(&self) -> Result<()> {
        let wrong = |score: &f32| !score.is_finite();
        let Some(at) = self.scores.par_iter().position_first(wrong) else {
            return Ok(());
        };
        let list = self.offsets.partition_point(|&offset| offset <= at as i64) - 1;
        Err(Error::Usage(format!(
            "score {} of list {list} is {}; expected finite scores",
            at - self.offsets[list] as usize,
            self.scores[at]
        )))
    }

    /// Kendall's τ-b of every list between the order it is given in and that of its scores.
    pub fn kendall_tau(&self) -> Vec<f64> {
        (0..self.len())
            .into_par_iter()
            .with_min_len(LISTS_PER_JOB)
            .map(|list| kendall_tau(self.get(list)))
            .collect()
    }

    /// For every list its local indices by falling score; equal scores by rising key where keys,
    /// one for each score, are given, and then by rising index.
    pub fn order(&self, tie_keys: Option<&[i64]>) -> Result<Vec<i64>> {
        self.check_finite()?;
        if let Some(keys) = tie_keys
            && keys.len() != self.scores.len()
        {
            return Err(Error::Usage(format!(
                "{} tie keys for {} scores; expected one for each",
                keys.len(),
                self.scores.len()
            )));
        }
        let mut order = vec![0; self.scores.len()];
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

fn sort_list(scores: &[f32], tie_keys: Option<&[i64]>, places: &mut [i64]) {
    for (i, place) in places.iter_mut().enumerate() {
        *place = i as i64;
    }
    places.sort_unstable_by(|&a, &b| {
        let (i, j) = (a as usize, b as usize);
        // Not `total_cmp`, which tells 0 from −0.
        let by_score = scores[j].partial_cmp(&scores[i]).unwrap_or(Ordering::Equal);
        let by_key = || tie_keys.map_or(Ordering::Equal, |keys| keys[i].cmp(&keys[j]));
        by_score.then_with(by_key).then(a.cmp(&b))
    });
}

/// How many candidates of each list, from its start, are relevant.
#[derive(Clone, Copy)]
pub enum Relevant<'a> {
    Same(i64),
    Each(&'a [i64]),
}

impl Relevant<'_> {
    /// Running totals from 0 over the lists.
    pub(super) fn starts(self, lists: Lists) -> Result<Vec<i64>> {
        if let Self::Each(counts) = self
            && counts.len() != lists.len()
        {
            return Err(Error::Usage(format!(
                "num_relevant has {} entries for {} lists; expected one for each",
                counts.len(),
                lists.len()
            )));
        }
        let mut starts = Vec::with_capacity(lists.len() + 1);
        let mut total = 0;
        starts.push(total);
        for list in 0..lists.len() {
            let count = match self {
                Self::Same(count) => count,
                Self::Each(counts) => counts[list],
            };
            let length = lists.get(list).len();
            if count < 1 || count > length as i64 {
                return Err(Error::Usage(format!(
                    "list {list} has {length} candidates, {count} of them relevant; expected at \
                     least one relevant and no more than there are"
                )));
            }
            total += count;
            starts.push(total);
        }
        Ok(starts)
    }
}

pub fn all_finite(scores: &[f32]) -> bool {
    // No short cut, so that it runs as vector instructions.
    scores
        .iter()
        .fold(true, |finite, score| finite & score.is_finite())
}

/// The parts between neighbouring offsets.
pub fn slices_mut<'a, T>(mut flat: &'a mut [T], offsets: &[i64]) -> Vec<&'a mut [T]> {
    let lengths = offsets.windows(2).map(|ends| (ends[1] - ends[0]) as usize);
    lengths
        .map(|length| flat.split_off_mut(..length).unwrap_or_default())
        .collect()
}
