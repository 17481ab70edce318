//! The core of `stage2`: all work on bytes, ids, offsets and ranks.
//!
//! ```text
//! files ──jsonl──▶ corpus ──join──▶ entity spans
//!                    │
//!                    └──negatives──▶ samples ──(Python: vectors)──▶ search, ranking
//! ```
//!
//! * [`error`]: one error enum, with file, line, column and what was expected
//! * [`pool`], [`cancel`]: threads that survive a fork, and work that can be stopped
//! * [`jsonl`]: reads JSONL files and JSON arrays, in parallel
//! * [`corpus`]: columns of text and ids, look-up by id, rejected rows
//! * [`parquet`]: reads columns of texts of Parquet files, in parallel
//! * [`columns`]: makes a data set of columns in memory
//! * [`gazetteer`]: finds the names of a list in texts
//! * [`join`]: finds the annotation that belongs to a text
//! * [`same_text`]: decides whether two texts are the same
//! * [`negatives`]: draws random negatives with a seed
//! * [`samples`]: questions with their candidates, held as ids until they are written
//! * [`ranking`]: expected ranks and metrics
//! * [`search`]: finds the exact top k of a whole corpus, tile by tile
//! * [`mining`]: selects hard negatives from the rows that a search found
//! * `finite`: finds NaN and infinity in large arrays
//! * [`memory`]: allocates large blocks, or reports an error
//! * `dedup`: deduplicates items by hash, in parallel
//! * [`distinct`]: different texts, each kept once, and their numbers
//! * `mix`: mixes the bits of hashes and seeds
//! * [`near_duplicates`]: groups texts that are almost the same
//! * `white_space`: normalises white space and maps offsets back
//! * [`write`](mod@write): writes files atomically
//! * `py`: the only module that knows Python (feature `python`)

pub mod cancel;
pub mod columns;
pub mod corpus;
mod dedup;
pub mod distinct;
pub mod error;
mod finite;
pub mod gazetteer;
pub mod join;
pub mod jsonl;
pub mod memory;
pub mod mining;
mod mix;
pub mod near_duplicates;
pub mod negatives;
pub mod parquet;
pub mod pool;
pub mod ranking;
pub mod same_text;
pub mod samples;
pub mod search;
mod white_space;
pub mod write;

#[cfg(feature = "python")]
mod py;
