//! Ranks, ties and metrics over lists of scores.
//!
//! Lists are in CSR form: one flat array of scores, and offsets with one entry more than there are
//! lists. The relevant candidates of a list come first in it, or every candidate has a gain.
//!
//! A tie is not a win. Candidates with equal scores are taken to stand in random order, every order
//! as likely, and each metric is the exact expectation over those orders; a constant scorer gets
//! exactly the chance level. All that the metrics need to know of a list are the groups of equal
//! scores that hold a relevant candidate, so that is all that a [`Ranking`] keeps. Where ties are
//! broken as trec_eval does, every group is a single candidate.

mod kendall;
mod lists;
mod relevant;
mod ties;

use rayon::prelude::*;

use crate::cancel::{Ticks, check, sort_unstable_by};
use crate::error::{Error, Result};
use crate::finite::all_finite;
use crate::memory::with_capacity;

pub use lists::Lists;
use lists::check_length;
use lists::{LISTS_PER_JOB, slices_mut};
pub use relevant::Relevant;
pub use ties::Ties;
use ties::{Candidates, TieGroup};

/// How well each list ranks its relevant candidates.
pub struct Ranking {
    /// A slot for every relevant candidate: the tie groups of a list from the best down, then
    /// empty groups where several relevant candidates share one.
    groups: Vec<TieGroup>,
    /// The gains of the relevant candidates of each list, falling; nothing where all are 1.
    ideal: Vec<f64>,
    /// Where the slots of each list start, and the end of the last.
    starts: Vec<i64>,
    /// The number of candidates in each list.
    lengths: Vec<usize>,
}

/// What a metric is a function of: a slot for every relevant candidate, and their gains in the best
/// order, if not all are 1.
type Slots<'a> = (&'a [TieGroup], &'a [f64]);

impl Ranking {
    /// Refuses scores that are NaN or infinite, lists without a relevant candidate or with more of
    /// them than candidates, and keys that are not one for each score.
    pub fn new(lists: Lists, relevant: Relevant, ties: Ties) -> Result<Self> {
        ties.check(lists)?;
        let starts = relevant.starts(lists)?;
        let gains;
        let relevant = match relevant {
            Relevant::Gains(given) => {
                gains = relevant::scaled(given, (0..lists.len()).map(|list| lists.places(list)));
                Relevant::Gains(&gains)
            }
            other => other,
        };
        let count = *starts.last().unwrap_or(&0) as usize;
        let mut groups = with_capacity(count);
        groups.resize(count, TieGroup::default());
        let finite = slices_mut(&mut groups, &starts)
            .into_par_iter()
            .enumerate()
            .with_min_len(LISTS_PER_JOB)
            .map(|(list, slots)| {
                check();
                let candidates = Candidates::of(lists, list, ties);
                candidates.fill(relevant.of(lists, list, slots.len()), slots);
                all_finite(candidates.scores)
            })
            .reduce(|| true, |a, b| a & b);
        if !finite {
            lists.check_finite()?;
        }
        let lengths = (0..lists.len()).map(|list| lists.get(list).len()).collect();
        Ok(Self {
            groups,
            ideal: relevant.ideal(&starts),
            starts,
            lengths,
        })
    }

