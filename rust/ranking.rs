//! Ranks and metrics of lists of scores.
//!
//! Lists are in CSR form: one flat array of scores, and offsets with one entry more than there are
//! lists. Either the relevant candidates of a list come first in it, or every candidate has a gain.
//!
//! A tie is not a win. Candidates with equal scores are assumed to be in random order, with every
//! order equally likely, and each metric is its exact expectation over these orders. So a constant
//! scorer gets exactly the chance level. The metrics need only the groups of equal scores with a
//! relevant candidate, so a [`Ranking`] keeps only these. If ties are broken as trec_eval does,
//! every group is a single candidate.

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

/// The tie groups of lists, from which all metrics are computed.
pub struct Ranking {
    /// One slot for every relevant candidate of every list: first the tie groups of the list, best
    /// first, then empty groups, one for each relevant candidate that shares a group with another.
    groups: Vec<TieGroup>,
    /// The gains of the relevant candidates of each list, in falling order. Empty if all are 1.
    ideal: Vec<f64>,
    /// The start of each list's slots, then the end of the last.
    starts: Vec<i64>,
    /// The number of candidates of each list.
    lengths: Vec<usize>,
}

/// The input of a metric: one slot for every relevant candidate of a list, and their gains in
/// falling order, which are empty if all are 1.
type Slots<'a> = (&'a [TieGroup], &'a [f64]);

impl Ranking {
    /// Finds the tie groups of each list.
    ///
    /// # Errors
    /// A score is NaN or infinite, a list has no relevant candidate or more of them than
    /// candidates, or there is not one tie key for each score.
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

    /// Makes the ranking of lists whose scores were only counted, because no list fits into memory.
    /// For every relevant candidate, `above` is how many candidates of its list have a higher
    /// score, and `equal` how many have the same score, itself included. `starts` are the CSR
    /// offsets of the relevant candidates in lists with `lengths` candidates. `gains` are those of
    /// the relevant candidates; if there are none, all are 1.
    ///
    /// # Errors
    /// No scores can have these counts, or a gain is not a finite number above 0.
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

    /// Returns the lists `rows`, in that order. Fails if there is no such list.
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

    /// Concatenates the lists of several rankings.
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

    /// Returns a ranking of no lists.
    fn empty() -> Self {
        Self {
            groups: Vec::new(),
            ideal: Vec::new(),
            starts: vec![0],
            lengths: Vec::new(),
        }
    }

    /// Appends a list of another ranking.
    fn push(&mut self, other: &Self, list: usize) {
        let slots = other.starts[list] as usize..other.starts[list + 1] as usize;
        if !(self.ideal.is_empty() && other.ideal.is_empty()) {
            // If a ranking has no gains, all of them are 1.
            let gains = other.ideal.get(slots.clone()).unwrap_or_default();
            self.ideal.resize(self.groups.len(), 1.0);
            self.ideal.extend_from_slice(gains);
            self.ideal.resize(self.groups.len() + slots.len(), 1.0);
        }
        self.groups.extend_from_slice(&other.groups[slots]);
        self.starts.push(self.groups.len() as i64);
        self.lengths.push(other.lengths[list]);
    }

    /// Returns the same lists with all scores tied, which gives the chance level.
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

    /// Yields the slots of each list.
    fn lists(&self) -> impl Iterator<Item = Slots<'_>> {
        self.starts.windows(2).map(|ends| {
            let range = ends[0] as usize..ends[1] as usize;
            let ideal = self.ideal.get(range.clone()).unwrap_or_default();
            (&self.groups[range], ideal)
        })
    }

    /// Computes a metric of every list. Neighbouring lists are often equal, above all at the chance
    /// level, so the last value is used again if it fits.
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

    /// Returns for each list the expected rank, from 1, of the best relevant candidate.
    pub fn rank(&self) -> Vec<f64> {
        self.per_list(|(groups, _)| groups[0].expected_rank())
    }

    /// Returns for each list how many other candidates have the score of the best relevant one.
    pub fn ties(&self) -> Vec<i64> {
        self.lists()
            .map(|(groups, _)| groups[0].size as i64 - 1)
            .collect()
    }

    /// Returns for each list the probability that one of the first `k` candidates is relevant.
    pub fn success(&self, k: usize) -> Vec<f64> {
        self.per_list(|(groups, _)| groups[0].success(k))
    }

    /// Returns for each list the expected share of the relevant candidates among the first `k`.
    pub fn recall(&self, k: usize) -> Vec<f64> {
        self.per_list(|(groups, _)| ties::recall(groups, k))
    }

    /// Returns for each list the expectation of 1 / rank of the best relevant candidate.
    pub fn reciprocal_rank(&self) -> Vec<f64> {
        self.per_list(|(groups, _)| groups[0].reciprocal_rank())
    }

    /// Returns for each list the expected normalised discounted cumulative gain of the first `k`
    /// (Järvelin and Kekäläinen 2002). As in trec_eval, the discount is log2(rank + 1), and the
    /// gain is the relevance itself.
    pub fn ndcg(&self, k: usize) -> Vec<f64> {
        let longest = self.lengths.iter().copied().max().unwrap_or(0);
        let discounts = ties::discounts(k.min(longest));
        self.per_list(|(groups, ideal)| ties::ndcg(groups, ideal, &discounts))
    }

    /// Returns for each list the expected average precision: the mean, over the relevant
    /// candidates, of the precision at the rank of each.
    pub fn average_precision(&self) -> Vec<f64> {
        self.per_list(|(groups, _)| ties::average_precision(groups))
    }

    /// Returns the means of the metrics over all lists, and those of random scores. The metrics are
    /// Top-k for each k of `top_k`, Recall@k for each k of `recall_at`, MRR, MAP, nDCG@10 and the
    /// mean rank.
    ///
    /// # Errors
    /// There are no lists, or a k is 0.
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

/// The mean metrics of all lists.
pub struct Summary {
    pub means: Vec<(String, f64)>,
    /// The same metrics at the chance level.
    pub chance: Vec<(String, f64)>,
    /// The share of lists whose best relevant candidate has the score of another candidate.
    pub ties: f64,
    pub num_queries: usize,
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests;
