//! Kendall's τ-b, computed by counting the inversions in a merge sort.

use crate::cancel::check;

/// Merging more scores than this takes some microseconds, and is preceded by a check.
const LONG: usize = 1 << 12;

/// Returns Kendall's τ-b between the order of `scores`, best first, and the order of their values.
/// Returns 0 if it is undefined: with fewer than two scores, or if all are equal.
pub fn kendall_tau(scores: &[f32]) -> f64 {
    check();
    let mut sorted = scores.to_vec();
    let discordant = sort_falling(&mut sorted, &mut Vec::with_capacity(scores.len()));
    let equal_runs = sorted.chunk_by(|a, b| a == b);
    let tied: u64 = equal_runs.map(|run| pairs(run.len())).sum();
    let all = pairs(scores.len());
    let untied = all - tied;
    if untied == 0 {
        return 0.0;
    }
    let concordant = untied - discordant;
    // The order of the scores has no ties, so one of the two factors under the root counts all
    // pairs.
    (concordant as f64 - discordant as f64) / (all as f64 * untied as f64).sqrt()
}

/// Returns the number of pairs of n items.
fn pairs(n: usize) -> u64 {
    let n = n as u64;
    n * n.saturating_sub(1) / 2
}

/// Sorts by falling value and returns the number of inversions.
fn sort_falling(scores: &mut [f32], merged: &mut Vec<f32>) -> u64 {
    if scores.len() < 2 {
        return 0;
    }
    if scores.len() > LONG {
        check();
    }
    let (left, right) = scores.split_at_mut(scores.len() / 2);
    let mut inversions = sort_falling(left, merged) + sort_falling(right, merged);
    merged.clear();
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if left[i] < right[j] {
            inversions += (left.len() - i) as u64;
            merged.push(right[j]);
            j += 1;
        } else {
            merged.push(left[i]);
            i += 1;
        }
    }
    merged.extend_from_slice(&left[i..]);
    merged.extend_from_slice(&right[j..]);
    scores.copy_from_slice(merged);
    inversions
}
