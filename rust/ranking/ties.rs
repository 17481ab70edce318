//! Candidates with equal scores: found, put in order, or left to chance.
//!
//! The expectations are those of McSherry and Najork, "Computing information retrieval performance
//! measures efficiently in the presence of tied scores", ECIR 2008. They follow from two facts of a
//! random order of n candidates: each of its places holds each candidate with probability 1/n, and
//! the first of r relevant ones has a negative hypergeometric place.

use std::cmp::Ordering;

use super::lists::{Lists, check_length, falling};
use crate::cancel;
use crate::error::{Error, Result};

/// With more relevant candidates than this, a list is sorted instead of scanned for each of them.
const SCAN_LIMIT: usize = 8;

/// What decides between candidates of a list with equal scores.
#[derive(Clone, Copy)]
pub enum Ties<'a> {
    /// Nothing does: every order is as likely.
    Expected,
    /// Of two the one with the larger key comes first, as in trec_eval, whose key is the document's
    /// name; where keys are equal, or there are none, the one with the larger index.
    Descending(Option<&'a [i64]>),
}

impl<'a> Ties<'a> {
    /// `expected`, or `trec_eval` with or without keys.
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

    /// Refuses keys that are not one for each score.
    pub(super) fn check(self, lists: Lists) -> Result<()> {
        match self {
            Self::Descending(Some(keys)) => {
                check_length("tie_keys", keys.len(), lists.num_scores(), "scores")
            }
            _ => Ok(()),
        }
    }
}

/// A list's scores and what decides between equal ones.
#[derive(Clone, Copy)]
pub struct Candidates<'a> {
    pub scores: &'a [f32],
    pub ties: Ties<'a>,
}

/// Candidates of one list that may stand in any order, some of them relevant.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TieGroup {
    /// Candidates that stand above all of these.
    pub above: usize,
    pub size: usize,
    /// Relevant ones among them; 0 only in an empty slot.
    pub relevant: usize,
    /// The sum of their gains.
    pub gain: f64,
}

impl TieGroup {
    /// The group of one relevant candidate, with a gain of 1.
    pub fn of_one(above: usize, size: usize) -> Self {
        Self {
            above,
            size,
            relevant: 1,
            gain: 1.0,
        }
    }

    /// Of r relevant in a random order of n the first has the expected place (n + 1)/(r + 1).
    pub fn expected_rank(&self) -> f64 {
        self.above as f64 + (self.size + 1) as f64 / (self.relevant + 1) as f64
    }

    /// How many of the list's first `k` places fall to this group.
    fn places_within(&self, k: usize) -> usize {
        k.saturating_sub(self.above).min(self.size)
    }

    /// The probability that a relevant one of this group is among the first `k`: all but the draws
    /// of its places there without a relevant one, 1 − C(n − j, r)/C(n, r).
    pub fn success(&self, k: usize) -> f64 {
        let beyond = self.size - self.places_within(k);
        let all_beyond = |i: usize| beyond.saturating_sub(i) as f64 / (self.size - i) as f64;
        1.0 - (0..self.relevant).map(all_beyond).product::<f64>()
    }

    /// The expected number of this group's relevant candidates among the first `k`: each is there
    /// with the same probability, the share of the group's places there.
    fn relevant_within(&self, k: usize) -> f64 {
        self.relevant as f64 * self.places_within(k) as f64 / self.size as f64
    }

    /// The expectation of one over the rank of this group's first relevant one: the sum over the
    /// places of the probability that it is the first there, over the rank of the place.
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

    /// The expected gain of each of the group's places is the mean gain.
    fn discounted_gain(&self, discounts: &[f64]) -> f64 {
        let last = self.above + self.places_within(discounts.len());
        let places = discounts.get(self.above..last).unwrap_or_default();
        self.gain / self.size as f64 * places.iter().sum::<f64>()
    }

    /// The sum, over this group's relevant ones, of the expected precision down to each, given how
    /// many relevant ones stand above the group.
    fn summed_precision(&self, relevant_above: usize) -> f64 {
        // Given that one place holds a relevant one, the share of the group's others.
        let others = (self.relevant - 1) as f64 / (self.size - 1).max(1) as f64;
        let precision = |before: usize| {
            let relevant = (relevant_above + 1) as f64 + before as f64 * others;
            relevant / (self.above + before + 1) as f64
        };
        let density = self.relevant as f64 / self.size as f64;
        density * (0..self.size).map(precision).sum::<f64>()
    }
}

/// The weights of the first `k` places in discounted cumulative gain.
pub fn discounts(k: usize) -> Vec<f64> {
    (0..k)
        .map(|before| 1.0 / ((before + 2) as f64).log2())
        .collect()
}

/// Normalised discounted cumulative gain of the first `discounts.len()`, from one slot per relevant
/// candidate and the gains in the best order; none where all are 1.
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

/// The expected share of the relevant candidates that are among the first `k`, from one slot per
/// relevant candidate.
pub fn recall(slots: &[TieGroup], k: usize) -> f64 {
    let found: f64 = filled(slots).map(|group| group.relevant_within(k)).sum();
    found / slots.len() as f64
}

/// Average precision, from one slot per relevant candidate.
pub fn average_precision(slots: &[TieGroup]) -> f64 {
    let mut relevant_above = 0;
    let mut sum = 0.0;
    for group in filled(slots) {
        sum += group.summed_precision(relevant_above);
        relevant_above += group.relevant;
    }
    sum / slots.len() as f64
}

fn filled(slots: &[TieGroup]) -> impl Iterator<Item = &TieGroup> {
    slots.iter().take_while(|group| group.relevant > 0)
}

impl<'a> Candidates<'a> {
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

    /// Finds the tie groups of the relevant candidates, from the best down; each takes one slot,
    /// and slots are left over where relevant candidates tie.
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

    /// The order of two candidates; equal where chance decides.
    fn compare(self, i: usize, j: usize) -> Ordering {
        let by_score = falling(self.scores[i], self.scores[j]);
        match self.ties {
            Ties::Expected => by_score,
            Ties::Descending(keys) => by_score
                .then_with(|| keys.map_or(Ordering::Equal, |keys| keys[j].cmp(&keys[i])))
                .then(j.cmp(&i)),
        }
    }

    fn sorted(self) -> Vec<usize> {
        let mut sorted: Vec<usize> = (0..self.scores.len()).collect();
        cancel::sort_unstable_by(&mut sorted, |&i, &j| self.compare(i, j));
        sorted
    }

    /// The tie group of one relevant candidate, among the sorted.
    fn search(self, sorted: &[usize], i: usize) -> TieGroup {
        let above = sorted.partition_point(|&other| self.compare(other, i).is_lt());
        let size = sorted[above..].partition_point(|&other| self.compare(other, i).is_eq());
        TieGroup::of_one(above, size)
    }

    /// The tie group of one relevant candidate, by a look at all the others.
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

/// How many scores are above `score`, and how many are equal to it.
fn counts(scores: &[f32], score: f32) -> (usize, usize) {
    // In parts, so that counters as wide as a score suffice and the loop becomes vector code.
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

/// Joins slots of the same group, which stand side by side, and leaves the freed ones at the end.
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

/// Tells whether a list of `length` scores may have these groups, which rise and were merged; there must
/// be one.
pub fn are_possible(slots: &[TieGroup], length: i64) -> bool {
    let mut end = 0;
    let fits = filled(slots).all(|group| {
        let apart = group.above >= end && group.size >= group.relevant;
        end = group.above.saturating_add(group.size);
        apart
    });
    !slots.is_empty() && fits && usize::try_from(length).is_ok_and(|length| end <= length)
}