    /// What ranking lists would give whose scores were only counted, as where no list fits in
    /// memory: for every relevant candidate how many of its list score above it, and how many as it
    /// does, itself among them. `starts` cuts the relevant candidates up into lists of `lengths`.
    /// `gains` are those of the relevant candidates; without them all are 1.
    ///
    /// Refuses counts that no scores have, and gains that are not finite or not above 0.
    pub fn from_counts(
        above: &[i64],
        equal: &[i64],
        starts: &[i64],
        lengths: &[i64],
        gains: Option<&[f64]>,
    ) -> Result<Self> {
        check_length("equal", equal.len(), above.len(), "counts above")?;
        check_length(
            "starts",
            starts.len(),
            lengths.len() + 1,
            "list starts and the end",
        )?;
        let rising = starts.first() == Some(&0) && starts.is_sorted();
        if !rising || starts.last() != Some(&(above.len() as i64)) {
            let message = "the starts do not cut up the counts; expected rising numbers from 0 to \
                           the number of counts";
            return Err(Error::Usage(message.into()));
        }
        let mut groups = with_capacity(above.len());
        let mut ticks = Ticks::default();
        groups.extend(above.iter().zip(equal).map(|(&above, &equal)| {
            ticks.tick();
            TieGroup::of_one(above.max(0) as usize, equal.max(0) as usize)
        }));
        let ideal = match gains {
            None => Vec::new(),
            Some(gains) => {
                let gains = relevant::checked_and_scaled(gains, starts)?;
                for (group, &gain) in groups.iter_mut().zip(gains.iter()) {
                    group.gain = gain;
                }
                relevant::ideal_order(gains.into_owned(), starts)
            }
        };
        let slots = slices_mut(&mut groups, starts);
        for (list, (slots, &length)) in slots.into_iter().zip(lengths).enumerate() {
            check();
            sort_unstable_by(slots, |a, b| (a.above, a.size).cmp(&(b.above, b.size)));
            ties::merge_equal(slots);
            let range = starts[list] as usize..starts[list + 1] as usize;
            let negative = above[range].iter().any(|&count| count < 0);
            if negative || !ties::are_possible(slots, length) {
                return Err(Error::Usage(format!(
                    "the counts of list {list} are of no {length} scores; expected for each \
                     relevant candidate those above it and those equal to it, itself among them"
                )));
            }
        }
        Ok(Self {
            groups,
            ideal,
            starts: starts.to_vec(),
            lengths: lengths.iter().map(|&length| length as usize).collect(),
        })
    }

    /// The given lists, in the given order.
    pub fn take(&self, rows: &[i64]) -> Result<Self> {
        let valid = 0..self.len() as i64;
        if let Some(row) = rows.iter().find(|row| !valid.contains(row)) {
            return Err(Error::Usage(format!(
                "there is no list {row}; expected numbers below {}",
                self.len()
            )));
        }
        let mut taken = Self::empty();
        for &row in rows {
            check();
            taken.push(self, row as usize);
        }
        Ok(taken)
    }

    /// The lists of several rankings, one after another.
    pub fn concat(parts: &[&Self]) -> Self {
        let mut all = Self::empty();
        for part in parts {
            for list in 0..part.len() {
                check();
                all.push(part, list);
            }
        }
        all
    }

    fn empty() -> Self {
        Self {
            groups: Vec::new(),
            ideal: Vec::new(),
            starts: vec![0],
            lengths: Vec::new(),
        }
    }

    fn push(&mut self, other: &Self, list: usize) {
        let slots = other.starts[list] as usize..other.starts[list + 1] as usize;
        if !(self.ideal.is_empty() && other.ideal.is_empty()) {
            // Where gains are left out all are 1.
            let gains = other.ideal.get(slots.clone()).unwrap_or_default();
            self.ideal.resize(self.groups.len(), 1.0);
            self.ideal.extend_from_slice(gains);
            self.ideal.resize(self.groups.len() + slots.len(), 1.0);
        }
        self.groups.extend_from_slice(&other.groups[slots]);
        self.starts.push(self.groups.len() as i64);
        self.lengths.push(other.lengths[list]);
    }

