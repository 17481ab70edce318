//! Draws random negatives with a seed: n distinct chunks for each question, uniformly and without
//! replacement.
//!
//! A draw depends only on the seed and the question's id, so threads, shards and the order of
//! questions cannot change it. It is a partial Fisher–Yates shuffle of the chunks that are not
//! ground truths. The shuffled array is never made; only the places that swaps have touched are
//! remembered, so drawing 20 of a million chunks takes 20 steps.

use std::borrow::Cow;
use std::fmt;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::cancel::check;
use crate::error::{Error, Result, quoted};
use crate::memory;
use crate::mix::mix;

/// The number of questions of a parallel work item: one takes a fraction of a microsecond.
const QUESTIONS_PER_JOB: usize = 1024;

/// The error that more negatives were asked for than there are chunks to draw from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFew {
    pub wanted: usize,
    pub available: usize,
}

impl fmt::Display for TooFew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, available } = self;
        write!(
            f,
            "{wanted} negatives asked for, but only {available} chunks are neither a ground truth of \
             the question nor the same text as one; ask for fewer negatives or give more chunks"
        )
    }
}

impl std::error::Error for TooFew {}

/// Appends to `out` `n` distinct chunk indices below `total` that are not in `excluded`.
///
/// `excluded` may be in any order and hold duplicates; indices of no chunk are ignored. If there
/// are too few chunks, `out` stays as it was.
pub fn draw(
    seed: u64,
    qa_id: &str,
    n: usize,
    total: usize,
    excluded: &[i64],
    out: &mut Vec<i64>,
) -> Result<(), TooFew> {
    let start = out.len();
    // Checked before memory is allocated, because `n` may be absurdly large.
    if n <= total {
        memory::reserve(out, n);
        out.resize(start + n, 0);
        let drawn = draw_into(seed, qa_id, total, excluded, &mut out[start..]);
        return drawn.inspect_err(|_| out.truncate(start));
    }
    Err(TooFew {
        wanted: n,
        available: total - within_corpus(&ascending(excluded), total).len(),
    })
}

/// Like [`draw`], but fills `drawn`.
fn draw_into(
    seed: u64,
    qa_id: &str,
    total: usize,
    excluded: &[i64],
    drawn: &mut [i64],
) -> Result<(), TooFew> {
    let excluded = ascending(excluded);
    let excluded = within_corpus(&excluded, total);
    let available = total - excluded.len();
    if drawn.len() > available {
        return Err(TooFew {
            wanted: drawn.len(),
            available,
        });
    }
    let mut random = SplitMix64::keyed(seed, qa_id);
    for (i, place) in (0..).zip(&mut *drawn) {
        *place = (i + random.below(available as u64 - i)) as i64;
    }
    if needs_swaps(drawn) {
        swap_in_turn(drawn);
    }
    if !excluded.is_empty() {
        drawn
            .iter_mut()
            .for_each(|index| *index = nth_allowed(*index, excluded));
    }
    Ok(())
}

