//! Groups of candidates with equal scores, and the expectation of each metric over their orders.
//!
//! The expectations are those of McSherry and Najork, "Computing information retrieval performance
//! measures efficiently in the presence of tied scores", ECIR 2008. They follow from two facts
//! about a random order of n candidates. Each place holds each candidate with probability 1/n, and
//! the place of the first of r relevant ones has a negative hypergeometric distribution.

use std::cmp::Ordering;

use super::lists::{Lists, check_length, falling};
use crate::cancel;
use crate::error::{Error, Result};

/// If a list has more relevant candidates than this, it is sorted instead of scanned for each of
/// them.
const SCAN_LIMIT: usize = 8;

/// How ties are broken: the order of a list's candidates with equal scores.
#[derive(Clone, Copy)]
pub enum Ties<'a> {
    /// Ties are not broken: every order is equally likely.
    Expected,
    /// The larger key comes first, as in trec_eval, whose key is the document's name. If keys are
    /// equal or missing, the larger index comes first.
    Descending(Option<&'a [i64]>),
}

impl<'a> Ties<'a> {
    /// Parses the name "expected", or "trec_eval" with or without keys. Fails for another name, or
    /// for keys with "expected".
    pub fn named(name: &str, keys: Option<&'a [i64]>) -> Result<Self> {
        match (name, keys) {
            ("expected", None) => Ok(Self::Expected),
            ("trec_eval", keys) => Ok(Self::Descending(keys)),
            ("expected", Some(_)) => Err(Error::Usage(
                "tie_keys decide nothing where ties is \"expected\"; expected \"trec_eval\"".into(),
            )),
            _ => Err(Error::Usage(format!(
                "ties is {name:?}; expected \"expected\" or \"trec_eval\""
            ))),
        }
    }

    /// Fails if there is not one key for each score.
    pub(super) fn check(self, lists: Lists) -> Result<()> {
        match self {
            Self::Descending(Some(keys)) => {
                check_length("tie_keys", keys.len(), lists.num_scores(), "scores")
            }
            _ => Ok(()),
        }
    }
}

/// A list's scores, and how its ties are broken.
#[derive(Clone, Copy)]
pub struct Candidates<'a> {
    pub scores: &'a [f32],
    pub ties: Ties<'a>,
}

/// Candidates of one list with equal scores, at least one of them relevant.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TieGroup {
    /// The number of candidates with a higher score.
    pub above: usize,
    pub size: usize,
    /// The number of relevant candidates in the group; 0 only in an empty slot.
    pub relevant: usize,
    /// The sum of the gains of the relevant candidates.
    pub gain: f64,
}

impl TieGroup {
    /// Makes the group of one relevant candidate with a gain of 1.
    pub fn of_one(above: usize, size: usize) -> Self {
        Self {
            above,
            size,
            relevant: 1,
            gain: 1.0,
        }
    }

    /// Returns the expected rank, from 1, of the group's first relevant candidate. In a random
    /// order of n candidates, the first of r relevant ones has the expected place (n + 1)/(r + 1).
    pub fn expected_rank(&self) -> f64 {
        self.above as f64 + (self.size + 1) as f64 / (self.relevant + 1) as f64
    }

    /// Returns how many of the list's first `k` places this group takes.
    fn places_within(&self, k: usize) -> usize {
        k.saturating_sub(self.above).min(self.size)
    }

    /// Returns the probability that a relevant candidate of this group is among the first `k`. It
    /// is 1 − C(n − j, r)/C(n, r), where j of the group's n places are among the first `k`.
    pub fn success(&self, k: usize) -> f64 {
        let beyond = self.size - self.places_within(k);
        let all_beyond = |i: usize| beyond.saturating_sub(i) as f64 / (self.size - i) as f64;
        1.0 - (0..self.relevant).map(all_beyond).product::<f64>()
    }

    /// Returns the expected number of this group's relevant candidates among the first `k`. For
    /// each it has the same probability: the share of the group's places that are among the first
    /// `k`.
    fn relevant_within(&self, k: usize) -> f64 {
        self.relevant as f64 * self.places_within(k) as f64 / self.size as f64
    }

