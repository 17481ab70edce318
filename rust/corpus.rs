//! A data set in columns: questions, chunks, annotations, and the rejected rows.

mod annotations;
mod chunks;
mod column;
mod fields;
mod given;
mod grades;
mod qrels;
mod queries;
mod questions;
mod shared;
mod views;
mod written;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use crate::cancel::check;
use crate::error::{Error, InputError, Result};
use crate::jsonl::{Access, OnError, Reject, Rejected, Source};
use crate::memory::with_capacity;
use crate::write::{lines, push_string};
use questions::Unresolved;

pub use annotations::{Annotations, Matched, Spans};
pub use chunks::{Chunks, Titles};
pub use column::{Bytes, Span, TextColumn};
pub(crate) use fields::{Field, Fields, Ignored, key_text};
pub(crate) use given::Given;
pub use given::Judgements;
pub(crate) use grades::{Graded, Grades, UNGRADED};
pub use qrels::{Judged, QrelsFiles, QrelsRows};
pub use questions::Questions;
pub(crate) use questions::{repeated_id, repeated_ids};
pub(crate) use shared::SharedGroundTruths;
pub use views::Views;
pub use written::write_annotations;

/// The questions of a data set, its chunks, and its annotations if there are any.
#[derive(Debug)]
pub struct Dataset {
    pub questions: Questions,
    pub chunks: Arc<Chunks>,
    pub annotations: Option<Annotations>,
    pub findings: Findings,
}

impl Dataset {
    /// Loads a data set from files: checks each file by itself, then the references between them.
    pub fn load(
        qa: &Path,
        chunks: &Path,
        entities: Option<&Path>,
        titles: Titles,
        on_error: OnError,
        access: Access,
    ) -> Result<Self> {
        let qa = Arc::new(Source::open(qa, access)?);
        let corpus = |findings: &mut Findings| {
            let corpus = Arc::new(Source::open(chunks, access)?);
            let chunks = checked_chunks(&corpus, titles, on_error, findings)?;
            Ok((chunks, corpus.name().to_owned()))
        };
        Self::of_sources(qa, corpus, on_error, |findings| {
            load_annotations(entities, on_error, access, findings)
        })
    }

    /// Loads a data set from sources. `corpus` loads the chunks and tells their name, and
    /// `annotations` loads the annotations, when they are needed.
    pub(crate) fn of_sources(
        qa: Arc<Source>,
        corpus: impl FnOnce(&mut Findings) -> Result<(Chunks, String)>,
        on_error: OnError,
        annotations: impl FnOnce(&mut Findings) -> Result<Option<Annotations>>,
    ) -> Result<Self> {
        let mut findings = Findings::new(on_error);

        let (questions, rejects) = Unresolved::read(&qa, on_error);
        findings.reject(&qa, rejects)?;
        findings.warn_of_ignored(&qa, questions.ignored());

        let (chunks, name) = corpus(&mut findings)?;
        let annotations = annotations(&mut findings)?;

        let (questions, rejects) = questions.resolve(&chunks, &name);
        findings.reject(&qa, rejects)?;
        if questions.ids.is_empty() {
            return Err(findings.no_rows_error(&qa));
        }
        Self::of_parts(questions, chunks, annotations, findings)
    }

    /// Puts a data set together of questions whose chunks were found.
    pub(crate) fn of_parts(
        mut questions: Questions,
        chunks: Chunks,
        annotations: Option<Annotations>,
        mut findings: Findings,
    ) -> Result<Self> {
        findings.warn_of_not_relevant(&questions.source, questions.not_relevant);
        findings
            .warnings
            .extend(questions.share_ground_truths(&chunks)?);
        Ok(Self {
            questions,
            chunks: Arc::new(chunks),
            annotations,
            findings,
        })
    }

    /// Returns a data set of the questions at the rising indices `rows`, over the same chunks. It has
    /// no annotations.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            questions: self.questions.select(rows),
            chunks: Arc::clone(&self.chunks),
            annotations: None,
            findings: self.findings.clone(),
        }
    }
}

