//! Ranks, ties and metrics over lists of scores.
//!
//! Lists are in CSR form: one flat array of scores, and offsets with one entry more than there are
//! lists. The relevant candidates of a list come first in it.
//!
//! A tie is not a win. Candidates with equal scores are taken to stand in random order, every order
//! as likely, and each metric is the exact expectation over those orders; a constant scorer gets
//! exactly the chance level. All that the metrics need to know of a list are the groups of equal
//! scores that hold a relevant candidate, so that is all that a [`Ranking`] keeps.

mod kendall;
mod lists;
mod ties;

use rayon::prelude::*;

use crate::error::{Error, Result};

use lists::{LISTS_PER_JOB, slices_mut};
pub use lists::{Lists, Relevant};
use ties::TieGroup;

/// How well each list ranks its relevant candidates.
pub struct Ranking {
    /// A slot for every relevant candidate: the tie groups of a list from the best down, then
    /// empty groups where several relevant candidates share one.
    groups: Vec<TieGroup>,
    /// Where the slots of each list start, and the end of the last.
    starts: Vec<i64>,
    /// The number of candidates in each list.
    lengths: Vec<usize>,
}

impl Ranking {
    /// Refuses scores that are NaN or infinite, and lists without a relevant candidate or with
    /// more of them than candidates.
    pub fn new(lists: Lists, relevant: Relevant) -> Result<Self> {
        let starts = relevant.starts(lists)?;
        let mut groups = vec![TieGroup::default(); *starts.last().unwrap_or(&0) as usize];
        let finite = slices_mut(&mut groups, &starts)
            .into_par_iter()
            .enumerate()
            .with_min_len(LISTS_PER_JOB)
            .map(|(list, slots)| {
                let scores = lists.get(list);
                ties::fill(scores, slots);
                lists::all_finite(scores)
            })
            .reduce(|| true, |a, b| a & b);
        if !finite {
            lists.check_finite()?;
        }
        let lengths = (0..lists.len()).map(|list| lists.get(list).len()).collect();
        Ok(Self {
            groups,
            starts,
            lengths,
        })
    }

    /// The same lists with nothing but ties in them.
    fn by_chance(&self) -> Self {
        let mut groups = vec![TieGroup::default(); self.groups.len()];
        let slots = slices_mut(&mut groups, &self.starts);
        for (slots, &length) in slots.into_iter().zip(&self.lengths) {
            slots[0] = TieGroup {
                above: 0,
                size: length,
                relevant: slots.len(),
            };
        }
        Self {
            groups,
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

    /// The slots of every list, one for each relevant candidate.
    fn lists(&self) -> impl Iterator<Item = &[TieGroup]> {
        let slots = |ends: &[i64]| &self.groups[ends[0] as usize..ends[1] as usize];
        self.starts.windows(2).map(slots)
    }

    /// A metric of every list. Like lists often follow one another, above all by chance: the last
    /// value is used again while it fits.
    fn per_list(&self, metric: impl Fn(&[TieGroup]) -> f64) -> Vec<f64> {
        let mut last: (&[TieGroup], f64) = (&[], 0.0);
        let value = |groups| {
            if groups != last.0 {
                last = (groups, metric(groups));
            }
            last.1
        };
        self.lists().map(value).collect()
    }

    /// The expected rank, from 1, of the best relevant candidate.
    pub fn rank(&self) -> Vec<f64> {
        self.per_list(|groups| groups[0].expected_rank())
    }

    /// How many candidates other than itself score as the best relevant one does.
    pub fn ties(&self) -> Vec<i64> {
        self.lists()
            .map(|groups| groups[0].size as i64 - 1)
            .collect()
    }

    /// The probability that one of the first `k` is relevant.
    pub fn success(&self, k: usize) -> Vec<f64> {
        self.per_list(|groups| groups[0].success(k))
    }

    /// One over the rank of the best relevant candidate.
    pub fn reciprocal_rank(&self) -> Vec<f64> {
        self.per_list(|groups| groups[0].reciprocal_rank())
    }

    /// Normalised discounted cumulative gain of the first `k`, gain 1 for the relevant.
    pub fn ndcg(&self, k: usize) -> Vec<f64> {
        self.per_list(|groups| ties::ndcg(groups, k))
    }

    /// The mean, over the relevant candidates, of the precision down to each.
    pub fn average_precision(&self) -> Vec<f64> {
        self.per_list(ties::average_precision)
    }

    /// Means over all lists, by name, and what random scores would get.
    pub fn summary(&self, top_k: &[usize]) -> Result<Summary> {
        if self.is_empty() {
            let message = "no lists to average over; expected at least one question";
            return Err(Error::Usage(message.into()));
        }
        if top_k.contains(&0) {
            return Err(Error::Usage("top-0 asked for; expected k from 1".into()));
        }
        let tied = self.ties().iter().filter(|&&ties| ties > 0).count();
        Ok(Summary {
            means: self.means(top_k),
            chance: self.by_chance().means(top_k),
            ties: tied as f64 / self.len() as f64,
            num_queries: self.len(),
        })
    }

    fn means(&self, top_k: &[usize]) -> Vec<(String, f64)> {
        let top = top_k
            .iter()
            .map(|&k| (format!("top{k}"), mean(&self.success(k))));
        let others = [
            ("mrr", self.reciprocal_rank()),
            ("ndcg10", self.ndcg(10)),
            ("mean_rank", self.rank()),
        ];
        let others = others.map(|(name, values)| (name.to_owned(), mean(&values)));
        top.chain(others).collect()
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
