//! Kendall's τ-b, by counting the inversions of a merge sort.

use crate::cancel::check;

/// A merge of more scores than this takes some microseconds.
const LONG: usize = 1 << 12;

/// Kendall's τ-b between the order in which `scores` stand, best first, and the order of their
/// values. 0 where it is undefined: fewer than two scores, or all of them equal.
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
    // No two places are tied, so one of the two factors under the root is all the pairs.
    (concordant as f64 - discordant as f64) / (all as f64 * untied as f64).sqrt()
}

fn pairs(n: usize) -> u64 {
    let n = n as u64;
    n * n.saturating_sub(1) / 2
}

/// Sorts by falling value and returns how many pairs stood the wrong way round.
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
