//! Reads samples from a file.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::{
    ANSWER, GROUND_TRUTH_CONTEXTS, GT_CHUNK_ID, GT_CHUNK_IDS, GT_GRADES, MEMBERS,
    NEGATIVE_CHUNK_IDS, NEGATIVE_CONTEXTS, Origin, QA_ID, QUESTION, Samples,
};
use crate::cancel::{Ticks, check};
use crate::corpus::{
    Field, Fields, Findings, Grades, Span, TextColumn, UNGRADED, concat, drop_rows, offsets,
    repeated_id, repeated_ids,
};
use crate::dedup::FirstOccurrences;
use crate::error::{Fault, Reason, Result};
use crate::jsonl::key_cache::KeyCache;
use crate::jsonl::{Access, OnError, Row, Source};
use crate::memory::{push, with_capacity};

impl Samples {
    /// Reads a file of samples, written by this project or by the reference. The reference's
    /// samples have only the chunk id of their first ground truth.
    pub fn load(path: &Path, on_error: OnError, access: Access) -> Result<Self> {
        let source = Arc::new(Source::open(path, access)?);
        let mut parsed = source.parse(on_error, Columns::push);
        let mut columns = Columns::joined(&mut parsed.pieces);
        let repeats = repeated_ids(source.bytes(), &columns.qa_ids);
        let mut rejects = parsed.rejects;
        rejects.extend(
            repeats
                .iter()
                .map(|&i| repeated_id(&source, &columns.rows[i], columns.qa_ids[i])),
        );
        columns.drop(&repeats);
        let mut findings = Findings::new(on_error);
        findings.reject(&source, rejects)?;
        if columns.rows.is_empty() {
            return Err(findings.no_rows_error(&source));
        }

        findings.warnings.extend(columns.warning(source.name()));

        let (candidates, firsts) = deduplicated(source.bytes(), &columns);
        let pick = |spans: &[Span]| {
            let spans = firsts.iter().map(|&i| spans[i]).collect();
            TextColumn::of_file(&source, spans)
        };
        let lengths: Vec<usize> = columns.num_relevant.iter().map(|&n| n as usize).collect();
        let mut samples = Self {
            findings,
            grades: Grades::new(columns.grades, &lengths),
            contexts: pick(&columns.contexts),
            context_ids: pick(&columns.context_ids),
            qa_ids: TextColumn::of_file(&source, columns.qa_ids),
            questions: TextColumn::of_file(&source, columns.questions),
            answers: TextColumn::of_file(&source, columns.answers),
            candidates,
            offsets: offsets(&columns.counts),
            num_relevant: columns.num_relevant,
            origin: Origin::Samples,
            source,
            changed: FxHashSet::default(),
            rows: columns.rows,
            own_members: &[],
        };
        samples.share_ground_truths()?;
        Ok(samples)
    }
}

/// The columns of a piece, or of the whole file.
#[derive(Debug, Default)]
struct Columns {
    rows: Vec<Range<usize>>,
    qa_ids: Vec<Span>,
    questions: Vec<Span>,
    answers: Vec<Span>,
    num_relevant: Vec<i64>,
    /// The number of ground truths in all rows, and their grades. Grades are empty until a row has
    /// some.
    relevant: usize,
    grades: Vec<f64>,
    /// The contexts of all rows, and how many each row has.
    contexts: Vec<Span>,
    counts: Vec<usize>,
    /// One id for each context; empty if it is unknown.
    context_ids: Vec<Span>,
    /// The number of rows whose `gt_chunk_id` is not the first of `gt_chunk_ids`.
    other_gt_chunk_ids: usize,
    key_cache: KeyCache,
}

