//! The kernel for AVX-512. With VNNI, one instruction multiplies 64 pairs of bytes and adds them up
//! in 16 lanes.

use std::arch::x86_64::*;

use super::super::layout::{GroupStep, PANEL, PanelStep};
use super::{Hit, Panel, push};

/// The number of groups that are scored together. With the queries of a panel they make 16
/// independent sums, which hide the latency of an addition.
const GROUPS: usize = 2;

#[expect(
    clippy::needless_range_loop,
    reason = "with iterators the sums go to memory"
)]
/// See [`super::scan`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vnni")]
pub fn scan(tile: &[GroupStep], panel: &Panel, hits: &mut Vec<Hit>) {
    let steps = panel.codes.len();
    for (pair, groups) in tile.chunks_exact(GROUPS * steps).enumerate() {
        let mut sums = [[_mm512_setzero_si512(); GROUPS]; PANEL];
        for lane in 0..PANEL {
            sums[lane] = [_mm512_set1_epi32(panel.starts[lane]); GROUPS];
        }
        let (first, second) = groups.split_at(steps);
        for ((first, second), queries) in first.iter().zip(second).zip(panel.codes) {
            let rows = [load(first), load(second)];
            for lane in 0..PANEL {
                let query = broadcast(queries, lane);
                for group in 0..GROUPS {
                    sums[lane][group] = _mm512_dpbusd_epi32(sums[lane][group], rows[group], query);
                }
            }
        }

        let mut all = sums[0][0];
        for sums in sums {
            all = _mm512_and_si512(all, _mm512_and_si512(sums[0], sums[1]));
        }
        if _mm512_movepi32_mask(all) != u16::MAX {
            for lane in 0..PANEL {
                for group in 0..GROUPS {
                    let rows = !_mm512_movepi32_mask(sums[lane][group]);
                    push(rows, panel.first_query + lane, GROUPS * pair + group, hits);
                }
            }
        }
    }
}

/// Loads the next codes of the rows of a group.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(step: &GroupStep) -> __m512i {
    // SAFETY: a step is 64 bytes, at an address that is a multiple of 64.
    unsafe { _mm512_load_si512((&raw const *step).cast()) }
}

/// Copies the next codes of a query to all lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(queries: &PanelStep, lane: usize) -> __m512i {
    let [a, b, c, d] = queries[lane];
    _mm512_set1_epi32(i32::from_ne_bytes([a as u8, b as u8, c as u8, d as u8]))
}