    /// The same lists with nothing but ties in them.
    fn by_chance(&self) -> Self {
        let mut groups = self.groups.clone();
        let slots = slices_mut(&mut groups, &self.starts);
        for (slots, &length) in slots.into_iter().zip(&self.lengths) {
            check();
            slots[0] = TieGroup {
                above: 0,
                size: length,
                relevant: slots.len(),
                gain: slots.iter().map(|slot| slot.gain).sum(),
            };
            slots[1..].fill(TieGroup::default());
        }
        Self {
            groups,
            ideal: self.ideal.clone(),
            starts: self.starts.clone(),
            lengths: self.lengths.clone(),
        }
    }

    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lists(&self) -> impl Iterator<Item = Slots<'_>> {
        self.starts.windows(2).map(|ends| {
            let range = ends[0] as usize..ends[1] as usize;
            let ideal = self.ideal.get(range.clone()).unwrap_or_default();
            (&self.groups[range], ideal)
        })
    }

    /// A metric of every list. Like lists often follow one another, above all by chance: the last
    /// value is used again while it fits.
    fn per_list(&self, metric: impl Fn(Slots) -> f64) -> Vec<f64> {
        let mut last: (Slots, f64) = ((&[], &[]), 0.0);
        let value = |slots| {
            if slots != last.0 {
                check();
                last = (slots, metric(slots));
            }
            last.1
        };
        self.lists().map(value).collect()
    }

    /// The expected rank, from 1, of the best relevant candidate.
    pub fn rank(&self) -> Vec<f64> {
        self.per_list(|(groups, _)| groups[0].expected_rank())
    }

    /// How many candidates other than itself score as the best relevant one does.
    pub fn ties(&self) -> Vec<i64> {
        self.lists()
            .map(|(groups, _)| groups[0].size as i64 - 1)
            .collect()
    }

    /// The probability that one of the first `k` is relevant.
    pub fn success(&self, k: usize) -> Vec<f64> {
        self.per_list(|(groups, _)| groups[0].success(k))
    }

    /// The share of the relevant candidates that are among the first `k`.
    pub fn recall(&self, k: usize) -> Vec<f64> {
        self.per_list(|(groups, _)| ties::recall(groups, k))
    }

    /// One over the rank of the best relevant candidate.
    pub fn reciprocal_rank(&self) -> Vec<f64> {
        self.per_list(|(groups, _)| groups[0].reciprocal_rank())
    }

    /// Normalised discounted cumulative gain of the first `k` (Järvelin and Kekäläinen 2002, with
    /// trec_eval's discount, log2 of the rank + 1, and its gain, the relevance itself).
    pub fn ndcg(&self, k: usize) -> Vec<f64> {
        let longest = self.lengths.iter().copied().max().unwrap_or(0);
        let discounts = ties::discounts(k.min(longest));
        self.per_list(|(groups, ideal)| ties::ndcg(groups, ideal, &discounts))
    }

    /// The mean, over the relevant candidates, of the precision down to each.
    pub fn average_precision(&self) -> Vec<f64> {
        self.per_list(|(groups, _)| ties::average_precision(groups))
    }

    /// Means over all lists, by name, and what random scores would get: Top-k for each k of
    /// `top_k`, Recall@k for each of `recall_at`, and the metrics that are always told.
    pub fn summary(&self, top_k: &[usize], recall_at: &[usize]) -> Result<Summary> {
        if self.is_empty() {
            let message = "no lists to average over; expected at least one question";
            return Err(Error::Usage(message.into()));
        }
        if top_k.contains(&0) {
            return Err(Error::Usage("top-0 asked for; expected k from 1".into()));
        }
        if recall_at.contains(&0) {
            return Err(Error::Usage(
                "recall at 0 asked for; expected k from 1".into(),
            ));
        }
        let tied = self.ties().iter().filter(|&&ties| ties > 0).count();
        Ok(Summary {
            means: self.means(top_k, recall_at),
            chance: self.by_chance().means(top_k, recall_at),
            ties: tied as f64 / self.len() as f64,
            num_queries: self.len(),
        })
    }

    fn means(&self, top_k: &[usize], recall_at: &[usize]) -> Vec<(String, f64)> {
        let top = top_k
            .iter()
            .map(|&k| (format!("top{k}"), mean(&self.success(k))));
        let others = [
            ("mrr", self.reciprocal_rank()),
            ("map", self.average_precision()),
            ("ndcg10", self.ndcg(10)),
            ("mean_rank", self.rank()),
        ];
        let others = others.map(|(name, values)| (name.to_owned(), mean(&values)));
        let recall = recall_at
            .iter()
            .map(|&k| (format!("recall{k}"), mean(&self.recall(k))));
        top.chain(others).chain(recall).collect()
    }
}

/// The metrics of a whole evaluation.
pub struct Summary {
    pub means: Vec<(String, f64)>,
    /// The same metrics under scores that say nothing.
    pub chance: Vec<(String, f64)>,
    /// The share of lists whose best relevant candidate shares its score.
    pub ties: f64,
    pub num_queries: usize,
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests;