/// Loads a corpus without questions. Bad rows are left out if `on_error` allows it.
pub fn load_chunks(path: &Path, on_error: OnError, access: Access) -> Result<(Chunks, Findings)> {
    let corpus = Arc::new(Source::open(path, access)?);
    let mut findings = Findings::new(on_error);
    let chunks = checked_chunks(&corpus, Titles::Apart, on_error, &mut findings)?;
    Ok((chunks, findings))
}

/// Reads the annotations of a data set, if it has any.
pub(crate) fn load_annotations(
    path: Option<&Path>,
    on_error: OnError,
    access: Access,
    findings: &mut Findings,
) -> Result<Option<Annotations>> {
    let Some(path) = path else {
        return Ok(None);
    };
    let annotations = Annotations::load(path, on_error, access.copied())?;
    let rejected = &annotations.findings.rejected;
    findings.rejected.extend_from_slice(rejected);
    Ok(Some(annotations))
}

/// Reads the chunks of a corpus. Fails if no row is usable.
pub(crate) fn checked_chunks(
    corpus: &Arc<Source>,
    titles: Titles,
    on_error: OnError,
    findings: &mut Findings,
) -> Result<Chunks> {
    let (chunks, rejects) = Chunks::read(corpus, titles, on_error);
    findings.reject(corpus, rejects)?;
    findings.warn_of_repeats(corpus, chunks.repeated);
    findings.warn_of_ignored(corpus, &chunks.ignored);
    if chunks.is_empty() {
        return Err(findings.no_rows_error(corpus));
    }
    Ok(chunks)
}

/// The rejected rows and the warnings of a loading.
#[derive(Debug, Clone)]
pub struct Findings {
    on_error: OnError,
    pub rejected: Vec<Rejected>,
    pub warnings: Vec<String>,
}

