//! The kernel for AVX2. Without VNNI, products of bytes are added up in 16 bits and then in 32.

use std::arch::x86_64::*;

use super::super::layout::{GROUP_ROWS, GroupStep, PANEL, PanelStep};
use super::{Hit, Panel, push};

/// The number of rows in a register, each in a lane of 32 bits.
const HALF_ROWS: usize = 8;
const HALVES: usize = GROUP_ROWS / HALF_ROWS;

/// The number of queries that are scored together: their eight sums leave enough of the 16
/// registers for the work.
const QUERIES: usize = 4;

/// See [`super::scan`].
#[target_feature(enable = "avx2")]
pub fn scan(tile: &[GroupStep], panel: &Panel, hits: &mut Vec<Hit>) {
    for (group, steps) in tile.chunks_exact(panel.codes.len()).enumerate() {
        for first_lane in (0..PANEL).step_by(QUERIES) {
            scan_group(group, steps, panel, first_lane, hits);
        }
    }
}

#[expect(
    clippy::needless_range_loop,
    reason = "with iterators the sums go to memory"
)]
/// Scores one group against some queries of a panel.
#[target_feature(enable = "avx2")]
fn scan_group(
    group: usize,
    steps: &[GroupStep],
    panel: &Panel,
    first_lane: usize,
    hits: &mut Vec<Hit>,
) {
    let ones = _mm256_set1_epi16(1);
    let mut sums = [[_mm256_setzero_si256(); HALVES]; QUERIES];
    for lane in 0..QUERIES {
        sums[lane] = [_mm256_set1_epi32(panel.starts[first_lane + lane]); HALVES];
    }
    for (step, queries) in steps.iter().zip(panel.codes) {
        let rows = load(step);
        for lane in 0..QUERIES {
            let query = broadcast(queries, first_lane + lane);
            for half in 0..HALVES {
                // The codes of rows are at most 127, so two products fit into 16 bits.
                let pairs = _mm256_maddubs_epi16(rows[half], query);
                let fours = _mm256_madd_epi16(pairs, ones);
                sums[lane][half] = _mm256_add_epi32(sums[lane][half], fours);
            }
        }
    }

    let mut all = sums[0][0];
    for sums in sums {
        all = _mm256_and_si256(all, _mm256_and_si256(sums[0], sums[1]));
    }
    if negative(all) != 0xff {
        for lane in 0..QUERIES {
            let rows = !(negative(sums[lane][0]) | negative(sums[lane][1]) << HALF_ROWS);
            push(rows, panel.first_query + first_lane + lane, group, hits);
        }
    }
}

/// Returns a bit for each sum that is negative.
#[inline]
#[target_feature(enable = "avx2")]
fn negative(sums: __m256i) -> u16 {
    _mm256_movemask_ps(_mm256_castsi256_ps(sums)) as u16
}

/// Loads the next codes of the rows of a group.
#[inline]
#[target_feature(enable = "avx2")]
fn load(step: &GroupStep) -> [__m256i; HALVES] {
    let start: *const __m256i = (&raw const *step).cast();
    // SAFETY: a step is two halves of 32 bytes, at an address that is a multiple of 64.
    unsafe { [_mm256_load_si256(start), _mm256_load_si256(start.add(1))] }
}

/// Copies the next codes of a query to all lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn broadcast(queries: &PanelStep, lane: usize) -> __m256i {
    let [a, b, c, d] = queries[lane];
    _mm256_set1_epi32(i32::from_ne_bytes([a as u8, b as u8, c as u8, d as u8]))
}