/// Like [`draw`], for many questions in parallel: returns `n` indices for each question, one
/// question after another.
///
/// Question `i` does not draw `excluded[offsets[i]..offsets[i + 1]]`.
pub fn draw_all(
    seed: u64,
    qa_ids: &[&str],
    n: usize,
    total: usize,
    excluded: &[i64],
    offsets: &[i64],
) -> Result<Vec<i64>> {
    let rising = offsets.first() == Some(&0) && offsets.is_sorted();
    if !rising
        || offsets.len() != qa_ids.len() + 1
        || offsets.last() != Some(&(excluded.len() as i64))
    {
        return Err(Error::Usage(format!(
            "the offsets do not cut up the excluded chunks; expected {} rising numbers from 0 to {}",
            qa_ids.len() + 1,
            excluded.len()
        )));
    }
    if i64::try_from(total).is_err() {
        return Err(Error::Usage(format!(
            "total is {total}; expected less than 2**63"
        )));
    }
    // Checked before memory is allocated, because `n` may be absurdly large.
    if n > total {
        let wanted = n;
        let available = total;
        return Err(Error::Usage(TooFew { wanted, available }.to_string()));
    }
    let mut drawn = memory::zeros("the negatives", qa_ids.len().saturating_mul(n))?;
    let jobs: Vec<Result<()>> = drawn
        .par_chunks_mut(n.saturating_mul(QUESTIONS_PER_JOB).max(1))
        .zip(qa_ids.par_chunks(QUESTIONS_PER_JOB))
        .enumerate()
        .map(|(job, (out, qa_ids))| {
            for (place, qa_id) in qa_ids.iter().enumerate() {
                check();
                let i = job * QUESTIONS_PER_JOB + place;
                let excluded = &excluded[offsets[i] as usize..offsets[i + 1] as usize];
                draw_into(seed, qa_id, total, excluded, &mut out[place * n..][..n])
                    .map_err(|few| Error::Usage(format!("question {}: {few}", quoted(qa_id))))?;
            }
            Ok(())
        })
        .collect();
    // All jobs are collected first, so that the error returned is the first in order.
    jobs.into_iter().collect::<Result<()>>()?;
    Ok(drawn)
}

/// Returns those of `excluded`, which must ascend, that are indices of chunks.
fn within_corpus(excluded: &[i64], total: usize) -> &[i64] {
    let first = excluded.partition_point(|&chunk| chunk < 0);
    let end = excluded.partition_point(|&chunk| chunk < total as i64);
    &excluded[first..end]
}

/// Returns the indices sorted and without duplicates.
fn ascending(indices: &[i64]) -> Cow<'_, [i64]> {
    if indices.is_sorted_by(|a, b| a < b) {
        return Cow::Borrowed(indices);
    }
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    Cow::Owned(sorted)
}

/// Returns the `index`-th chunk of those not in `excluded`, which must ascend.
fn nth_allowed(index: i64, excluded: &[i64]) -> i64 {
    let step_over = |chunk, &barred| chunk + i64::from(chunk >= barred);
    excluded.iter().fold(index, step_over)
}

/// Tells whether swapping place i with place `places[i]`, for each i in turn, may touch a place
/// twice. If it cannot, each swap fetches the number `places[i]` itself.
fn needs_swaps(places: &[i64]) -> bool {
    // There is a bit for each remainder modulo 4,096. These are few enough to clear for every
    // question, and enough that two places of a question seldom have the same remainder.
    let mut seen = [0u64; 64];
    places.iter().any(|&place| {
        let bit = place as u64 % 4096;
        let word = &mut seen[bit as usize / 64];
        let clash = place < places.len() as i64 || *word >> (bit % 64) & 1 == 1;
        *word |= 1 << (bit % 64);
        clash
    })
}

/// Swaps place i of the array `0, 1, 2, …` with place `places[i]`, for each i in turn, and writes
/// to `places[i]` the number that came to place i. Place i is not read again, so only the numbers
/// that were moved away from it must be remembered.
fn swap_in_turn(places: &mut [i64]) {
    let mut moved: FxHashMap<i64, i64> = FxHashMap::default();
    for (i, place) in (0..).zip(places) {
        let displaced = moved.get(&i).copied().unwrap_or(i);
        *place = moved.insert(*place, displaced).unwrap_or(*place);
    }
}