impl Findings {
    pub(crate) fn new(on_error: OnError) -> Self {
        Self {
            on_error,
            rejected: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Records rejected rows. Under [`OnError::Strict`] returns the first of them as the error
    /// instead.
    pub(crate) fn reject(&mut self, source: &Arc<Source>, mut rejects: Vec<Reject>) -> Result<()> {
        if self.on_error == OnError::Strict {
            rejects = rejects
                .into_iter()
                .min_by_key(Reject::place)
                .into_iter()
                .collect();
        }
        let mut rejected = source.locate(rejects);
        if self.on_error == OnError::Strict
            && let Some(first) = rejected.pop()
        {
            return Err(Error::from(first));
        }
        self.rejected.extend(rejected);
        Ok(())
    }

    /// Returns the error of a file whose rows were all rejected. It points to the first row and
    /// counts the reasons.
    pub(crate) fn no_rows_error(&self, source: &Arc<Source>) -> Error {
        let of_file = || {
            let rejected = self.rejected.iter();
            rejected.filter(|rejected| Arc::ptr_eq(&rejected.source, source))
        };
        // References to other files are checked last, so the first rejected row may not come first
        // here.
        let Some(first) = of_file().min_by_key(|rejected| (rejected.line, rejected.column)) else {
            return source.no_rows_error("no row of the file can be used");
        };
        let mut counts = BTreeMap::<&str, usize>::new();
        for rejected in of_file() {
            *counts.entry(rejected.reason.as_str()).or_default() += 1;
        }
        let counts: Vec<String> = counts
            .into_iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        let message = format!(
            "every row of the file was rejected: {}; the first, here: {}; expected at least one row \
             to use: check that this is the right file and that it belongs to the others",
            counts.join(", "),
            first.message
        );
        Error::from(InputError {
            file: source.name().to_owned(),
            line: first.line,
            column: first.column,
            reason: first.reason,
            message,
        })
    }

    fn warn_of_repeats(&mut self, source: &Source, repeated: usize) {
        if repeated > 0 {
            self.warnings.push(format!(
                "{}: {repeated} rows repeat the id and the text of an earlier chunk; the first of \
                 each was used",
                source.name()
            ));
        }
    }

    fn warn_of_not_relevant(&mut self, source: &Source, chunks: usize) {
        if chunks > 0 {
            self.warnings.push(format!(
                "{}: {chunks} chunks have a grade of 0 or less: they are not relevant, and count \
                 as chunks that nobody judged",
                source.name()
            ));
        }
    }

    fn warn_of_table(&mut self, source: &Source, has_header: bool, repeated: usize) {
        let name = source.name();
        if !has_header {
            self.warnings.push(format!(
                "{name}: the first line names no columns; it was read as a judgement"
            ));
        }
        if repeated > 0 {
            self.warnings.push(format!(
                "{name}: {repeated} lines repeat an earlier one; the first of each was used"
            ));
        }
    }

    fn warn_of_unjudged(&mut self, source: &Source, unjudged: usize, of: usize) {
        if unjudged > 0 {
            self.warnings.push(format!(
                "{}: {unjudged} of {of} questions have no relevant chunk in the qrels; they are \
                 left out",
                source.name()
            ));
        }
    }

    pub(crate) fn warn_of_ignored(&mut self, source: &Source, ignored: &Ignored) {
        self.warnings.extend(ignored.warnings(source.name()));
    }

    /// Writes the rejected rows as JSONL.
    pub fn write_rejected(&self, path: &Path) -> Result<()> {
        lines(path, self.rejected.len(), |i, out| {
            let rejected = &self.rejected[i];
            out.extend_from_slice(b"{\"file\": ");
            push_string(out, rejected.file());
            let place = (rejected.line, rejected.column);
            out.extend_from_slice(
                format!(", \"line\": {}, \"column\": {}", place.0, place.1).as_bytes(),
            );
            out.extend_from_slice(b", \"reason\": ");
            push_string(out, rejected.reason.as_str());
            out.extend_from_slice(b", \"message\": ");
            push_string(out, &rejected.message);
            out.extend_from_slice(b", \"row\": ");
            push_string(out, &rejected.row());
            out.push(b'}');
        })?;
        Ok(())
    }

    /// Counts the rejected rows by reason.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for rejected in &self.rejected {
            *counts.entry(rejected.reason.as_str()).or_default() += 1;
        }
        counts
    }
}

/// Concatenates one column of all pieces, in parallel.
pub(crate) fn concat<P, T>(pieces: &[P], column: impl Fn(&P) -> &Vec<T> + Sync) -> Vec<T>
where
    P: Sync,
    T: Clone + Send + Sync,
{
    let len = pieces.iter().map(|piece| column(piece).len()).sum();
    let mut whole = with_capacity(len);
    let mut rest = &mut whole.spare_capacity_mut()[..len];
    let mut parts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let part;
        (part, rest) = rest.split_at_mut(column(piece).len());
        parts.push(part);
    }
    parts.into_par_iter().zip(pieces).for_each(|(part, piece)| {
        check();
        for (place, value) in part.iter_mut().zip(column(piece)) {
            place.write(value.clone());
        }
    });
    // SAFETY: the parts cover the first `len` places, and each part was filled completely.
    unsafe { whole.set_len(len) };
    whole
}

/// Copies a column without the rows in `dropped`, which must ascend.
pub(crate) fn drop_rows<T: Clone>(column: &[T], dropped: &[usize]) -> Vec<T> {
    let mut kept = with_capacity(column.len() - dropped.len());
    let mut from = 0;
    for &row in dropped {
        kept.extend_from_slice(&column[from..row]);
        from = row + 1;
    }
    kept.extend_from_slice(&column[from..]);
    kept
}

/// Returns the CSR offsets of lists with these lengths: the start of each list, then the end of the
/// last.
pub(crate) fn offsets(lengths: &[usize]) -> Vec<i64> {
    let mut offsets = with_capacity(lengths.len() + 1);
    let mut end = 0;
    offsets.push(end);
    offsets.extend(lengths.iter().map(|&length| {
        end += length as i64;
        end
    }));
    offsets
}
