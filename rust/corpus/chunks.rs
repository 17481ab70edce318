//! The chunks of a corpus.

use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

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

/// The use of a chunk's title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Titles {
    /// The title is not part of the text.
    Apart,
    /// The text is the title, a space and the text.
    Joined,
}

impl Titles {
    /// Returns how titles are used, by whether they are joined to texts.
    pub fn joined_if(join: bool) -> Self {
        if join { Self::Joined } else { Self::Apart }
    }
}

/// The chunks of a corpus, each with an id of its own.
#[derive(Debug)]
pub struct Chunks {
    pub ids: TextColumn,
    pub texts: TextColumn,
    /// The empty string if a chunk has no title.
    pub titles: TextColumn,
    by_id: Arc<FirstOccurrences>,
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
    /// The titles that are joined to texts. Empty until there is one.
    heads: Vec<Span>,
    ignored: Ignored,
    key_cache: KeyCache,
}

impl Columns {
    /// Reads a row and appends it.
    #[inline]
    fn push(&mut self, row: Row<'_>, titles: Titles) -> Result<(), Box<Fault>> {
        let mut fields = Fields::new(row, &NAMES);
        fields.read(&mut self.key_cache)?;
        let id = fields.id(ID)?.ok_or_else(|| fields.missing(ID))?;
        let (head, text) = match titles {
            Titles::Apart => (Span::default(), fields.text(TEXT, Reason::EmptyText)?),
            Titles::Joined => joined(&fields)?,
        };
        let title = fields.string(TITLE)?.unwrap_or_default();
        self.ignored.note(&fields, &[ID, TEXT]);
        push_rare(&mut self.titles, self.ids.len(), title);
        push_rare(&mut self.heads, self.ids.len(), head);
        self.hashes.push(id.hash(row.bytes()));
        self.ids.push(id);
        self.texts.push(text);
        Ok(())
    }

    /// Joins a rare column of all pieces. Returns nothing if no chunk has a value in it.
    fn rare(pieces: &mut [Self], column: fn(&mut Self) -> &mut Vec<Span>) -> Vec<Span> {
        if pieces.iter_mut().all(|piece| column(piece).is_empty()) {
            return Vec::new();
        }
        let mut columns: Vec<Vec<Span>> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let rows = piece.ids.len();
            let mut spans = std::mem::take(column(piece));
            spans.resize(rows, Span::default());
            columns.push(spans);
        }
        concat(&columns, |spans| spans)
    }
}

/// Appends to a column that stays empty until it gets its first value.
#[inline]
fn push_rare(column: &mut Vec<Span>, rows: usize, span: Span) {
    if !span.is_empty() || !column.is_empty() {
        column.resize(rows, Span::default());
        column.push(span);
    }
}

/// Returns the head and the text of a chunk. If the text is empty, the title is the text.
fn joined(fields: &Fields<'_, 8>) -> Result<(Span, Span), Box<Fault>> {
    let text = fields.text(TEXT, Reason::EmptyText);
    match (fields.visible(TITLE), text) {
        (Ok(Some(title)), Err(fault)) if fault.reason == Reason::EmptyText => {
            Ok((Span::default(), title))
        }
        (title, text) => {
            let text = text?;
            Ok((title?.unwrap_or_default(), text))
        }
    }
}

impl Chunks {
    /// Reads the chunks of a file. Also returns the rejected rows.
    pub fn read(source: &Arc<Source>, titles: Titles, on_error: OnError) -> (Self, Vec<Reject>) {
        let Parsed {
            mut pieces,
            mut rejects,
        } = source.parse(on_error, |columns: &mut Columns, row| {
            columns.push(row, titles)
        });
        let mut titles = Columns::rare(&mut pieces, |piece| &mut piece.titles);
        let mut heads = Columns::rare(&mut pieces, |piece| &mut piece.heads);
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
            let head = |row: usize| heads.get(row).copied().unwrap_or_default();
            if texts[first].equals(texts[repeat], bytes) && head(first).equals(head(repeat), bytes)
            {
                repeated += 1;
            } else {
                rejects.push(duplicate(source, ids[repeat]));
            }
        }
        if !repeats.is_empty() {
            ids = drop_rows(&ids, &repeats);
            texts = drop_rows(&texts, &repeats);
            for column in [&mut titles, &mut heads] {
                if !column.is_empty() {
                    *column = drop_rows(column, &repeats);
                }
            }
            hashes = drop_rows(&hashes, &repeats);
            by_id = FirstOccurrences::build(&hashes, |_, _| false).0;
        }
        let chunks = Self {
            titles: TextColumn::of_file(source, titles).padded(ids.len()),
            ids: TextColumn::of_file(source, ids),
            texts: TextColumn::of_file(source, texts).headed(TextColumn::of_file(source, heads)),
            by_id: Arc::new(by_id),
            same_text: OnceLock::new(),
            repeated,
            ignored: Ignored::sum(pieces.into_iter().map(|piece| piece.ignored)),
        };
        (chunks, rejects)
    }

    /// Takes columns for chunks, by the rules of [`Chunks::read`]. Returns nothing if a row breaks
    /// one of them, or repeats another.
    pub fn of_columns(
        ids: TextColumn,
        texts: TextColumn,
        titles: TextColumn,
        use_of_titles: Titles,
    ) -> Option<Self> {
        let have_ids = || (0..ids.len()).into_par_iter().all(|row| !ids.is_blank(row));
        if ids.is_empty() || !have_ids() || !texts.all_visible() {
            return None;
        }
        let repeats = ids.repeats();
        let by_id = Arc::clone(&repeats.by_text);
        if !repeats.rows.is_empty() {
            return None;
        }
        let texts = match use_of_titles {
            Titles::Joined => texts.headed(titles.visible()),
            Titles::Apart => texts,
        };
        Some(Self {
            ids,
            texts,
            titles,
            by_id,
            same_text: OnceLock::new(),
            repeated: 0,
            ignored: Ignored::default(),
        })
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
