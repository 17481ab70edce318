//! Questions and their relevant chunks.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::chunks::Chunks;
use super::column::{Span, TextColumn};
use super::fields::{Field, Fields, Ignored};
use super::grades::{Graded, Grades, Relevant, UNGRADED};
use super::shared::SharedGroundTruths;
use super::{concat, drop_rows, offsets};
use crate::cancel::check;
use crate::dedup::FirstOccurrences;
use crate::error::{Fault, Reason, Result, quoted};
use crate::jsonl::key_cache::KeyCache;
use crate::jsonl::{OnError, REJECT_BYTES, Reject, Row, Source};
use crate::memory::{Allowance, ensure_available, with_capacity};
use crate::same_text::SameText;

pub(super) const NAMES: [&str; 7] = [
    "question",
    "chunk_id",
    "chunk_ids",
    "qa_id",
    "id",
    "answer",
    "grades",
];
const QUESTION: Field = Field(0, 1);
const CHUNK: Field = Field(1, 3);
const CHUNK_ID: Field = Field(1, 2);
const CHUNK_IDS: Field = Field(2, 3);
const QA_ID: Field = Field(3, 5);
const ANSWER: Field = Field(5, 6);
const GRADES: Field = Field(6, 7);

/// The bytes that an id takes at most while generated ids are made unique.
const MADE_ID_BYTES: usize = 128;

/// The questions of a data set, one for each QA row.
#[derive(Debug)]
pub struct Questions {
    pub source: Arc<Source>,
    pub ids: TextColumn,
    pub questions: TextColumn,
    /// The empty string if a question has no answer.
    pub answers: TextColumn,
    /// The indices of each question's relevant chunks, the most relevant first. Those of question
    /// `i` are `relevant[offsets[i]..offsets[i + 1]]`. Rows with the same question also have each
    /// other's chunks, after their own and each text once.
    pub relevant: Vec<i64>,
    pub offsets: Vec<i64>,
    /// The grades of `relevant`.
    pub grades: Grades,
    /// The number of chunks left out because their grade is 0 or less.
    pub not_relevant: usize,
    /// The byte range of each question's row in the file.
    pub rows: Vec<Range<usize>>,
    /// The members of a row that samples store in fields of their own. Other members are copied.
    pub own_members: &'static [&'static str],
    /// The number of different questions.
    pub distinct: usize,
}

impl Questions {
    /// Returns the indices of the chunks relevant to a question.
    pub fn relevant_to(&self, question: usize) -> &[i64] {
        &self.relevant[self.offsets[question] as usize..self.offsets[question + 1] as usize]
    }

    /// Returns the questions at the rising indices `rows`.
    pub fn select(&self, rows: &[usize]) -> Self {
        let lengths: Vec<usize> = rows
            .iter()
            .map(|&row| self.relevant_to(row).len())
            .collect();
        let mut relevant = with_capacity(lengths.iter().sum());
        let mut grades = with_capacity(if self.grades.is_empty() {
            0
        } else {
            relevant.capacity()
        });
        for &row in rows {
            check();
            relevant.extend_from_slice(self.relevant_to(row));
            grades.extend_from_slice(self.grades.of(row));
        }
        let questions = self.questions.select(rows);
        let asked = SameText::of(rows.len(), |row| questions.get(row));
        let firsts = asked.first.iter().zip(0..);
        Self {
            source: Arc::clone(&self.source),
            ids: self.ids.select(rows),
            answers: self.answers.select(rows),
            relevant,
            offsets: offsets(&lengths),
            grades: Grades::new(grades, &lengths),
            not_relevant: self.not_relevant,
            rows: rows.iter().map(|&row| self.rows[row].clone()).collect(),
            own_members: self.own_members,
            distinct: firsts.filter(|&(&first, row)| first == row).count(),
            questions,
        }
    }

    /// Merges the ground truths of rows with the same question. Returns a warning if there are such
    /// rows.
    pub fn share_ground_truths(&mut self, chunks: &Chunks) -> Result<Option<String>> {
        let asked = SameText::of(self.ids.len(), |row| self.questions.get(row));
        if asked.all_differ() {
            return Ok(None);
        }
        let shared = SharedGroundTruths::collect(
            &asked,
            |row| Graded {
                items: self.relevant_to(row),
                grades: self.grades.of(row),
            },
            &[&chunks.same_text().first],
            &self.source,
            |row| self.rows[row].start,
        )?;
        let (relevant, lengths) = shared.concat_lists(
            self.ids.len(),
            |row| self.relevant_to(row),
            |_, all, relevant| relevant.extend_from_slice(all),
        );
        self.grades = shared.grades(self.ids.len(), &self.grades);
        self.relevant = relevant;
        self.offsets = offsets(&lengths);
        self.distinct -= shared.of_row.len() - shared.questions;
        Ok(shared.warning(&self.source))
    }
}