    /// Returns the expectation of 1 / rank of this group's first relevant candidate: the sum over
    /// the places of the probability that it is there, divided by the rank of the place.
    pub fn reciprocal_rank(&self) -> f64 {
        let irrelevant = self.size - self.relevant;
        let mut none_before = 1.0;
        let mut expected = 0.0;
        for before in 0..=irrelevant {
            let left = (self.size - before) as f64;
            let first_here = none_before * self.relevant as f64 / left;
            expected += first_here / (self.above + before + 1) as f64;
            none_before *= (irrelevant - before) as f64 / left;
        }
        expected
    }

    /// Returns the expected discounted gain of the group. The expected gain of each place is the
    /// mean.
    fn discounted_gain(&self, discounts: &[f64]) -> f64 {
        let last = self.above + self.places_within(discounts.len());
        let places = discounts.get(self.above..last).unwrap_or_default();
        self.gain / self.size as f64 * places.iter().sum::<f64>()
    }

    /// Returns the sum, over this group's relevant candidates, of the expected precision at each.
    /// `relevant_above` is the number of relevant candidates above the group.
    fn summed_precision(&self, relevant_above: usize) -> f64 {
        // The share of relevant candidates among the others, given that one place holds a relevant
        // one.
        let others = (self.relevant - 1) as f64 / (self.size - 1).max(1) as f64;
        let precision = |before: usize| {
            let relevant = (relevant_above + 1) as f64 + before as f64 * others;
            relevant / (self.above + before + 1) as f64
        };
        let density = self.relevant as f64 / self.size as f64;
        density * (0..self.size).map(precision).sum::<f64>()
    }
}

/// Returns the discount factors of the first `k` ranks.
pub fn discounts(k: usize) -> Vec<f64> {
    (0..k)
        .map(|before| 1.0 / ((before + 2) as f64).log2())
        .collect()
}

/// Returns the expected normalised discounted cumulative gain of the first `discounts.len()` ranks.
/// `slots` has one slot for each relevant candidate. `ideal` are the gains in falling order, empty
/// if all are 1.
pub fn ndcg(slots: &[TieGroup], ideal: &[f64], discounts: &[f64]) -> f64 {
    let found = filled(slots).map(|group| group.discounted_gain(discounts));
    let first = &discounts[..slots.len().min(discounts.len())];
    let best: f64 = if ideal.is_empty() {
        first.iter().sum()
    } else {
        first.iter().zip(ideal).map(|(d, gain)| d * gain).sum()
    };
    if best > 0.0 {
        found.sum::<f64>() / best
    } else {
        0.0
    }
}

/// Returns the expected share of the relevant candidates among the first `k`. `slots` has one slot
/// for each relevant candidate.
pub fn recall(slots: &[TieGroup], k: usize) -> f64 {
    let found: f64 = filled(slots).map(|group| group.relevant_within(k)).sum();
    found / slots.len() as f64
}

/// Returns the expected average precision. `slots` has one slot for each relevant candidate.
pub fn average_precision(slots: &[TieGroup]) -> f64 {
    let mut relevant_above = 0;
    let mut sum = 0.0;
    for group in filled(slots) {
        sum += group.summed_precision(relevant_above);
        relevant_above += group.relevant;
    }
    sum / slots.len() as f64
}

/// Yields the slots that are not empty.
fn filled(slots: &[TieGroup]) -> impl Iterator<Item = &TieGroup> {
    slots.iter().take_while(|group| group.relevant > 0)
}

impl<'a> Candidates<'a> {
    /// Returns the candidates of one list.
    pub fn of(lists: Lists<'a>, list: usize, ties: Ties<'a>) -> Self {
        let ties = match ties {
            Ties::Descending(Some(keys)) => Ties::Descending(Some(&keys[lists.places(list)])),
            other => other,
        };
        Self {
            scores: lists.get(list),
            ties,
        }
    }