impl Columns {
    /// Reads a row and appends it.
    fn push(&mut self, row: Row<'_>) -> Result<(), Box<Fault>> {
        let mut fields = Fields::new(row, &MEMBERS);
        fields.read(&mut self.key_cache)?;
        let question = fields.text(QUESTION, Reason::EmptyQuestion)?;
        let qa_id = fields.as_id(QA_ID, fields.required(QA_ID)?)?;
        let answer = fields.string(ANSWER)?.unwrap_or_default();
        let (before, grades_before) = (self.contexts.len(), self.relevant);
        let num_relevant = self.push_contexts(&fields).inspect_err(|_| {
            self.contexts.truncate(before);
            self.context_ids.truncate(before);
            self.grades.truncate(grades_before);
        })?;
        self.relevant += num_relevant;
        self.counts.push(self.contexts.len() - before);
        self.num_relevant.push(num_relevant as i64);
        self.rows.push(row.range());
        self.questions.push(question);
        self.qa_ids.push(qa_id);
        self.answers.push(answer);
        Ok(())
    }

    /// Appends the row's contexts, ids and grades. Returns the number of ground truths.
    fn push_contexts(&mut self, fields: &Fields<'_, 9>) -> Result<usize, Box<Fault>> {
        let first = self.contexts.len();
        let num_relevant = self.push_list(fields, GROUND_TRUTH_CONTEXTS, GT_CHUNK_IDS)?;
        if num_relevant == 0 {
            let list = fields.required(GROUND_TRUTH_CONTEXTS)?;
            let message = "\"ground_truth_contexts\" is empty; expected at least one text";
            return Err(Fault::new(list.start, Reason::MissingField, message));
        }
        if let Some(id) = fields.id(GT_CHUNK_ID)? {
            let known = &mut self.context_ids[first];
            if known.is_empty() {
                *known = id;
            } else if !known.equals(id, fields.bytes()) {
                self.other_gt_chunk_ids += 1;
            }
        }
        self.push_list(fields, NEGATIVE_CONTEXTS, NEGATIVE_CHUNK_IDS)?;
        self.push_grades(fields, num_relevant)?;
        Ok(num_relevant)
    }

    /// Appends the grades of the row's ground truths.
    fn push_grades(
        &mut self,
        fields: &Fields<'_, 9>,
        num_relevant: usize,
    ) -> Result<(), Box<Fault>> {
        let Some(list) = fields.value(GT_GRADES) else {
            if !self.grades.is_empty() {
                self.grades.resize(self.relevant + num_relevant, UNGRADED);
            }
            return Ok(());
        };
        self.grades.resize(self.relevant, UNGRADED);
        fields.for_each(GT_GRADES, list, |value| {
            let grade = fields.as_grade(GT_GRADES, value)?;
            if grade <= 0.0 {
                let message = "an element of \"gt_grades\" is not above 0; expected the grade of \
                               a ground truth, which is relevant";
                return Err(Fault::new(value.start, Reason::NoRelevantChunk, message));
            }
            self.grades.push(grade);
            Ok(())
        })?;
        let given = self.grades.len() - self.relevant;
        if given == num_relevant {
            return Ok(());
        }
        let message = format!(
            "\"gt_grades\" has {given} elements, \"ground_truth_contexts\" has {num_relevant}; \
             expected one grade a text"
        );
        Err(Fault::new(list.start, Reason::LengthMismatch, message))
    }

    /// Appends a list of texts and the ids of these texts. Returns the number of texts.
    fn push_list(
        &mut self,
        fields: &Fields<'_, 9>,
        texts: Field,
        ids: Field,
    ) -> Result<usize, Box<Fault>> {
        let before = self.contexts.len();
        fields.for_each(texts, fields.required(texts)?, |text| {
            self.contexts.push(fields.as_text(texts, text)?);
            Ok(())
        })?;
        let count = self.contexts.len() - before;
        if let Some(list) = fields.value(ids) {
            fields.for_each(ids, list, |id| {
                self.context_ids.push(fields.as_id(ids, id)?);
                Ok(())
            })?;
            let given = self.context_ids.len() - before;
            if given != count {
                let message = format!(
                    "{} has {given} elements, {} has {count}; expected one id a text",
                    fields.name(ids),
                    fields.name(texts)
                );
                return Err(Fault::new(list.start, Reason::LengthMismatch, message));
            }
        }
        self.context_ids
            .resize(self.contexts.len(), Span::default());
        Ok(count)
    }