/// QA rows before their chunks are looked up: of a piece, or of the whole file.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Range<usize>>,
    questions: Vec<Span>,
    answers: Vec<Span>,
    /// Empty if the row has no id.
    ids: Vec<Span>,
    chunk_ids: Vec<Span>,
    /// The number of chunk ids of each row.
    counts: Vec<usize>,
    /// One grade for each chunk id. Empty until a row has grades.
    grades: Vec<f64>,
    ignored: Ignored,
    key_cache: KeyCache,
}

impl Rows {
    /// Reads a row and appends it.
    fn push(&mut self, row: Row<'_>) -> Result<(), Box<Fault>> {
        let mut fields = Fields::new(row, &NAMES);
        fields.read(&mut self.key_cache)?;
        let question = fields.text(QUESTION, Reason::EmptyQuestion)?;
        let answer = fields.string(ANSWER)?.unwrap_or_default();
        let id = fields.id(QA_ID)?.unwrap_or_default();
        let before = self.chunk_ids.len();
        if let Err(fault) = self.push_chunk_ids(&fields) {
            self.chunk_ids.truncate(before);
            self.grades.truncate(before);
            return Err(fault);
        }
        self.ignored.note(&fields, &[QA_ID]);
        self.counts.push(self.chunk_ids.len() - before);
        self.rows.push(row.range());
        self.questions.push(question);
        self.answers.push(answer);
        self.ids.push(id);
        Ok(())
    }

    /// Appends the row's chunk ids and grades.
    fn push_chunk_ids(&mut self, fields: &Fields<'_, 7>) -> Result<(), Box<Fault>> {
        // If a row has `chunk_id` and `chunk_ids`, the single id comes first; the list may repeat
        // it.
        let mut first = fields.id(CHUNK_ID)?;
        let before = self.chunk_ids.len();
        self.chunk_ids.extend(first);
        let Some(list) = fields.value(CHUNK_IDS) else {
            first.ok_or_else(|| fields.missing(CHUNK))?;
            return self.push_grades(fields, before, 0);
        };
        let (mut listed, mut named_at) = (0, 0);
        fields.for_each(CHUNK_IDS, list, |value| {
            let id = fields.as_id(CHUNK_IDS, value)?;
            match first {
                Some(again) if again.equals(id, fields.bytes()) => {
                    first = None;
                    named_at = listed;
                }
                _ => self.chunk_ids.push(id),
            }
            listed += 1;
            Ok(())
        })?;
        if self.chunk_ids.len() > before {
            return self.push_grades(fields, before, named_at);
        }
        let message = "\"chunk_ids\" is empty; expected at least one chunk id";
        Err(Fault::new(list.start, Reason::MissingField, message))
    }

    /// Appends the grades of the row's chunks, which start at `before`. The first of these chunks
    /// has number `named_at` in the file's list.
    fn push_grades(
        &mut self,
        fields: &Fields<'_, 7>,
        before: usize,
        named_at: usize,
    ) -> Result<(), Box<Fault>> {
        let chunks = self.chunk_ids.len();
        let Some(list) = fields.value(GRADES) else {
            if !self.grades.is_empty() {
                self.grades.resize(chunks, UNGRADED);
            }
            return Ok(());
        };
        self.grades.resize(before, UNGRADED);
        fields.for_each(GRADES, list, |value| {
            self.grades.push(fields.as_grade(GRADES, value)?);
            Ok(())
        })?;
        let (given, expected) = (self.grades.len() - before, chunks - before);
        if given != expected {
            let message = format!(
                "\"grades\" has {given} elements for {expected} chunks; expected one grade for \
                 each chunk, in the order of \"chunk_ids\""
            );
            return Err(Fault::new(list.start, Reason::LengthMismatch, message));
        }
        let grades = &mut self.grades[before..];
        if grades.iter().all(|&grade| grade <= 0.0) {
            let message = "no chunk of the question has a grade above 0; expected one that is \
                           relevant";
            return Err(Fault::new(list.start, Reason::NoRelevantChunk, message));
        }
        grades[..=named_at].rotate_right(1);
        Ok(())
    }

