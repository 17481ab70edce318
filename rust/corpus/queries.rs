//! Questions in a file that does not name their ground truths, such as BEIR's `queries.jsonl`.

use std::ops::Range;
use std::sync::Arc;

use super::column::{Span, TextColumn};
use super::fields::{Field, Fields, Ignored};
use super::grades::Relevant;
use super::questions::{Questions, repeated_id, repeated_ids};
use super::{concat, drop_rows, offsets};
use crate::cancel::check;
use crate::dedup::{FirstOccurrences, hash};
use crate::error::{Fault, Reason, Result};
use crate::jsonl::key_cache::KeyCache;
use crate::jsonl::{OnError, Reject, Row, Source};
use crate::memory::with_capacity;

const NAMES: [&str; 3] = ["_id", "id", "text"];
const ID: Field = Field(0, 2);
const TEXT: Field = Field(2, 3);

/// The questions of a file, by their ids.
#[derive(Debug)]
pub struct Queries {
    source: Arc<Source>,
    rows: Rows,
    by_id: FirstOccurrences,
}

/// The columns of a piece of the file, and at the end of the whole file.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Range<usize>>,
    ids: Vec<Span>,
    texts: Vec<Span>,
    ignored: Ignored,
    key_cache: KeyCache,
}

impl Rows {
    fn push(&mut self, row: Row<'_>) -> Result<(), Box<Fault>> {
        let mut fields = Fields::new(row, &NAMES);
        fields.read(&mut self.key_cache)?;
        let id = fields.id(ID)?.ok_or_else(|| fields.missing(ID))?;
        let text = fields.text(TEXT, Reason::EmptyQuestion)?;
        self.ignored.note(&fields, &[ID]);
        self.rows.push(row.range());
        self.ids.push(id);
        self.texts.push(text);
        Ok(())
    }
}

impl Queries {
    /// Reads the questions of a file. Also returns the rejected rows.
    pub fn read(source: &Arc<Source>, on_error: OnError) -> (Self, Vec<Reject>) {
        let mut parsed = source.parse(on_error, Rows::push);
        let pieces = &parsed.pieces;
        let mut rows = Rows {
            rows: concat(pieces, |piece| &piece.rows),
            ids: concat(pieces, |piece| &piece.ids),
            texts: concat(pieces, |piece| &piece.texts),
            ..Rows::default()
        };
        let repeats = repeated_ids(source.bytes(), &rows.ids);
        let repeated = |&row: &usize| repeated_id(source, &rows.rows[row], rows.ids[row]);
        parsed.rejects.extend(repeats.iter().map(repeated));
        if !repeats.is_empty() {
            rows.rows = drop_rows(&rows.rows, &repeats);
            rows.ids = drop_rows(&rows.ids, &repeats);
            rows.texts = drop_rows(&rows.texts, &repeats);
        }
        rows.ignored = Ignored::sum(parsed.pieces.into_iter().map(|piece| piece.ignored));
        let bytes = source.bytes();
        let mut hashes = with_capacity(rows.ids.len());
        hashes.extend(rows.ids.iter().map(|id| {
            check();
            id.hash(bytes)
        }));
        let (by_id, _) = FirstOccurrences::build(&hashes, |_, _| false);
        let source = Arc::clone(source);
        let queries = Self {
            source,
            rows,
            by_id,
        };
        (queries, parsed.rejects)
    }

    pub fn len(&self) -> usize {
        self.rows.ids.len()
    }

    pub fn ignored(&self) -> &Ignored {
        &self.rows.ignored
    }

    /// Returns the index of the question with this id.
    pub fn find(&self, id: &str) -> Option<usize> {
        let bytes = self.source.bytes();
        self.by_id.find(hash(id.as_bytes()), |row| {
            self.rows.ids[row].decode(bytes) == id
        })
    }

    /// Returns the questions at the rising indices `rows`, with the relevant chunks of each.
    pub fn judged(&self, rows: &[usize], relevant: Relevant) -> Questions {
        let pick = |spans: &[Span]| {
            let mut picked = with_capacity(rows.len());
            picked.extend(rows.iter().map(|&row| spans[row]));
            TextColumn::of_file(&self.source, picked)
        };
        let mut ranges = with_capacity(rows.len());
        ranges.extend(rows.iter().map(|&row| self.rows.rows[row].clone()));
        Questions {
            ids: pick(&self.rows.ids),
            questions: pick(&self.rows.texts),
            answers: TextColumn::of_file(&self.source, Vec::new()).padded(rows.len()),
            relevant: relevant.chunks,
            offsets: offsets(&relevant.lengths),
            grades: relevant.grades,
            not_relevant: relevant.left_out,
            distinct: rows.len(),
            rows: ranges,
            own_members: &NAMES,
            source: Arc::clone(&self.source),
        }
    }
}
