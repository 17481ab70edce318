//! How codes lie in memory, and what the parts of a search hand to one another.

/// Running sums per score. Eight of them fill a vector register and are one fixed order of
/// addition, whatever the width of the machine's registers.
pub const LANES: usize = 8;
/// Rows that are scored in one register, one to a lane of 32 bits.
pub const GROUP_ROWS: usize = 16;
/// Code bytes of one vector that are multiplied and added up in a lane at once.
pub const STEP: usize = 4;
/// Queries that are scored together.
pub const PANEL: usize = 8;

/// The next codes of the rows of a group: [`STEP`] bytes of each in turn.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct GroupStep(pub [[u8; STEP]; GROUP_ROWS]);

impl GroupStep {
    pub const ZERO: Self = Self([[0; STEP]; GROUP_ROWS]);
}

/// The next codes of the queries of a panel.
pub type PanelStep = [[i8; STEP]; PANEL];

/// A pair that the integers cannot rule out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    pub query: usize,
    /// Within the tile.
    pub row: usize,
}
