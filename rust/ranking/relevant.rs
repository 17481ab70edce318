//! The relevant candidates of lists, and their gains.

use std::borrow::Cow;
use std::ops::Range;

use super::lists::{Lists, check_length, slices_mut};
use crate::cancel::{check, sort_unstable_by};
use crate::error::{Error, Result};
use crate::memory::with_capacity;

/// How a caller says which candidates are relevant.
#[derive(Clone, Copy)]
pub enum Relevant<'a> {
    /// The first candidates of every list, the same number in each; each has a gain of 1.
    Same(i64),
    /// The first candidates of every list, a number for each list; each has a gain of 1.
    Each(&'a [i64]),
    /// A gain for every candidate of every list; those with a gain above 0 are relevant.
    Gains(&'a [f64]),
}

impl<'a> Relevant<'a> {
    /// Returns the CSR offsets of the relevant candidates of each list.
    ///
    /// # Errors
    /// A list has no relevant candidate or more of them than candidates, or a gain is negative or
    /// not finite.
    pub(super) fn starts(self, lists: Lists) -> Result<Vec<i64>> {
        match self {
            Self::Each(counts) => check_length("num_relevant", counts.len(), lists.len(), "lists")?,
            Self::Gains(gains) => check_gains(gains, lists)?,
            Self::Same(_) => {}
        }
        let mut starts = with_capacity(lists.len() + 1);
        let mut total = 0;
        starts.push(total);
        for list in 0..lists.len() {
            check();
            let places = lists.places(list);
            let count = match self {
                Self::Same(count) => count,
                Self::Each(counts) => counts[list],
                Self::Gains(gains) => {
                    gains[places.clone()].iter().filter(|&&g| g > 0.0).count() as i64
                }
            };
            if count < 1 || count > places.len() as i64 {
                return Err(Error::Usage(format!(
                    "list {list} has {} candidates, {count} of them relevant; expected at least \
                     one relevant and no more than there are",
                    places.len()
                )));
            }
            total += count;
            starts.push(total);
        }
        Ok(starts)
    }

    /// Yields the indices and gains of a list's relevant candidates; `count` is their number.
    pub(super) fn of(
        self,
        lists: Lists<'_>,
        list: usize,
        count: usize,
    ) -> impl Iterator<Item = (usize, f64)> + use<'a> {
        let (head, gains) = match self {
            Self::Same(_) | Self::Each(_) => (count, &[][..]),
            Self::Gains(gains) => (0, &gains[lists.places(list)]),
        };
        let graded = gains.iter().copied().enumerate();
        (0..head)
            .map(|i| (i, 1.0))
            .chain(graded.filter(|&(_, gain)| gain > 0.0))
    }

    /// Returns the gains of the relevant candidates of each list in falling order, which is the
    /// order of the ideal ranking. Returns nothing if all are 1.
    pub(super) fn ideal(self, starts: &[i64]) -> Vec<f64> {
        let Self::Gains(gains) = self else {
            return Vec::new();
        };
        let relevant = gains.iter().copied().filter(|&gain| gain > 0.0);
        ideal_order(relevant.collect(), starts)
    }
}

/// Sorts the gains of each list's relevant candidates in falling order.
pub(super) fn ideal_order(mut gains: Vec<f64>, starts: &[i64]) -> Vec<f64> {
    for gains in slices_mut(&mut gains, starts) {
        check();
        sort_unstable_by(gains, |a, b| b.total_cmp(a));
    }
    gains
}

/// Checks and scales the gains of relevant candidates, list after list. Fails if one is not a
/// finite number above 0.
pub(super) fn checked_and_scaled<'a>(gains: &'a [f64], starts: &[i64]) -> Result<Cow<'a, [f64]>> {
    let count = *starts.last().unwrap_or(&0) as usize;
    check_length("gains", gains.len(), count, "relevant candidates")?;
    if let Some(wrong) = gains
        .iter()
        .find(|gain| !(gain.is_finite() && **gain > 0.0))
    {
        return Err(Error::Usage(format!(
            "the gain of a relevant candidate is {wrong}; expected a finite number above 0"
        )));
    }
    let places = starts
        .windows(2)
        .map(|ends| ends[0] as usize..ends[1] as usize);
    Ok(scaled(gains, places))
}

/// Multiplies the gains of lists whose sums would overflow or underflow by a power of two. The
/// metrics are ratios of sums, so they do not change.
pub(super) fn scaled(
    gains: &[f64],
    places: impl Iterator<Item = Range<usize>> + Clone,
) -> Cow<'_, [f64]> {
    let extreme = |largest: f64| largest > MODERATE || largest < 1.0 / MODERATE && largest > 0.0;
    let largest = |gains: &[f64]| {
        check();
        gains.iter().copied().fold(0.0, f64::max)
    };
    if !places.clone().any(|at| extreme(largest(&gains[at]))) {
        return Cow::Borrowed(gains);
    }
    let mut scaled = with_capacity(gains.len());
    scaled.extend_from_slice(gains);
    for at in places {
        let gains = &mut scaled[at];
        let largest = largest(gains);
        if extreme(largest) {
            let factor = if largest > 1.0 { 1.0 / FACTOR } else { FACTOR };
            // A relevant candidate stays relevant: its gain never becomes 0.
            let scale = |gain: f64| (gain * factor).max(f64::MIN_POSITIVE);
            gains
                .iter_mut()
                .filter(|gain| **gain > 0.0)
                .for_each(|gain| *gain = scale(*gain));
        }
    }
    Cow::Owned(scaled)
}

/// A billion gains of this size can be summed, and the reciprocal of one keeps all its digits.
const MODERATE: f64 = 1e200;
/// The power of two that extreme gains are scaled by, 2 to the 600th.
const FACTOR: f64 = f64::from_bits((1023 + 600) << 52);

/// Fails if there is not one finite gain of 0 or more for each score.
fn check_gains(gains: &[f64], lists: Lists) -> Result<()> {
    check_length("relevance", gains.len(), lists.num_scores(), "scores")?;
    let wrong = |gain: &f64| !(gain.is_finite() && *gain >= 0.0);
    let Some(at) = gains.iter().position(wrong) else {
        return Ok(());
    };
    let (list, place) = lists.place_of(at);
    Err(Error::Usage(format!(
        "the relevance of score {place} of list {list} is {}; expected a finite number from 0",
        gains[at]
    )))
}
