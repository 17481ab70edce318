//! Without VNNI: products of bytes are added up in 16 bits, then in 32.

use std::arch::x86_64::*;

use super::super::codes::{GROUP_ROWS, GroupStep, PANEL, PanelStep};
use super::{Hit, push};

/// Lanes of 32 bits in a register.
const LANES: usize = 8;
const HALVES: usize = GROUP_ROWS / LANES;

/// Queries that are scored together: eight sums leave enough of the 16 registers to work in.
const QUERIES: usize = 4;

#[target_feature(enable = "avx2")]
pub fn scan(tile: &[GroupStep], panel: &[PanelStep], starts: &[i32; PANEL], hits: &mut Vec<Hit>) {
    for (group, steps) in tile.chunks_exact(panel.len()).enumerate() {
        for first in (0..PANEL).step_by(QUERIES) {
            scan_group(group, steps, panel, starts, first, hits);
        }
    }
}

#[expect(
    clippy::needless_range_loop,
    reason = "with iterators the sums go to memory"
)]
#[target_feature(enable = "avx2")]
fn scan_group(
    group: usize,
    steps: &[GroupStep],
    panel: &[PanelStep],
    starts: &[i32; PANEL],
    first_query: usize,
    hits: &mut Vec<Hit>,
) {
    let ones = _mm256_set1_epi16(1);
    let mut sums = [[_mm256_setzero_si256(); HALVES]; QUERIES];
    for query in 0..QUERIES {
        sums[query] = [_mm256_set1_epi32(starts[first_query + query]); HALVES];
    }
    for (step, queries) in steps.iter().zip(panel) {
        let rows = load(step);
        for query in 0..QUERIES {
            let codes = broadcast(queries, first_query + query);
            for half in 0..HALVES {
                // Codes of rows are at most 127, so that two products fit into 16 bits.
                let pairs = _mm256_maddubs_epi16(rows[half], codes);
                let fours = _mm256_madd_epi16(pairs, ones);
                sums[query][half] = _mm256_add_epi32(sums[query][half], fours);
            }
        }
    }

    let mut all = sums[0][0];
    for sums in sums {
        all = _mm256_and_si256(all, _mm256_and_si256(sums[0], sums[1]));
    }
    if negative(all) != 0xff {
        for query in 0..QUERIES {
            let rows = !(negative(sums[query][0]) | negative(sums[query][1]) << LANES);
            push(rows, first_query + query, group, hits);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn negative(sums: __m256i) -> u16 {
    _mm256_movemask_ps(_mm256_castsi256_ps(sums)) as u16
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(step: &GroupStep) -> [__m256i; HALVES] {
    let start: *const __m256i = (&raw const *step).cast();
    // SAFETY: a step is two halves of 32 bytes, on an address that is a multiple of 64.
    unsafe { [_mm256_load_si256(start), _mm256_load_si256(start.add(1))] }
}

#[inline]
#[target_feature(enable = "avx2")]
fn broadcast(queries: &PanelStep, query: usize) -> __m256i {
    let [a, b, c, d] = queries[query];
    _mm256_set1_epi32(i32::from_ne_bytes([a as u8, b as u8, c as u8, d as u8]))
}
