//! Selects the hard negatives of each question from the rows nearest to it.
//!
//! A search has found the rows with the largest scores for each question. Rows that are positives
//! of the question, or have the same text as one, are removed. The others keep their order and are
//! numbered from 0, by *raw rank*. A window of raw ranks is considered. Rows too close to the
//! positives or outside the range of scores are left out, and of the rest the first ones are taken,
//! or a random draw with a seed.

use std::ops::Range;

use rayon::prelude::*;

use crate::cancel;
use crate::error::{Error, Result};
use crate::negatives;

/// The number of questions of a parallel work item: one takes a few microseconds.
const QUESTIONS_PER_JOB: usize = 256;

/// The rules of the selection.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The largest number of negatives of a question.
    pub negatives: usize,
    /// The range of raw ranks that are considered.
    pub window: Range<usize>,
    /// A negative's score must be at least this much below that of every positive.
    pub absolute_margin: Option<f32>,
    /// The same margin as a share of the positive's score, or of its absolute value if it is
    /// negative.
    pub relative_margin: Option<f32>,
    pub max_score: Option<f32>,
    pub min_score: Option<f32>,
    pub sampling: Sampling,
}

/// How negatives are taken from the eligible rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// The rows with the largest scores.
    Top,
    /// A random draw that depends only on this seed and the question's key.
    Random { seed: u64 },
}

/// The result of a search: the same number of rows for each question, best first, with their
/// scores.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    pub rows: &'a [i64],
    pub scores: &'a [f32],
}

/// The positives of each question, in CSR form. Those of question `i` are
/// `rows[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Copy)]
pub struct Positives<'a> {
    pub rows: &'a [i64],
    pub scores: &'a [f32],
    pub offsets: &'a [i64],
}

/// The selected negatives, in CSR form. Those of question `i` are `rows[offsets[i]..offsets[i +
/// 1]]`, by falling score.
#[derive(Debug, Default, PartialEq)]
pub struct Mined {
    pub rows: Vec<i64>,
    pub scores: Vec<f32>,
    pub offsets: Vec<i64>,
}

/// Selects each question's negatives.
///
/// `keys` are the questions' ids, for the random draw. Rows with the same number in `groups` have
/// the same text; without `groups` all texts differ.
///
/// # Errors
/// The arrays do not fit each other, or a row has no group.
pub fn select(
    found: Found,
    positives: Positives,
    groups: Option<&[i64]>,
    keys: &[&str],
    rules: &Rules,
) -> Result<Mined> {
    check(found, positives, groups, keys)?;
    let width = found.rows.len() / keys.len().max(1);
    let numbers: Vec<usize> = (0..keys.len()).collect();
    let jobs: Vec<Mined> = numbers
        .par_chunks(QUESTIONS_PER_JOB)
        .map(|numbers| {
            let mut mined = Mined::default();
            for &i in numbers {
                cancel::check();
                let nearest = i * width..(i + 1) * width;
                let own = positives.offsets[i] as usize..positives.offsets[i + 1] as usize;
                let question = Question {
                    nearest: &found.rows[nearest.clone()],
                    scores: &found.scores[nearest],
                    positives: &positives.rows[own.clone()],
                    positive_scores: &positives.scores[own],
                    key: keys[i],
                };
                question.select(groups, rules, &mut mined);
            }
            mined
        })
        .collect();
    let mut all = Mined::default();
    all.offsets.push(0);
    for job in jobs {
        let start = all.rows.len() as i64;
        cancel::check();
        all.rows.extend(job.rows);
        all.scores.extend(job.scores);
        all.offsets
            .extend(job.offsets.iter().map(|end| start + end));
    }
    Ok(all)
}

/// A question with its nearest rows and its positives.
struct Question<'a> {
    nearest: &'a [i64],
    scores: &'a [f32],
    positives: &'a [i64],
    positive_scores: &'a [f32],
    key: &'a str,
}

impl Question<'_> {
    /// Appends the question's negatives to `out`.
    fn select(&self, groups: Option<&[i64]>, rules: &Rules, out: &mut Mined) {
        let group = |row: i64| groups.map_or(row, |groups| groups[row as usize]);
        let is_positive = |row: i64| self.positives.iter().any(|&p| group(p) == group(row));
        let lowest = self.positive_scores.iter().copied().reduce(f32::min);
        let window = &rules.window;
        let eligible = (self.nearest.iter().zip(self.scores))
            .filter(|&(&row, _)| !is_positive(row))
            .skip(window.start)
            .take(window.len())
            .filter(|&(_, &score)| rules.allow(score, lowest));
        match rules.sampling {
            Sampling::Top => eligible
                .take(rules.negatives)
                .for_each(|(&row, &score)| out.push(row, score)),
            Sampling::Random { seed } => {
                let eligible: Vec<_> = eligible.collect();
                let count = rules.negatives.min(eligible.len());
                let mut places = Vec::with_capacity(count);
                let drawn =
                    negatives::draw(seed, self.key, count, eligible.len(), &[], &mut places);
                debug_assert!(drawn.is_ok(), "no more are drawn than there are");
                places.sort_unstable();
                for place in places {
                    let (&row, &score) = eligible[place as usize];
                    out.push(row, score);
                }
            }
        }
        out.offsets.push(out.rows.len() as i64);
    }
}