/// The generator SplitMix64 (Steele, Lea and Flood): one addition and one mix for each number.
/// Every state is valid.
struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The step of the state.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// Makes a generator for a pair of seed and id. Its state is the FNV-1a hash of the bytes of
    /// both, mixed once so that similar ids start far apart.
    fn keyed(seed: u64, id: &str) -> Self {
        let seed = seed.to_le_bytes();
        let hash = seed
            .iter()
            .chain(id.as_bytes())
            .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        Self { state: mix(hash) }
    }

    /// Returns the next number.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(Self::STEP);
        mix(self.state)
    }

    /// Returns a uniform number below `bound`, by Lemire's multiplication. The rare products that
    /// would favour some numbers are rejected.
    fn below(&mut self, bound: u64) -> u64 {
        let mut product = u128::from(self.next()) * u128::from(bound);
        if (product as u64) < bound {
            let uneven = bound.wrapping_neg() % bound;
            while (product as u64) < uneven {
                product = u128::from(self.next()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, id: &str, n: usize, total: usize, excluded: &[i64]) -> Vec<i64> {
        let mut out = Vec::new();
        draw(seed, id, n, total, excluded, &mut out).expect("enough chunks");
        out
    }

    #[test]
    fn all_of_the_allowed_chunks_come_once() {
        for n in [5, 200] {
            let mut all = drawn(7, "q", n, n + 2, &[3, 0, 3, 999]);
            all.sort_unstable();
            let expected: Vec<i64> = (0..n as i64 + 2).filter(|&c| c != 0 && c != 3).collect();
            assert_eq!(all, expected);
        }
    }

    #[test]
    fn swaps_are_skipped_only_where_they_change_nothing() {
        for places in [
            [3, 4, 5],
            [3, 9, 4099],
            [3, 7, 3],
            [0, 1, 2],
            [2, 2, 2],
            [5, 5, 2],
        ] {
            let mut array: Vec<i64> = (0..5000).collect();
            for (i, &place) in places.iter().enumerate() {
                array.swap(i, place as usize);
            }
            let mut swapped = places;
            swap_in_turn(&mut swapped);
            assert_eq!(swapped, array[..3]);
            assert!(needs_swaps(&places) || swapped == places);
        }
        assert!(!needs_swaps(&[3, 4, 5]));
    }

    #[test]
    fn seed_and_id_both_matter() {
        let base = drawn(0, "q1", 10, 1000, &[]);
        assert_eq!(base, drawn(0, "q1", 10, 1000, &[]));
        assert_ne!(base, drawn(1, "q1", 10, 1000, &[]));
        assert_ne!(base, drawn(0, "q2", 10, 1000, &[]));
    }

    #[test]
    fn many_questions_draw_the_same_as_each_alone() {
        let ids: Vec<String> = (0..3000).map(|i| format!("q{i}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let counts: Vec<usize> = (0..ids.len()).map(|i| i % 3).collect();
        let mut offsets = vec![0];
        let mut excluded = Vec::new();
        let mut apart = Vec::new();
        for (id, count) in ids.iter().zip(counts) {
            draw(3, id, 4, 50, &[1, 5][..count], &mut apart).expect("enough chunks");
            excluded.extend_from_slice(&[1, 5][..count]);
            offsets.push(excluded.len() as i64);
        }
        let together = |n, total| draw_all(3, &ids, n, total, &excluded, &offsets);
        assert_eq!(together(4, 50).expect("enough chunks"), apart);
        assert!(together(0, 50).expect("enough chunks").is_empty());
        let message = together(5, 6).expect_err("too few").to_string();
        assert!(message.starts_with("question \"q2\": 5 negatives asked for, but only 4"));
        assert!(together(usize::MAX, 6).is_err());
        assert!(draw_all(3, &ids, 4, 50, &excluded, &offsets[1..]).is_err());
    }

    #[test]
    fn too_few_chunks_leave_the_output_alone() {
        let mut out = vec![42];
        let refused = draw(0, "q", 3, 4, &[1, 2], &mut out);
        assert_eq!(
            refused,
            Err(TooFew {
                wanted: 3,
                available: 2
            })
        );
        assert_eq!(out, [42]);
    }

    #[test]
    fn every_chunk_is_as_likely() {
        let mut counts = [0u32; 10];
        for question in 0..20_000 {
            for chunk in drawn(0, &question.to_string(), 3, 10, &[4]) {
                counts[chunk as usize] += 1;
            }
        }
        assert_eq!(counts[4], 0);
        let expected = 60_000.0 / 9.0;
        let chi2: f64 = counts
            .iter()
            .enumerate()
            .filter(|&(chunk, _)| chunk != 4)
            .map(|(_, &c)| (f64::from(c) - expected).powi(2) / expected)
            .sum();
        assert!(chi2 < 26.1, "chi-squared {chi2} with 8 degrees of freedom");
    }
}
