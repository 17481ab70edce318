//! Makes a data set of columns in memory.
//!
//! Columns without a fault are taken as they are. If any row has one, the columns are written as
//! JSONL for the reader of files, which alone knows what to say of it.

mod direct;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use crate::cancel::check;
pub use crate::corpus::Judgements;
use crate::corpus::{
    Dataset, Findings, TextColumn, Titles, checked_chunks, concat, load_annotations,
};
use crate::error::{Error, Result};
use crate::jsonl::{Access, OnError, Source};
use crate::write::{push_list, push_number, push_string};

/// The number of rows that one task writes.
const ROWS_PER_JOB: usize = 1024;

/// The names of the tables in messages.
const QUESTIONS: &str = "questions";
const TEXTS: &str = "texts";

/// The value of a column in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// There is no value.
    Missing,
    Text(Cow<'a, str>),
    /// An integer, such as an id.
    Number(i128),
}

/// A column of texts or integers.
pub trait Cells: Sync {
    /// Returns the number of rows.
    fn rows(&self) -> usize;
    /// Returns the value of a row.
    fn get(&self, row: usize) -> Cell<'_>;
    /// Returns the core's own column if it is one.
    fn texts(&self) -> Option<&TextColumn> {
        None
    }
}

/// The columns of a data set's questions, n rows each.
pub struct QuestionColumns<'a> {
    pub questions: &'a dyn Cells,
    pub ids: Option<&'a dyn Cells>,
    pub answers: Option<&'a dyn Cells>,
    pub judged: Judgements<'a>,
}

/// The columns of a data set's chunks.
pub struct ChunkColumns<'a> {
    pub texts: &'a dyn Cells,
    /// If there are none, the id of a chunk is its row number.
    pub ids: Option<&'a dyn Cells>,
    pub titles: Option<&'a dyn Cells>,
}

/// Makes a data set of columns, the same that files with these rows would give. Annotations are
/// still read from a file.
pub fn data_set(
    questions: &QuestionColumns<'_>,
    chunks: &ChunkColumns<'_>,
    titles: Titles,
    entities: Option<&Path>,
    on_error: OnError,
    access: Access,
) -> Result<Dataset> {
    questions.check(chunks)?;
    chunks.check()?;
    let annotations =
        |findings: &mut Findings| load_annotations(entities, on_error, access, findings);
    let taken = match direct::chunks(chunks, titles) {
        Some(taken) => match direct::questions(questions)? {
            Some(asked) => {
                let mut findings = Findings::new(on_error);
                let annotations = annotations(&mut findings)?;
                return Dataset::of_parts(asked, taken, annotations, findings);
            }
            None => Some(taken),
        },
        None => None,
    };
    let qa = table(QUESTIONS, questions.questions.rows(), |row, out| {
        questions.push_row(chunks, row, out);
    })?;
    let corpus = |findings: &mut Findings| {
        if let Some(taken) = taken {
            return Ok((taken, TEXTS.to_owned()));
        }
        let corpus = table(TEXTS, chunks.texts.rows(), |row, out| {
            chunks.push_row(row, out)
        })?;
        let chunks = checked_chunks(&corpus, titles, on_error, findings)?;
        Ok((chunks, TEXTS.to_owned()))
    };
    Dataset::of_sources(qa, corpus, on_error, annotations)
}

/// Writes the rows of a table as JSONL. `push` appends the members of a row.
fn table(
    name: &'static str,
    rows: usize,
    push: impl Fn(usize, &mut Vec<u8>) + Sync,
) -> Result<Arc<Source>> {
    let numbers: Vec<usize> = (0..rows).collect();
    let jobs: Vec<Vec<u8>> = numbers
        .par_chunks(ROWS_PER_JOB)
        .map(|rows| {
            let mut out = Vec::new();
            for &row in rows {
                check();
                out.push(b'{');
                push(row, &mut out);
                out.extend_from_slice(b"}\n");
            }
            out
        })
        .collect();
    let bytes = concat(&jobs, |lines| lines);
    Ok(Arc::new(Source::of_table(name, bytes)?))
}

