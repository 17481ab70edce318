//! Judgements of which chunk is relevant to which question, as lines of a table: BEIR's qrels.
//!
//! A line has the id of a question, the id of a chunk and a grade, with tabs between them. The
//! first line may name the columns. A grade of 0 says that the chunk is not relevant.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::chunks::{Chunks, Titles};
use super::column::Span;
use super::grades::Relevant;
use super::queries::Queries;
use super::{Dataset, Findings, checked_chunks, concat, load_annotations};
use crate::cancel::check;
use crate::dedup::{FirstOccurrences, hash};
use crate::error::{Error, Fault, Reason, Result, quoted};
use crate::jsonl::{Access, OnError, REJECT_BYTES, Reject, Row, Source};
use crate::memory::{Allowance, ensure_available, with_capacity};

/// The names of the columns in a header, in small letters and with `-` for `_`.
const HEADER: [&str; 3] = ["query-id", "corpus-id", "score"];

/// Stands for the file of a question that no file judges yet.
const NO_FILE: i64 = -1;

/// The files of a data set that has questions, chunks and judgements in files of their own.
#[derive(Debug, Clone, Copy)]
pub struct QrelsFiles<'a> {
    pub queries: &'a Path,
    pub corpus: &'a Path,
    /// The files of judgements. A question may stand in one of them only.
    pub qrels: &'a [PathBuf],
    pub entities: Option<&'a Path>,
    pub titles: Titles,
}

/// A data set of the questions that have a relevant chunk, and where each is judged.
#[derive(Debug)]
pub struct Judged {
    pub dataset: Dataset,
    /// For each question the index of the file that judges it.
    pub files: Vec<i64>,
}

/// The judgements of a file, or of a piece of it, with ids that are not looked up yet.
#[derive(Debug, Default)]
pub struct QrelsRows {
    pub rows: Vec<Range<usize>>,
    pub questions: Vec<Span>,
    pub chunks: Vec<Span>,
    pub grades: Vec<u32>,
}

impl QrelsRows {
    /// Reads the lines of a file. Also returns the rejected lines, and whether there is a header.
    pub fn read(source: &Source, on_error: OnError) -> (Self, Vec<Reject>, bool) {
        let first = source.first_row();
        let header = first.filter(|first| is_header(&source.bytes()[first.clone()]));
        let parsed = source.parse(on_error, |columns: &mut Self, row| match &header {
            Some(header) if header.start == row.start() => Ok(()),
            _ => columns.push(row),
        });
        let pieces = &parsed.pieces;
        let rows = Self {
            rows: concat(pieces, |piece| &piece.rows),
            questions: concat(pieces, |piece| &piece.questions),
            chunks: concat(pieces, |piece| &piece.chunks),
            grades: concat(pieces, |piece| &piece.grades),
        };
        (rows, parsed.rejects, header.is_some())
    }

    fn push(&mut self, row: Row<'_>) -> Result<(), Box<Fault>> {
        let [question, chunk, grade] = columns(row)?;
        let question = id(question, HEADER[0])?;
        let chunk = id(chunk, HEADER[1])?;
        self.grades.push(grade_of(row, grade)?);
        self.rows.push(row.range());
        self.questions.push(question);
        self.chunks.push(chunk);
        Ok(())
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn reject(&self, row: usize, fault: Box<Fault>) -> Reject {
        Reject {
            row: self.rows[row].clone(),
            fault,
        }
    }
}

fn is_header(line: &[u8]) -> bool {
    let mut names = line.split(|&byte| byte == b'\t');
    HEADER.iter().all(|expected| {
        names.next().is_some_and(|name| {
            let name: Vec<u8> = name
                .iter()
                .map(|byte| {
                    if *byte == b'_' {
                        b'-'
                    } else {
                        byte.to_ascii_lowercase()
                    }
                })
                .collect();
            name == expected.as_bytes()
        })
    }) && names.next().is_none()
}

/// Returns the byte ranges of a line's three fields. Fails if it has more or fewer.
fn columns(row: Row<'_>) -> Result<[Range<usize>; 3], Box<Fault>> {
    let line = &row.bytes()[row.start()..];
    let mut tabs = memchr::memchr_iter(b'\t', line).map(|tab| row.start() + tab);
    if let (Some(first), Some(second), None) = (tabs.next(), tabs.next(), tabs.next()) {
        let end = row.bytes().len();
        return Ok([row.start()..first, first + 1..second, second + 1..end]);
    }
    let count = memchr::memchr_iter(b'\t', line).count() + 1;
    let message = format!(
        "the line has {count} {}; expected 3 with tabs between them: {}",
        if count == 1 { "column" } else { "columns" },
        HEADER.join(", ")
    );
    Err(Fault::new(row.start(), Reason::WrongColumns, message))
}

fn id(field: Range<usize>, name: &str) -> Result<Span, Box<Fault>> {
    if field.is_empty() {
        let message = format!("{name} is empty; expected an id");
        return Err(Fault::new(field.start, Reason::EmptyId, message));
    }
    Ok(Span::plain(field))
}

/// Reads the grade in a field; white space around it is ignored.
fn grade_of(row: Row<'_>, field: Range<usize>) -> Result<u32, Box<Fault>> {
    let written = &row.bytes()[field.clone()];
    let digits = written.trim_ascii();
    let grade = std::str::from_utf8(digits).ok().and_then(|digits| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten()
    });
    grade.ok_or_else(|| {
        let message = format!(
            "the score is {}; expected a whole number from 0, not relevant, to {}",
            quoted(&String::from_utf8_lossy(written)),
            u32::MAX
        );
        Fault::new(field.start, Reason::WrongGrade, message)
    })
}

