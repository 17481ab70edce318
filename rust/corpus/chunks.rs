//! The chunks of a corpus.

use std::sync::{Arc, OnceLock};

use super::column::{Span, TextColumn};
use super::fields::{Field, Fields, Ignored};
use super::{concat, drop_rows};
use crate::dedup::{FirstOccurrences, hash};
use crate::error::{Fault, Reason, Result, quoted};
use crate::jsonl::key_cache::KeyCache;
use crate::jsonl::{OnError, Parsed, Reject, Row, Source};
use crate::same_text::SameText;

const NAMES: [&str; 8] = [
    "chunk_id",
    "id",
    "_id",
    "text",
    "chunk_text",
    "input",
    "content",
    "title",
];
const ID: Field = Field(0, 3);
const TEXT: Field = Field(3, 7);
const TITLE: Field = Field(7, 8);

/// The chunks of a corpus, each with an id of its own.
#[derive(Debug)]
pub struct Chunks {
    pub ids: TextColumn,
    pub texts: TextColumn,
    /// The empty string if a chunk has no title.
    pub titles: TextColumn,
    by_id: FirstOccurrences,
    same_text: OnceLock<SameText>,
    /// The number of rows left out because an earlier row has the same id and text.
    pub repeated: usize,
    pub ignored: Ignored,
}

/// The columns of a piece of the file.
#[derive(Debug, Default)]
struct Columns {
    ids: Vec<Span>,
    hashes: Vec<u64>,
    texts: Vec<Span>,
    /// Empty until a row has a title, because few corpora have titles.
    titles: Vec<Span>,
    ignored: Ignored,
    key_cache: KeyCache,
}

impl Columns {
    /// Reads a row and appends it.
    #[inline]
    fn push(&mut self, row: Row<'_>) -> Result<(), Box<Fault>> {
        let mut fields = Fields::new(row, &NAMES);
        fields.read(&mut self.key_cache)?;
        let id = fields.id(ID)?.ok_or_else(|| fields.missing(ID))?;
        let text = fields.text(TEXT, Reason::EmptyText)?;
        let title = fields.string(TITLE)?.unwrap_or_default();
        self.ignored.note(&fields, &[ID, TEXT]);
        if !title.is_empty() || !self.titles.is_empty() {
            self.titles.resize(self.ids.len(), Span::default());
            self.titles.push(title);
        }
        self.hashes.push(id.hash(row.bytes()));
        self.ids.push(id);
        self.texts.push(text);
        Ok(())
    }

    /// Joins the titles of all pieces. Returns nothing if no chunk has one.
    fn titles(pieces: &mut [Self]) -> Vec<Span> {
        if pieces.iter().any(|piece| !piece.titles.is_empty()) {
            for piece in pieces.iter_mut() {
                piece.titles.resize(piece.ids.len(), Span::default());
            }
        }
        concat(pieces, |piece| &piece.titles)
    }
}

impl Chunks {
    /// Reads the chunks of a file. Also returns the rejected rows.
    pub fn read(source: &Arc<Source>, on_error: OnError) -> (Self, Vec<Reject>) {
        let Parsed {
            mut pieces,
            mut rejects,
        } = source.parse(on_error, Columns::push);
        let mut titles = Columns::titles(&mut pieces);
        let mut ids = concat(&pieces, |piece| &piece.ids);
        let mut texts = concat(&pieces, |piece| &piece.texts);
        let mut hashes = concat(&pieces, |piece| &piece.hashes);

        let bytes = source.bytes();
        let same_id = |i: usize, j: usize| ids[i].equals(ids[j], bytes);
        let (mut by_id, repeats) = FirstOccurrences::build(&hashes, same_id);
        let mut repeated = 0;
        for &repeat in &repeats {
            let first = by_id.find(hashes[repeat], |other| same_id(repeat, other));
            let first = first.unwrap_or(repeat);
            if texts[first].equals(texts[repeat], bytes) {
                repeated += 1;
            } else {
                rejects.push(duplicate(source, ids[repeat]));
            }
        }
        if !repeats.is_empty() {
            ids = drop_rows(&ids, &repeats);
            texts = drop_rows(&texts, &repeats);
            if !titles.is_empty() {
                titles = drop_rows(&titles, &repeats);
            }
            hashes = drop_rows(&hashes, &repeats);
            by_id = FirstOccurrences::build(&hashes, |_, _| false).0;
        }
        let chunks = Self {
            titles: TextColumn::of_file(source, titles).padded(ids.len()),
            ids: TextColumn::of_file(source, ids),
            texts: TextColumn::of_file(source, texts),
            by_id,
            same_text: OnceLock::new(),
            repeated,
            ignored: Ignored::sum(pieces.into_iter().map(|piece| piece.ignored)),
        };
        (chunks, rejects)
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Returns the groups of chunks with the same text. They are computed at the first call.
    pub fn same_text(&self) -> &SameText {
        if let Some(found) = self.same_text.get() {
            return found;
        }
        // Computed outside the lock: parallel work must not wait for a lock.
        let found = SameText::of(self.len(), |chunk| self.texts.get(chunk));
        self.same_text.get_or_init(|| found)
    }

    /// Returns the index of the chunk with this id.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.by_id
            .find(hash(id.as_bytes()), |chunk| self.ids.get(chunk) == id)
    }
}

/// Returns the rejected row of a chunk whose id belongs to another text.
fn duplicate(source: &Source, id: Span) -> Reject {
    let message = format!(
        "the chunk id {} has been given to another text before; expected one text an id",
        quoted(&id.decode(source.bytes()))
    );
    Reject {
        row: source.row_at(id.start()),
        fault: Fault::new(id.start(), Reason::DuplicateChunkId, message),
    }
}