    /// Finds the tie groups of the relevant candidates and writes them to `slots`, best first. Each
    /// group takes one slot; if relevant candidates tie, the last slots stay empty.
    pub fn fill(self, relevant: impl Iterator<Item = (usize, f64)>, slots: &mut [TieGroup]) {
        let sorted = (slots.len() > SCAN_LIMIT).then(|| self.sorted());
        for (slot, (i, gain)) in slots.iter_mut().zip(relevant) {
            *slot = match &sorted {
                Some(sorted) => self.search(sorted, i),
                None => self.scan(i),
            };
            slot.gain = gain;
        }
        slots.sort_unstable_by_key(|slot| slot.above);
        merge_equal(slots);
    }

    /// Compares two candidates; they are equal if chance decides.
    fn compare(self, i: usize, j: usize) -> Ordering {
        let by_score = falling(self.scores[i], self.scores[j]);
        match self.ties {
            Ties::Expected => by_score,
            Ties::Descending(keys) => by_score
                .then_with(|| keys.map_or(Ordering::Equal, |keys| keys[j].cmp(&keys[i])))
                .then(j.cmp(&i)),
        }
    }

    /// Returns the indices of all candidates, best first.
    fn sorted(self) -> Vec<usize> {
        let mut sorted: Vec<usize> = (0..self.scores.len()).collect();
        cancel::sort_unstable_by(&mut sorted, |&i, &j| self.compare(i, j));
        sorted
    }

    /// Finds the tie group of one relevant candidate by binary search in the sorted candidates.
    fn search(self, sorted: &[usize], i: usize) -> TieGroup {
        let above = sorted.partition_point(|&other| self.compare(other, i).is_lt());
        let size = sorted[above..].partition_point(|&other| self.compare(other, i).is_eq());
        TieGroup::of_one(above, size)
    }

    /// Finds the tie group of one relevant candidate by comparing it with all others.
    fn scan(self, i: usize) -> TieGroup {
        let (mut above, mut size) = counts(self.scores, self.scores[i]);
        if let Ties::Descending(_) = self.ties
            && size > 1
        {
            let is_above = |&other: &usize| self.compare(other, i).is_lt();
            above = (0..self.scores.len()).filter(is_above).count();
            size = 1;
        }
        TieGroup::of_one(above, size)
    }
}

/// Returns how many scores are above `score`, and how many are equal to it.
fn counts(scores: &[f32], score: f32) -> (usize, usize) {
    // Counts in parts, so that 32-bit counters suffice and the loop compiles to vector
    // instructions.
    let part = |part: &[f32]| {
        part.iter().fold((0u32, 0u32), |(above, equal), &other| {
            (
                above + u32::from(other > score),
                equal + u32::from(other == score),
            )
        })
    };
    scores.chunks(1 << 16).map(part).fold((0, 0), |sum, part| {
        (sum.0 + part.0 as usize, sum.1 + part.1 as usize)
    })
}

/// Merges neighbouring slots of the same group, and leaves the freed slots empty at the end.
pub fn merge_equal(slots: &mut [TieGroup]) {
    let mut filled = 0;
    for i in 1..slots.len() {
        if slots[i].above == slots[filled].above {
            slots[filled].relevant += 1;
            slots[filled].gain += slots[i].gain;
        } else {
            filled += 1;
            slots[filled] = slots[i];
        }
    }
    if let Some(free) = slots.get_mut(filled + 1..) {
        free.fill(TieGroup::default());
    }
}

/// Tells whether a list of `length` scores can have these groups, which must be merged and ascend.
/// At least one group is needed.
pub fn are_possible(slots: &[TieGroup], length: i64) -> bool {
    let mut end = 0;
    let fits = filled(slots).all(|group| {
        let apart = group.above >= end && group.size >= group.relevant;
        end = group.above.saturating_add(group.size);
        apart
    });
    !slots.is_empty() && fits && usize::try_from(length).is_ok_and(|length| end <= length)
}