/// The grade of a chunk for a question, both by index.
#[derive(Debug, Clone, Copy)]
struct Judgement {
    question: usize,
    chunk: usize,
    grade: u32,
}

/// The judgements of several files.
struct Judgements<'a> {
    queries: &'a Queries,
    chunks: &'a Chunks,
    /// The names of the files of questions and chunks, for messages.
    names: [&'a str; 2],
    qrels: &'a [PathBuf],
    all: Vec<Judgement>,
    /// For each question the index of the file that judges it, or [`NO_FILE`].
    file_of: Vec<i64>,
}

impl Judgements<'_> {
    /// Reads a file and adds its judgements. Fails if it has none.
    fn read(
        &mut self,
        file: usize,
        on_error: OnError,
        access: Access,
        findings: &mut Findings,
    ) -> Result<()> {
        let source = Arc::new(Source::open_table(&self.qrels[file], access.copied())?);
        let (rows, mut rejects, has_header) = QrelsRows::read(&source, on_error);
        let (found, unknown) = self.resolve(&source, &rows, file);
        rejects.extend(unknown);
        let repeated = self.add(&source, &rows, &found, &mut rejects);
        findings.reject(&source, rejects)?;
        if self.all.is_empty() || found.is_empty() {
            return Err(no_judgements_error(findings, &source));
        }
        findings.warn_of_table(&source, has_header, repeated);
        let is_zero = |&row: &usize| rows.grades[row] == 0;
        let zeros = found
            .iter()
            .map(|(row, _)| row)
            .filter(|row| is_zero(row))
            .count();
        findings.warn_of_not_relevant(&source, zeros);
        Ok(())
    }

    /// Looks up the ids of a file's lines. Also returns the lines whose ids are unknown, or whose
    /// question another file judges.
    fn resolve(
        &mut self,
        source: &Source,
        rows: &QrelsRows,
        file: usize,
    ) -> (Vec<(usize, Judgement)>, Vec<Reject>) {
        let bytes = source.bytes();
        let looked_up: Vec<(Option<usize>, Option<usize>)> = (0..rows.len())
            .into_par_iter()
            .map(|row| {
                check();
                let question = self.queries.find(&rows.questions[row].decode(bytes));
                (question, self.chunks.find(&rows.chunks[row].decode(bytes)))
            })
            .collect();
        let (mut found, mut rejects) = (with_capacity(rows.len()), Vec::new());
        let noted = Allowance::new(REJECT_BYTES);
        for (row, looked_up) in looked_up.into_iter().enumerate() {
            check();
            let fault = match looked_up {
                (Some(question), Some(chunk)) => {
                    let other = self.file_of[question];
                    if other == NO_FILE || other == file as i64 {
                        self.file_of[question] = file as i64;
                        let grade = rows.grades[row];
                        found.push((
                            row,
                            Judgement {
                                question,
                                chunk,
                                grade,
                            },
                        ));
                        continue;
                    }
                    let other = &self.qrels[other as usize];
                    let message = format!(
                        "the question {} is judged in {} too; expected each question in one file",
                        quoted(&rows.questions[row].decode(bytes)),
                        other.display()
                    );
                    Fault::new(rows.questions[row].start(), Reason::OnTwoSides, message)
                }
                (None, _) => unknown(
                    bytes,
                    rows.questions[row],
                    Reason::UnknownQuestion,
                    self.names[0],
                ),
                _ => unknown(bytes, rows.chunks[row], Reason::UnknownChunk, self.names[1]),
            };
            noted.take();
            rejects.push(rows.reject(row, fault));
        }
        (found, rejects)
    }

    /// Adds each pair of a question and a chunk once. Returns the number of lines that repeat an
    /// earlier one; lines that contradict an earlier one are rejected.
    fn add(
        &mut self,
        source: &Source,
        rows: &QrelsRows,
        found: &[(usize, Judgement)],
        rejects: &mut Vec<Reject>,
    ) -> usize {
        let pair = |place: usize| (found[place].1.question, found[place].1.chunk);
        let mut hashes = with_capacity(found.len());
        hashes.extend((0..found.len()).map(|place| {
            check();
            let (question, chunk) = pair(place);
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&question.to_le_bytes());
            bytes[8..].copy_from_slice(&chunk.to_le_bytes());
            hash(&bytes)
        }));
        let firsts = FirstOccurrences::of_each(&hashes, |a, b| pair(a) == pair(b));
        let (mut repeated, noted) = (0, Allowance::new(REJECT_BYTES));
        ensure_available((self.all.len() + found.len()) * size_of::<Judgement>());
        for (place, first) in firsts.into_iter().enumerate() {
            check();
            let (row, judgement) = found[place];
            if first == place {
                self.all.push(judgement);
            } else if found[first].1.grade == judgement.grade {
                repeated += 1;
            } else {
                let message = format!(
                    "the chunk {} has been judged otherwise for this question before; expected \
                     one score for the two",
                    quoted(&rows.chunks[row].decode(source.bytes()))
                );
                let at = rows.chunks[row].start();
                noted.take();
                rejects.push(rows.reject(row, Fault::new(at, Reason::RepeatedChunk, message)));
            }
        }
        repeated
    }

    /// Returns the questions that have a relevant chunk, and the relevant chunks of each.
    fn relevant(&self) -> (Vec<usize>, Relevant) {
        let mut counts = with_capacity(self.file_of.len());
        counts.resize(self.file_of.len(), 0);
        for judgement in &self.all {
            counts[judgement.question] += 1;
        }
        let mut next = super::offsets(&counts);
        let mut ordered = with_capacity(self.all.len());
        ordered.resize(self.all.len(), 0);
        for (number, judgement) in self.all.iter().enumerate() {
            ordered[next[judgement.question] as usize] = number;
            next[judgement.question] += 1;
        }
        let (mut kept, mut lengths) = (with_capacity(counts.len()), with_capacity(counts.len()));
        let (mut chunks, mut grades) = (with_capacity(ordered.len()), with_capacity(ordered.len()));
        let mut start = 0;
        for (question, &count) in counts.iter().enumerate() {
            check();
            let own = ordered[start..start + count]
                .iter()
                .map(|&number| self.all[number]);
            start += count;
            if own.clone().all(|judgement| judgement.grade == 0) {
                continue;
            }
            kept.push(question);
            lengths.push(count);
            chunks.extend(own.clone().map(|judgement| judgement.chunk as i64));
            grades.extend(own.map(|judgement| f64::from(judgement.grade)));
        }
        let relevant = Relevant::of(chunks, &grades, lengths);
        (kept, relevant)
    }
}