impl QuestionColumns<'_> {
    /// Fails if the columns differ in length, or the judgements are invalid.
    fn check(&self, chunks: &ChunkColumns<'_>) -> Result<()> {
        let rows = self.questions.rows();
        check_rows("qa_ids", self.ids, rows, "questions")?;
        check_rows("answers", self.answers, rows, "questions")?;
        let Judgements {
            offsets,
            chunks: judged,
            grades,
        } = self.judged;
        let cut_up = offsets.len() == rows + 1
            && offsets.first() == Some(&0)
            && offsets.is_sorted()
            && offsets.last() == Some(&(judged.len() as i64));
        if !cut_up {
            return Err(Error::Usage(format!(
                "relevant: the offsets do not cut up the chunks; expected {} rising numbers from 0 \
                 to {}, one more than there are questions",
                rows + 1,
                judged.len()
            )));
        }
        let known = 0..chunks.texts.rows() as i64;
        if let Some(place) = judged.iter().position(|chunk| !known.contains(chunk)) {
            let row = offsets.partition_point(|&offset| offset <= place as i64) - 1;
            return Err(Error::Usage(format!(
                "relevant: row {row} has the chunk {}; expected row numbers of texts, from 0 to {}",
                judged[place],
                known.end - 1
            )));
        }
        let Some(grades) = grades else { return Ok(()) };
        if grades.len() != judged.len() {
            return Err(Error::Usage(format!(
                "relevant: {} grades for {} chunks; expected one for each",
                grades.len(),
                judged.len()
            )));
        }
        let Some(place) = grades.iter().position(|grade| !grade.is_finite()) else {
            return Ok(());
        };
        let row = offsets.partition_point(|&offset| offset <= place as i64) - 1;
        Err(Error::Usage(format!(
            "relevant: row {row} has the grade {}; expected finite numbers",
            grades[place]
        )))
    }

    /// Appends the members of a question.
    fn push_row(&self, chunks: &ChunkColumns<'_>, row: usize, out: &mut Vec<u8>) {
        let Judgements {
            offsets,
            chunks: judged,
            grades,
        } = self.judged;
        let own = offsets[row] as usize..offsets[row + 1] as usize;
        push_member(out, "question", &self.questions.get(row));
        push_optional(out, "qa_id", self.ids, row);
        push_name(out, "chunk_ids");
        push_list(out, &judged[own.clone()], |&chunk, out| {
            push_cell(out, &chunks.id(chunk as usize));
        });
        if let Some(grades) = grades {
            push_name(out, "grades");
            push_list(out, &grades[own], |&grade, out| push_number(out, grade));
        }
        push_optional(out, "answer", self.answers, row);
    }
}

impl ChunkColumns<'_> {
    /// Fails if the columns differ in length.
    fn check(&self) -> Result<()> {
        let rows = self.texts.rows();
        check_rows("chunk_ids", self.ids, rows, "texts")?;
        check_rows("titles", self.titles, rows, "texts")
    }

    /// Returns the id of a chunk.
    fn id(&self, row: usize) -> Cell<'_> {
        self.ids
            .map_or(Cell::Number(row as i128), |ids| ids.get(row))
    }

    /// Appends the members of a chunk.
    fn push_row(&self, row: usize, out: &mut Vec<u8>) {
        push_member(out, "chunk_id", &self.id(row));
        push_member(out, "text", &self.texts.get(row));
        push_optional(out, "title", self.titles, row);
    }
}

/// Fails if a column does not have this number of rows.
fn check_rows(name: &str, column: Option<&dyn Cells>, rows: usize, of: &str) -> Result<()> {
    match column {
        Some(column) if column.rows() != rows => Err(Error::Usage(format!(
            "{name} has {} rows, {of} has {rows}; expected as many",
            column.rows()
        ))),
        _ => Ok(()),
    }
}

/// Appends a member if there is such a column and the row has a value.
fn push_optional(out: &mut Vec<u8>, name: &str, column: Option<&dyn Cells>, row: usize) {
    if let Some(column) = column {
        push_member(out, name, &column.get(row));
    }
}

/// Appends a member if the row has a value.
fn push_member(out: &mut Vec<u8>, name: &str, cell: &Cell<'_>) {
    if *cell != Cell::Missing {
        push_name(out, name);
        push_cell(out, cell);
    }
}

/// Appends a member's name, after a comma if it is not the first.
fn push_name(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.extend_from_slice(b", ");
    }
    push_string(out, name);
    out.extend_from_slice(b": ");
}

/// Appends a value as JSON.
fn push_cell(out: &mut Vec<u8>, cell: &Cell<'_>) {
    match cell {
        Cell::Missing => out.extend_from_slice(b"null"),
        Cell::Text(text) => push_string(out, text),
        Cell::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
    }
}