impl Rules {
    /// Tells whether a row with this score may be a negative.
    fn allow(&self, score: f32, lowest_positive: Option<f32>) -> bool {
        let below_margins = lowest_positive.is_none_or(|positive| {
            let relative = |share: f32| {
                let factor = if positive < 0.0 {
                    1.0 + share
                } else {
                    1.0 - share
                };
                positive * factor
            };
            self.absolute_margin
                .is_none_or(|margin| score + margin <= positive)
                && self
                    .relative_margin
                    .is_none_or(|share| score <= relative(share))
        });
        below_margins
            && self.max_score.is_none_or(|most| score <= most)
            && self.min_score.is_none_or(|least| score >= least)
    }
}

impl Mined {
    /// Appends a negative of the current question.
    fn push(&mut self, row: i64, score: f32) {
        self.rows.push(row);
        self.scores.push(score);
    }
}

/// Fails if the arrays do not fit each other, or a row has no group.
fn check(found: Found, positives: Positives, groups: Option<&[i64]>, keys: &[&str]) -> Result<()> {
    let wrong = |what: &str| Err(Error::Usage(what.to_owned()));
    let questions = keys.len();
    if found.rows.len() != found.scores.len() || !found.rows.len().is_multiple_of(questions.max(1))
    {
        return wrong("the rows found are not as many for each question, a score to each");
    }
    let Positives {
        rows,
        scores,
        offsets,
    } = positives;
    let cut_up = offsets.len() == questions + 1
        && offsets.first() == Some(&0)
        && offsets.is_sorted()
        && offsets.last() == Some(&(rows.len() as i64));
    if !cut_up || rows.len() != scores.len() {
        return wrong("the offsets do not cut up the positives, or a positive has no score");
    }
    if let Some(groups) = groups {
        let known = 0..groups.len() as i64;
        if let Some(row) = rows
            .iter()
            .chain(found.rows)
            .find(|row| !known.contains(row))
        {
            return Err(Error::Usage(format!(
                "row {row} has no group; expected a group for each row of the corpus, {} are given",
                groups.len()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        negatives: 2,
        window: 0..10,
        absolute_margin: None,
        relative_margin: None,
        max_score: None,
        min_score: None,
        sampling: Sampling::Top,
    };

    fn select_for_one(rules: &Rules, groups: Option<&[i64]>) -> Vec<i64> {
        let found = Found {
            rows: &[4, 0, 2, 1, 3],
            scores: &[0.9, 0.8, 0.7, 0.5, -0.1],
        };
        let positives = Positives {
            rows: &[0],
            scores: &[0.8],
            offsets: &[0, 1],
        };
        select(found, positives, groups, &["q"], rules)
            .unwrap()
            .rows
    }

    #[test]
    fn positives_and_their_duplicates_are_not_negatives() {
        assert_eq!(select_for_one(&RULES, None), [4, 2]);
        assert_eq!(select_for_one(&RULES, Some(&[7, 1, 7, 3, 4])), [4, 1]);
    }

    #[test]
    fn the_window_counts_raw_ranks_without_positives() {
        let second_on = Rules {
            window: 1..3,
            ..RULES
        };
        assert_eq!(select_for_one(&second_on, None), [2, 1]);
        let filtered = Rules {
            max_score: Some(0.6),
            ..second_on
        };
        assert_eq!(select_for_one(&filtered, None), [1]);
    }

    #[test]
    fn a_margin_keeps_probable_false_negatives_out() {
        let absolute = Rules {
            absolute_margin: Some(0.2),
            ..RULES
        };
        assert_eq!(select_for_one(&absolute, None), [1, 3]);
        let relative = Rules {
            relative_margin: Some(0.1),
            ..RULES
        };
        assert_eq!(select_for_one(&relative, None), [2, 1]);
    }

    #[test]
    fn a_relative_margin_lowers_a_negative_score() {
        let rules = Rules {
            relative_margin: Some(0.5),
            ..RULES
        };
        assert!(rules.allow(-0.3, Some(-0.2)));
        assert!(!rules.allow(-0.25, Some(-0.2)));
    }

    #[test]
    fn a_draw_comes_from_the_window_and_stays_in_order() {
        let random = Rules {
            sampling: Sampling::Random { seed: 3 },
            ..RULES
        };
        let drawn = select_for_one(&random, None);
        assert_eq!(drawn.len(), 2);
        let order = [4, 2, 1, 3];
        let places: Vec<_> = drawn
            .iter()
            .map(|row| order.iter().position(|o| o == row))
            .collect();
        assert!(places.is_sorted() && !places.contains(&None));
        assert_eq!(drawn, select_for_one(&random, None));
    }
}
