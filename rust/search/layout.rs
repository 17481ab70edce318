//! The memory layout of codes, and the types that the parts of a search exchange.

/// The number of running sums per score. Eight of them fill a vector register, and fix the order of
/// the additions for registers of any width.
pub const LANES: usize = 8;
/// The number of rows that are scored in one register, each in a lane of 32 bits.
pub const GROUP_ROWS: usize = 16;
/// The number of codes of one vector that are multiplied and added in a lane at once.
pub const STEP: usize = 4;
/// The number of queries that are scored together.
pub const PANEL: usize = 8;

/// The next [`STEP`] codes of each row of a group.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct GroupStep(pub [[u8; STEP]; GROUP_ROWS]);

impl GroupStep {
    pub const ZERO: Self = Self([[0; STEP]; GROUP_ROWS]);
}

/// The next [`STEP`] codes of each query of a panel.
pub type PanelStep = [[i8; STEP]; PANEL];

/// A query and a row that the integer scores cannot rule out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    pub query: usize,
    /// The row's index within the tile.
    pub row: usize,
}