    /// Joins the columns of all pieces.
    fn joined(pieces: &mut [Self]) -> Self {
        if pieces.iter().any(|piece| !piece.grades.is_empty()) {
            for piece in pieces.iter_mut() {
                piece.grades.resize(piece.chunk_ids.len(), UNGRADED);
            }
        }
        Self {
            grades: concat(pieces, |piece| &piece.grades),
            rows: concat(pieces, |piece| &piece.rows),
            questions: concat(pieces, |piece| &piece.questions),
            answers: concat(pieces, |piece| &piece.answers),
            ids: concat(pieces, |piece| &piece.ids),
            chunk_ids: concat(pieces, |piece| &piece.chunk_ids),
            counts: concat(pieces, |piece| &piece.counts),
            ignored: Ignored::default(),
            key_cache: KeyCache::default(),
        }
    }

    /// Removes the rows in `dropped`, which must ascend.
    fn drop(&mut self, dropped: &[usize]) {
        if dropped.is_empty() {
            return;
        }
        let offsets = offsets(&self.counts);
        let chunks = |&row: &usize| offsets[row] as usize..offsets[row + 1] as usize;
        let dropped_chunks: Vec<usize> = dropped.iter().flat_map(chunks).collect();
        self.chunk_ids = drop_rows(&self.chunk_ids, &dropped_chunks);
        if !self.grades.is_empty() {
            self.grades = drop_rows(&self.grades, &dropped_chunks);
        }
        self.rows = drop_rows(&self.rows, dropped);
        self.questions = drop_rows(&self.questions, dropped);
        self.answers = drop_rows(&self.answers, dropped);
        self.ids = drop_rows(&self.ids, dropped);
        self.counts = drop_rows(&self.counts, dropped);
    }
}

/// The questions of a file before their chunks are looked up.
#[derive(Debug)]
pub struct Unresolved {
    source: Arc<Source>,
    rows: Rows,
}

impl Unresolved {
    /// Reads the questions of a file. Also returns the rejected rows.
    pub fn read(source: &Arc<Source>, on_error: OnError) -> (Self, Vec<Reject>) {
        let mut parsed = source.parse(on_error, Rows::push);
        let mut rows = Rows::joined(&mut parsed.pieces);
        rows.ignored = Ignored::sum(parsed.pieces.into_iter().map(|piece| piece.ignored));
        let mut rejects = parsed.rejects;
        let repeats = repeated_ids(source.bytes(), &rows.ids);
        rejects.extend(
            repeats
                .iter()
                .map(|&row| repeated_id(source, &rows.rows[row], rows.ids[row])),
        );
        rows.drop(&repeats);
        let source = Arc::clone(source);
        (Self { source, rows }, rejects)
    }

    pub fn ignored(&self) -> &Ignored {
        &self.rows.ignored
    }

    /// Looks up the chunks of each question. Also returns the rows with an unknown or a repeated
    /// chunk.
    pub fn resolve(self, chunks: &Chunks, chunks_name: &str) -> (Questions, Vec<Reject>) {
        let Self { source, mut rows } = self;
        let bytes = source.bytes();
        let found: Vec<Option<usize>> = rows
            .chunk_ids
            .par_iter()
            .inspect(|_| check())
            .map(|id| chunks.find(&id.decode(bytes)))
            .collect();
        let first = offsets(&rows.counts);
        let (mut dropped, mut rejects) = (Vec::new(), Vec::new());
        let mut relevant = with_capacity(found.len());
        let noted = Allowance::new(REJECT_BYTES);
        for (row, range) in first.windows(2).enumerate() {
            check();
            let range = range[0] as usize..range[1] as usize;
            let ids = &rows.chunk_ids[range.clone()];
            match check_chunks(bytes, ids, &found[range.clone()], chunks_name) {
                Ok(()) => relevant.extend(found[range].iter().flatten().map(|&c| c as i64)),
                Err(fault) => {
                    noted.take();
                    let row_range = rows.rows[row].clone();
                    rejects.push(Reject {
                        row: row_range,
                        fault,
                    });
                    dropped.push(row);
                }
            }
        }
        rows.drop(&dropped);
        let ids = ids_with_generated(&source, &rows);
        let relevant = Relevant::of(relevant, &rows.grades, rows.counts);
        let questions = Questions {
            ids,
            questions: TextColumn::of_file(&source, rows.questions),
            answers: TextColumn::of_file(&source, rows.answers),
            relevant: relevant.chunks,
            offsets: offsets(&relevant.lengths),
            grades: relevant.grades,
            not_relevant: relevant.left_out,
            distinct: rows.rows.len(),
            rows: rows.rows,
            own_members: &NAMES,
            source,
        };
        (questions, rejects)
    }
}