    /// Joins the columns of all pieces.
    fn joined(pieces: &mut [Self]) -> Self {
        if pieces.iter().any(|piece| !piece.grades.is_empty()) {
            for piece in pieces.iter_mut() {
                piece.grades.resize(piece.relevant, UNGRADED);
            }
        }
        Self {
            relevant: pieces.iter().map(|piece| piece.relevant).sum(),
            grades: concat(pieces, |piece| &piece.grades),
            rows: concat(pieces, |piece| &piece.rows),
            qa_ids: concat(pieces, |piece| &piece.qa_ids),
            questions: concat(pieces, |piece| &piece.questions),
            answers: concat(pieces, |piece| &piece.answers),
            num_relevant: concat(pieces, |piece| &piece.num_relevant),
            contexts: concat(pieces, |piece| &piece.contexts),
            counts: concat(pieces, |piece| &piece.counts),
            context_ids: concat(pieces, |piece| &piece.context_ids),
            other_gt_chunk_ids: pieces.iter().map(|piece| piece.other_gt_chunk_ids).sum(),
            key_cache: KeyCache::default(),
        }
    }

    /// Returns a warning if some ids were not used.
    fn warning(&self, file: &str) -> Option<String> {
        let rows = self.other_gt_chunk_ids;
        (rows > 0).then(|| {
            format!(
                "{file}: in {rows} rows \"gt_chunk_id\" is not the first of \"gt_chunk_ids\"; the \
                 list was used"
            )
        })
    }

    /// Removes the rows in `dropped`, which must ascend.
    fn drop(&mut self, dropped: &[usize]) {
        if dropped.is_empty() {
            return;
        }
        let offsets = offsets(&self.counts);
        let contexts = |&row: &usize| offsets[row] as usize..offsets[row + 1] as usize;
        let dropped_contexts: Vec<usize> = dropped.iter().flat_map(contexts).collect();
        self.contexts = drop_rows(&self.contexts, &dropped_contexts);
        self.context_ids = drop_rows(&self.context_ids, &dropped_contexts);
        if !self.grades.is_empty() {
            let lengths: Vec<usize> = self.num_relevant.iter().map(|&n| n as usize).collect();
            let starts = super::offsets(&lengths);
            let grades = |&row: &usize| starts[row] as usize..starts[row + 1] as usize;
            let dropped_grades: Vec<usize> = dropped.iter().flat_map(grades).collect();
            self.grades = drop_rows(&self.grades, &dropped_grades);
        }
        self.rows = drop_rows(&self.rows, dropped);
        self.qa_ids = drop_rows(&self.qa_ids, dropped);
        self.questions = drop_rows(&self.questions, dropped);
        self.answers = drop_rows(&self.answers, dropped);
        self.num_relevant = drop_rows(&self.num_relevant, dropped);
        self.counts = drop_rows(&self.counts, dropped);
    }
}

/// Deduplicates contexts by text and id, and numbers them by their first appearance. Returns the
/// number of every context, and the index of the first context with each number.
fn deduplicated(bytes: &[u8], columns: &Columns) -> (Vec<i64>, Vec<usize>) {
    let Columns {
        contexts,
        context_ids,
        ..
    } = columns;
    let hashes: Vec<u64> = (contexts.par_iter().zip(context_ids))
        .inspect(|_| check())
        .map(|(text, id)| text.hash(bytes) ^ id.hash(bytes).rotate_left(1))
        .collect();
    let same = |i: usize, j: usize| {
        contexts[i].equals(contexts[j], bytes) && context_ids[i].equals(context_ids[j], bytes)
    };
    let (mut numbers, mut firsts) = (with_capacity(contexts.len()), Vec::new());
    let mut ticks = Ticks::default();
    for (i, first) in FirstOccurrences::of_each(&hashes, same)
        .into_iter()
        .enumerate()
    {
        ticks.tick();
        if first == i {
            numbers.push(firsts.len() as i64);
            push(&mut firsts, i);
        } else {
            numbers.push(numbers[first]);
        }
    }
    (numbers, firsts)
}
