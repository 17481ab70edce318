//! Computes the integer scores of a tile of rows and a panel of queries.
//!
//! All kernels compute the same integers. This file has the obvious kernel. The others are tested
//! against it, and it runs on machines without the vector instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use super::isa::{Isa, Level};
use super::layout::{GROUP_ROWS, GroupStep, Hit, PANEL, PanelStep, STEP};

/// The queries that are scored together.
pub struct Panel<'a> {
    pub codes: &'a [PanelStep],
    /// The start value of each query's sums of products.
    pub starts: [i32; PANEL],
    /// The number of the panel's first query.
    pub first_query: usize,
}

/// Appends all pairs of a query and a row whose sum of products, from the start value, is not
/// negative.
///
/// `tile` must be an even number of groups with as many steps as the panel has. The order of the
/// hits is not defined.
pub fn scan(isa: Isa, tile: &[GroupStep], panel: &Panel, hits: &mut Vec<Hit>) {
    match isa.level() {
        Level::Portable => portable(tile, panel, hits),
        // SAFETY: an `Isa` exists only if the machine has its instructions.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2::scan(tile, panel, hits) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { avx512::scan(tile, panel, hits) },
    }
}

/// The obvious kernel, for any machine.
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

/// Appends a hit for each row of a group whose bit is set.
fn push(mut rows: u16, query: usize, group: usize, hits: &mut Vec<Hit>) {
    while rows != 0 {
        let row = group * GROUP_ROWS + rows.trailing_zeros() as usize;
        hits.push(Hit { query, row });
        rows &= rows - 1;
    }
}