/// Returns the rows whose id an earlier row has, in ascending order.
pub fn repeated_ids(bytes: &[u8], ids: &[Span]) -> Vec<usize> {
    let given: Vec<usize> = (0..ids.len()).filter(|&row| !ids[row].is_empty()).collect();
    let hashes: Vec<u64> = given
        .par_iter()
        .inspect(|_| check())
        .map(|&row| ids[row].hash(bytes))
        .collect();
    let same = |i: usize, j: usize| ids[given[i]].equals(ids[given[j]], bytes);
    let (_, repeats) = FirstOccurrences::build(&hashes, same);
    repeats.into_iter().map(|i| given[i]).collect()
}

/// Returns the rejected row of a question whose id an earlier row has.
pub fn repeated_id(source: &Source, row: &Range<usize>, id: Span) -> Reject {
    let message = format!(
        "the question id {} has been given before; expected an id of its own",
        quoted(&id.decode(source.bytes()))
    );
    Reject {
        row: row.clone(),
        fault: Fault::new(id.start(), Reason::DuplicateQaId, message),
    }
}

/// Fails if one of a question's chunks is unknown or named twice.
fn check_chunks(
    bytes: &[u8],
    ids: &[Span],
    found: &[Option<usize>],
    chunks_name: &str,
) -> Result<(), Box<Fault>> {
    let mut seen = FxHashSet::default();
    for (id, chunk) in ids.iter().zip(found) {
        let Some(chunk) = chunk else {
            let message = format!(
                "the chunk {} is not in {chunks_name}; expected the id of a chunk there",
                quoted(&id.decode(bytes))
            );
            return Err(Fault::new(id.start(), Reason::UnknownChunk, message));
        };
        if ids.len() > 1 && !seen.insert(chunk) {
            let message = format!(
                "the chunk {} is named twice; expected each chunk of a question once",
                quoted(&id.decode(bytes))
            );
            return Err(Fault::new(id.start(), Reason::RepeatedChunk, message));
        }
    }
    Ok(())
}

/// Returns the id of every row. Generates one for each row without an id.
///
/// A generated id is a hash of the question and its chunk ids, so it does not change when other
/// rows are added, removed or moved. Rows with the same hash (the same question and chunks) are
/// numbered in the order of their bytes, which does not depend on their order in the file.
fn ids_with_generated(source: &Arc<Source>, rows: &Rows) -> TextColumn {
    let bytes = source.bytes();
    let offsets = offsets(&rows.counts);
    let mut made: Vec<(u64, usize)> = (0..rows.ids.len())
        .into_par_iter()
        .filter(|&row| rows.ids[row].is_empty())
        .map(|row| {
            check();
            let chunks = &rows.chunk_ids[offsets[row] as usize..offsets[row + 1] as usize];
            (content_hash(bytes, rows.questions[row], chunks), row)
        })
        .collect();
    if made.is_empty() {
        return TextColumn::of_file(source, rows.ids.clone());
    }
    made.par_sort_unstable_by(|&(hash_a, a), &(hash_b, b)| {
        check();
        let content = |row: usize| &bytes[rows.rows[row].clone()];
        (hash_a.cmp(&hash_b))
            .then_with(|| content(a).cmp(content(b)))
            .then(a.cmp(&b))
    });
    let mut ids: Vec<Cow<str>> = with_capacity(rows.ids.len());
    ids.extend(
        rows.ids
            .iter()
            .inspect(|_| check())
            .map(|id| id.decode(bytes)),
    );
    ensure_available(ids.len().saturating_mul(MADE_ID_BYTES));
    let mut taken: FxHashSet<Cow<str>> = ids.iter().inspect(|_| check()).cloned().collect();
    for same in made.chunk_by(|(a, _), (b, _)| a == b) {
        let mut candidates = numbered_ids(same[0].0);
        for &(_, row) in same {
            check();
            let free = candidates.find(|id| !taken.contains(&**id));
            let id: Cow<str> = free.unwrap_or_default().into();
            taken.insert(id.clone());
            ids[row] = id;
        }
    }
    ids.into_iter().inspect(|_| check()).collect()
}

/// Yields `q-0123456789abcdef`, then the same with `-2`, `-3` and so on appended.
fn numbered_ids(hash: u64) -> impl Iterator<Item = String> {
    let id = format!("q-{hash:016x}");
    std::iter::once(id.clone()).chain((2u64..).map(move |n| format!("{id}-{n}")))
}

/// Returns the FNV-1a hash of the question and the chunk ids. It must never change.
fn content_hash(bytes: &[u8], question: Span, chunks: &[Span]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    for part in std::iter::once(&question).chain(chunks) {
        part.decode(bytes).bytes().for_each(&mut add);
        // This byte occurs in no UTF-8 text, so it separates the parts.
        add(0xff);
    }
    hash
}
