//! Samples: questions with their candidates, the ground truths first.

mod load;
mod select;
mod shared;

pub use select::rising_rows;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::cancel::check;
use crate::corpus::{Dataset, Field, Findings, Grades, TextColumn, concat, key_text, offsets};
use crate::error::{Error, Reason, Result, quoted};
use crate::jsonl::{OnError, Source};
use crate::memory::try_with_capacity;
use crate::negatives;
use crate::same_text::SameText;
use crate::write::{lines, push_list, push_number, push_one_line, push_string};

/// The number of questions that one task draws negatives for.
const QUESTIONS_PER_JOB: usize = 1024;

/// The number of lines between prefetching a text's span, prefetching the text, and using it.
const LINES_AHEAD: usize = 3;

/// The members of a written sample, in order. The other members of its question's row follow.
const MEMBERS: [&str; 9] = [
    "question",
    "ground_truth_contexts",
    "negative_contexts",
    "qa_id",
    "gt_chunk_id",
    "gt_chunk_ids",
    "gt_grades",
    "negative_chunk_ids",
    "answer",
];
const QUESTION: Field = Field(0, 1);
const GROUND_TRUTH_CONTEXTS: Field = Field(1, 2);
const NEGATIVE_CONTEXTS: Field = Field(2, 3);
const QA_ID: Field = Field(3, 4);
const GT_CHUNK_ID: Field = Field(4, 5);
const GT_CHUNK_IDS: Field = Field(5, 6);
const GT_GRADES: Field = Field(6, 7);
const NEGATIVE_CHUNK_IDS: Field = Field(7, 8);
const ANSWER: Field = Field(8, 9);

/// Questions with their candidates, made of a data set or read from a file.
#[derive(Debug)]
pub struct Samples {
    pub qa_ids: TextColumn,
    pub questions: TextColumn,
    /// The empty string if a question has no answer.
    pub answers: TextColumn,
    /// The texts that candidates refer to.
    pub contexts: TextColumn,
    /// The chunk ids of the contexts; the empty string if an id is unknown.
    pub context_ids: TextColumn,
    /// The candidates of sample `i` are `candidates[offsets[i]..offsets[i + 1]]`, indices of
    /// contexts. The first `num_relevant[i]` of them are ground truths.
    pub candidates: Vec<i64>,
    pub offsets: Vec<i64>,
    pub num_relevant: Vec<i64>,
    /// The grades of the ground truths.
    pub grades: Grades,
    pub findings: Findings,
    origin: Origin,
    source: Arc<Source>,
    /// The samples read from a file whose candidates were changed since.
    changed: FxHashSet<usize>,
    /// The byte range in `source` of each sample, or of the question it was made of.
    rows: Vec<Range<usize>>,
    /// The members of a question's row that have a place of their own in a sample.
    own_members: &'static [&'static str],
}

/// What the rows of the source are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Questions,
    Samples,
}

impl Samples {
    /// Draws `negatives` chunks for each question of a data set. Fails if there are too few chunks.
    pub fn construct(dataset: &Dataset, negatives: usize, seed: u64) -> Result<Self> {
        if negatives == 0 {
            let message = "negatives is 0; expected at least 1, a question has to be ranked \
                           against something";
            return Err(Error::Usage(message.to_owned()));
        }
        let questions = &dataset.questions;
        let drawn = negatives.min(dataset.chunks.len());
        // Checked before the draw, because so many may be asked for that they do not fit into
        // memory.
        try_with_capacity::<i64>("the candidates", drawn.saturating_mul(questions.ids.len()))?;
        let same_text = dataset.chunks.same_text();
        let numbers: Vec<usize> = (0..questions.ids.len()).collect();
        let jobs: Vec<Result<Vec<i64>>> = numbers
            .par_chunks(QUESTIONS_PER_JOB)
            .map(|numbers| {
                let mut candidates = Vec::new();
                for &i in numbers {
                    check();
                    push_candidates(dataset, same_text, i, negatives, seed, &mut candidates)?;
                }
                Ok(candidates)
            })
            .collect();
        // All jobs are collected first, so that the error returned is the first in file order.
        let jobs = jobs.into_iter().collect::<Result<Vec<_>>>()?;
        let candidates = concat(&jobs, |candidates| candidates);
        Ok(Self::of_questions(dataset, candidates, |_| negatives))
    }