fn unknown(bytes: &[u8], id: Span, reason: Reason, name: &str) -> Box<Fault> {
    let what = match reason {
        Reason::UnknownQuestion => "question",
        _ => "chunk",
    };
    let message = format!(
        "the {what} {} is not in {name}; expected the id of a {what} there",
        quoted(&id.decode(bytes))
    );
    Fault::new(id.start(), reason, message)
}

fn no_judgements_error(findings: &Findings, source: &Arc<Source>) -> Error {
    if findings
        .rejected
        .iter()
        .any(|row| Arc::ptr_eq(&row.source, source))
    {
        return findings.no_rows_error(source);
    }
    let message = format!(
        "the file judges nothing; expected lines of {}, with tabs between them",
        HEADER.join(", ")
    );
    source.error_at(0, Reason::EmptyFile, message)
}

impl Judged {
    /// Loads and checks a data set.
    ///
    /// # Errors
    /// A file cannot be read, or holds a bad row that `on_error` does not allow, or no question has a
    /// relevant chunk.
    pub fn load(files: QrelsFiles<'_>, on_error: OnError, access: Access) -> Result<Self> {
        let mut findings = Findings::new(on_error);
        let source = Arc::new(Source::open(files.queries, access)?);
        let (queries, rejects) = Queries::read(&source, on_error);
        findings.reject(&source, rejects)?;
        findings.warn_of_ignored(&source, queries.ignored());
        if queries.len() == 0 {
            return Err(findings.no_rows_error(&source));
        }
        let corpus = Arc::new(Source::open(files.corpus, access)?);
        let chunks = checked_chunks(&corpus, files.titles, on_error, &mut findings)?;
        let annotations = load_annotations(files.entities, on_error, access, &mut findings)?;

        let mut file_of = with_capacity(queries.len());
        file_of.resize(queries.len(), NO_FILE);
        let mut judgements = Judgements {
            queries: &queries,
            chunks: &chunks,
            names: [source.name(), corpus.name()],
            qrels: files.qrels,
            all: Vec::new(),
            file_of,
        };
        for file in 0..files.qrels.len() {
            judgements.read(file, on_error, access, &mut findings)?;
        }
        let (kept, relevant) = judgements.relevant();
        if kept.is_empty() {
            let message = "no question has a relevant chunk; expected a score above 0 for one";
            return Err(source.error_at(0, Reason::NoRelevantChunk, message.to_owned()));
        }
        findings.warn_of_unjudged(&source, queries.len() - kept.len(), queries.len());
        let file_of = &judgements.file_of;
        let mut of_kept = with_capacity(kept.len());
        of_kept.extend(kept.iter().map(|&question| file_of[question]));
        let mut questions = queries.judged(&kept, relevant);
        findings
            .warnings
            .extend(questions.share_ground_truths(&chunks)?);
        let dataset = Dataset {
            questions,
            chunks: Arc::new(chunks),
            annotations,
            findings,
        };
        Ok(Self {
            dataset,
            files: of_kept,
        })
    }
}
