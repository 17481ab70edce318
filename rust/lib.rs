//! The core of `stage2`: everything that is bytes, ids, offsets and ranks.
//!
//! ```text
//! files ──jsonl──▶ corpus ──join──▶ entity spans
//!                    │
//!                    └──negatives──▶ samples ──(Python: vectors)──▶ search, ranking
//! ```
//!
//! * [`error`]: one error enum; file, line, column, what was expected
//! * [`pool`], [`cancel`]: threads that survive a fork; work that can be told to stop
//! * [`jsonl`]: bytes to records, in parallel by line ranges
//! * [`corpus`]: columns of text and ids; look-up by id; rejected rows
//! * [`join`]: annotation ↔ text
//! * [`same_text`]: what it is for two texts to be the same
//! * [`negatives`]: seeded sampling
//! * [`samples`]: questions with their candidates, as ids until they are written
//! * [`ranking`]: expected ranks, metrics, order
//! * [`search`]: exact top-k over a whole corpus, tile by tile
//! * [`mining`]: which of the rows found are hard negatives
//! * `finite`: NaN and infinity, found in bulk
//! * [`memory`]: room for what is large, or an error where there is none
//! * `dedup`: the first of its kind, by hash
//! * `mix`: bits that are mixed well
//! * [`near_duplicates`]: texts that are the same but for a little
//! * `white_space`: texts without the accidental part of it
//! * [`write`]: files that appear whole or not at all
//! * `py`: the only module that knows Python (feature `python`)

pub mod cancel;
pub mod columns;
pub mod corpus;
mod dedup;
pub mod error;
mod finite;
pub mod join;
pub mod jsonl;
pub mod memory;
pub mod mining;
mod mix;
pub mod near_duplicates;
pub mod negatives;
pub mod pool;
pub mod ranking;
pub mod same_text;
pub mod samples;
pub mod search;
mod white_space;
pub mod write;

#[cfg(feature = "python")]
mod py;