    /// Makes samples of all questions of a data set. `negatives` returns how many of a question's
    /// candidates are negatives.
    fn of_questions(
        dataset: &Dataset,
        candidates: Vec<i64>,
        negatives: impl Fn(usize) -> usize,
    ) -> Self {
        let questions = &dataset.questions;
        let num_relevant: Vec<i64> = questions.offsets.windows(2).map(|w| w[1] - w[0]).collect();
        let lengths: Vec<usize> = (num_relevant.iter().enumerate())
            .map(|(i, &relevant)| relevant as usize + negatives(i))
            .collect();
        Self {
            qa_ids: questions.ids.clone(),
            questions: questions.questions.clone(),
            answers: questions.answers.clone(),
            contexts: dataset.chunks.texts.clone(),
            context_ids: dataset.chunks.ids.clone(),
            candidates,
            offsets: offsets(&lengths),
            num_relevant,
            grades: questions.grades.clone(),
            findings: Findings::new(OnError::Strict),
            origin: Origin::Questions,
            source: Arc::clone(&questions.source),
            changed: FxHashSet::default(),
            rows: questions.rows.clone(),
            own_members: questions.own_members,
        }
    }

    /// Makes samples with the given negatives. Those of question `i` are
    /// `negatives[offsets[i]..offsets[i + 1]]`.
    pub fn with_negatives(dataset: &Dataset, negatives: &[i64], offsets: &[i64]) -> Result<Self> {
        let questions = dataset.questions.ids.len();
        let cut_up = offsets.len() == questions + 1
            && offsets.first() == Some(&0)
            && offsets.is_sorted()
            && offsets.last() == Some(&(negatives.len() as i64));
        if !cut_up {
            return Err(Error::Usage(format!(
                "the offsets do not cut up the negatives; expected {} rising numbers from 0 to {}",
                questions + 1,
                negatives.len()
            )));
        }
        let chunks = 0..dataset.chunks.len() as i64;
        if let Some(chunk) = negatives.iter().find(|chunk| !chunks.contains(chunk)) {
            return Err(Error::Usage(format!(
                "there is no chunk {chunk} to be a negative"
            )));
        }
        let own = |i: usize| offsets[i] as usize..offsets[i + 1] as usize;
        let len = dataset.questions.relevant.len() + negatives.len();
        let mut candidates = try_with_capacity("the candidates", len)?;
        for i in 0..questions {
            candidates.extend_from_slice(dataset.questions.relevant_to(i));
            candidates.extend_from_slice(&negatives[own(i)]);
        }
        Ok(Self::of_questions(dataset, candidates, |i| own(i).len()))
    }

    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the samples as JSONL: all, or those with the numbers `rows` in that order. A sample
    /// read from a file is copied from it, unless its candidates have changed. Returns the SHA-256
    /// of the file as hexadecimal text.
    pub fn write_jsonl(&self, path: &Path, rows: Option<&[i64]>) -> Result<String> {
        let Some(rows) = rows else {
            return lines(path, self.len(), |i, out| self.push_line(i, out));
        };
        let valid = 0..self.len() as i64;
        if let Some(row) = rows.iter().find(|row| !valid.contains(row)) {
            let len = self.len();
            return Err(Error::Usage(format!(
                "there is no sample {row}; expected numbers from 0 to {}, of {len} samples",
                len.saturating_sub(1)
            )));
        }
        lines(path, rows.len(), |i, out| {
            self.push_line(rows[i] as usize, out)
        })
    }

    /// Appends a sample as a JSON object.
    fn push_line(&self, i: usize, out: &mut Vec<u8>) {
        match self.origin {
            Origin::Questions => self.push_constructed(i, out),
            Origin::Samples if self.changed.contains(&i) => self.push_changed(i, out),
            Origin::Samples => {
                let row = self.source.bytes()[self.rows[i].clone()].trim_ascii();
                // A row of a JSONL file has no line break, but an element of an array may have one.
                if memchr::memchr(b'\n', row).is_none() {
                    out.extend_from_slice(row);
                } else {
                    push_one_line(out, row);
                }
            }
        }
    }

    /// Prefetches the texts and ids of later candidates. Random chunks are scattered in memory, and
    /// waiting for each of them would take most of the time.
    fn prefetch_candidates(&self, i: usize) {
        for &candidate in self.candidates_of(i + 2 * LINES_AHEAD) {
            self.contexts.prefetch_place(candidate as usize);
            self.context_ids.prefetch_place(candidate as usize);
        }
        for &candidate in self.candidates_of(i + LINES_AHEAD) {
            self.contexts.prefetch_text(candidate as usize);
            self.context_ids.prefetch_text(candidate as usize);
        }
    }

