//! Sums of products of codes, a tile of rows against a panel of queries.
//!
//! All kernels compute the same integers; this file has the obvious one, which the others are
//! tested against, and it is what runs where there are no vector instructions to choose from.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use super::isa::{Isa, Level};
use super::layout::{GROUP_ROWS, GroupStep, Hit, PANEL, PanelStep, STEP};

/// Some queries at a time.
pub struct Panel<'a> {
    pub codes: &'a [PanelStep],
    /// What the sum of products of each starts from.
    pub starts: [i32; PANEL],
    /// The number of the first query.
    pub first_query: usize,
}

/// Appends all pairs whose sum of products, from the query's start, is not negative.
///
/// `tile` is an even number of groups, of as many steps as the panel has. The order of the hits is
/// no promise.
pub fn scan(isa: Isa, tile: &[GroupStep], panel: &Panel, hits: &mut Vec<Hit>) {
    match isa.level() {
        Level::Portable => portable(tile, panel, hits),
        // SAFETY: the machine has the instructions, or there would be no such `Isa`.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2::scan(tile, panel, hits) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { avx512::scan(tile, panel, hits) },
    }
}

fn portable(tile: &[GroupStep], panel: &Panel, hits: &mut Vec<Hit>) {
    for (group, steps) in tile.chunks_exact(panel.codes.len()).enumerate() {
        for lane in 0..PANEL {
            let mut sums = [panel.starts[lane]; GROUP_ROWS];
            for (rows, queries) in steps.iter().zip(panel.codes) {
                for (sum, row) in sums.iter_mut().zip(rows.0) {
                    for byte in 0..STEP {
                        *sum += i32::from(row[byte]) * i32::from(queries[lane][byte]);
                    }
                }
            }
            let rows = (0..GROUP_ROWS).filter(|&row| sums[row] >= 0);
            hits.extend(rows.map(|row| Hit {
                query: panel.first_query + lane,
                row: group * GROUP_ROWS + row,
            }));
        }
    }
}

/// Appends the rows of a group whose bit is set.
fn push(mut rows: u16, query: usize, group: usize, hits: &mut Vec<Hit>) {
    while rows != 0 {
        let row = group * GROUP_ROWS + rows.trailing_zeros() as usize;
        hits.push(Hit { query, row });
        rows &= rows - 1;
    }
}