    /// Returns the candidates of a sample. Returns nothing after the last sample.
    fn candidates_of(&self, i: usize) -> &[i64] {
        match self.offsets.get(i..i + 2) {
            Some(&[start, end]) => &self.candidates[start as usize..end as usize],
            _ => &[],
        }
    }

    /// Appends a sample that was made of a question.
    fn push_constructed(&self, i: usize, out: &mut Vec<u8>) {
        self.prefetch_candidates(i);
        let (relevant, negative) = self.relevant_and_negative(i);
        out.push(b'{');
        push_name(out, QUESTION);
        self.questions.push_json(i, out);
        push_name(out, GROUND_TRUTH_CONTEXTS);
        self.push_texts(relevant, out);
        push_name(out, NEGATIVE_CONTEXTS);
        self.push_texts(negative, out);
        push_name(out, QA_ID);
        self.qa_ids.push_json(i, out);
        push_name(out, GT_CHUNK_ID);
        self.context_ids.push_json(relevant[0] as usize, out);
        push_name(out, GT_CHUNK_IDS);
        self.push_ids(relevant, out);
        if !self.grades.is_empty() {
            push_name(out, GT_GRADES);
            self.push_grades(i, out);
        }
        push_name(out, NEGATIVE_CHUNK_IDS);
        self.push_ids(negative, out);
        if !self.answers.is_blank(i) {
            push_name(out, ANSWER);
            self.answers.push_json(i, out);
        }
        self.push_other_members(i, out);
        out.push(b'}');
    }

    /// Returns the ground truths and the negatives of a sample.
    pub fn relevant_and_negative(&self, i: usize) -> (&[i64], &[i64]) {
        self.candidates_of(i)
            .split_at(self.num_relevant[i] as usize)
    }

    /// Appends the list of the contexts' texts.
    fn push_texts(&self, contexts: &[i64], out: &mut Vec<u8>) {
        push_list(out, contexts, |&context, out| {
            self.contexts.push_json(context as usize, out)
        });
    }

    /// Appends the list of the contexts' ids.
    fn push_ids(&self, contexts: &[i64], out: &mut Vec<u8>) {
        push_list(out, contexts, |&context, out| {
            self.context_ids.push_json(context as usize, out)
        });
    }

    /// Appends the list of the grades of a sample's ground truths.
    fn push_grades(&self, i: usize, out: &mut Vec<u8>) {
        push_list(out, self.grades.of(i), |&grade, out| {
            push_number(out, grade)
        });
    }

    /// Copies the other members of the question's row.
    fn push_other_members(&self, i: usize, out: &mut Vec<u8>) {
        let row = self.source.row(self.rows[i].clone());
        let scanned = row.object(|key, value| {
            let name = key_text(row.bytes(), key);
            let is_own = |names: &[&str]| names.iter().any(|own| own.as_bytes() == &*name);
            if !is_own(self.own_members) && !is_own(&MEMBERS) {
                out.extend_from_slice(b", ");
                out.extend_from_slice(&row.bytes()[key.start..key.end]);
                out.extend_from_slice(b": ");
                push_one_line(out, &row.bytes()[value.start..value.end]);
            }
            Ok(())
        });
        debug_assert!(scanned.is_ok(), "the row was validated when it was read");
    }
}

/// Appends a member's name, after a comma if it is not the first.
fn push_name(out: &mut Vec<u8>, member: Field) {
    if out.last() != Some(&b'{') {
        out.extend_from_slice(b", ");
    }
    push_string(out, MEMBERS[member.0]);
    out.extend_from_slice(b": ");
}

/// Appends a question's ground truths and its negatives, none of which has the text of a ground
/// truth.
fn push_candidates(
    dataset: &Dataset,
    same_text: &SameText,
    question: usize,
    negatives: usize,
    seed: u64,
    out: &mut Vec<i64>,
) -> Result<()> {
    let questions = &dataset.questions;
    let relevant = questions.relevant_to(question);
    out.extend_from_slice(relevant);
    let id = questions.ids.get(question);
    let excluded = same_text.with_same_text(relevant);
    negatives::draw(seed, &id, negatives, dataset.chunks.len(), &excluded, out).map_err(|few| {
        let at = questions.rows[question].start;
        questions.source.error_at(
            at,
            Reason::TooFewChunks,
            format!("question {}: {few}", quoted(&id)),
        )
    })
}
