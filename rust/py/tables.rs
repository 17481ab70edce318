//! Data sets, samples and rankings as tables of Arrow.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array};
use arrow_schema::ArrowError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::PyDataset;
use super::arrays::PyRanking;
use super::arrow::{Asked, PyTable, Rows, gathered, lists_of, table, texts_of};
use super::samples::PySamples;
use crate::corpus::{Grades, TextColumn, UNGRADED};

type Columns = Result<Vec<(String, ArrayRef)>, ArrowError>;

/// The questions of a data set, under the names that rows of a file have.
struct Questions(Py<PyDataset>);

impl Rows for Questions {
    fn len(&self) -> usize {
        self.0.get().dataset.questions.ids.len()
    }

    fn columns(&self, rows: Range<usize>, asked: &Asked) -> Columns {
        let dataset = &self.0.get().dataset;
        let questions = &dataset.questions;
        let own = |row| {
            let [start, end] = [questions.offsets[row], questions.offsets[row + 1]];
            &questions.relevant[start as usize..end as usize]
        };
        let ids = &dataset.chunks.ids;
        let ids = texts_in_lists("chunk_ids", ids, rows.clone(), own, asked)?;
        Ok(vec![
            texts("qa_id", &questions.ids, &rows, asked)?,
            texts("question", &questions.questions, &rows, asked)?,
            texts("answer", &questions.answers, &rows, asked)?,
            ids,
            (
                "grades".to_owned(),
                grades_in_lists(&questions.grades, rows, |row| own(row).len())?,
            ),
        ])
    }
}

/// The chunks of a data set.
struct Chunks(Py<PyDataset>);

impl Rows for Chunks {
    fn len(&self) -> usize {
        self.0.get().dataset.chunks.len()
    }

    fn columns(&self, rows: Range<usize>, asked: &Asked) -> Columns {
        let chunks = &self.0.get().dataset.chunks;
        Ok(vec![
            texts("chunk_id", &chunks.ids, &rows, asked)?,
            texts("title", &chunks.titles, &rows, asked)?,
            texts("text", &chunks.texts, &rows, asked)?,
        ])
    }
}

/// Samples, under the names that rows of a file have.
struct Constructed(Py<PySamples>);

impl Rows for Constructed {
    fn len(&self) -> usize {
        self.0.get().samples.len()
    }

    fn columns(&self, rows: Range<usize>, asked: &Asked) -> Columns {
        let samples = &self.0.get().samples;
        let relevant = |row| samples.relevant_and_negative(row).0;
        let negative = |row| samples.relevant_and_negative(row).1;
        let (contexts, ids) = (&samples.contexts, &samples.context_ids);
        let relevant_of = |name, column| {
            let rows = rows.clone();
            texts_in_lists(name, column, rows, relevant, asked)
        };
        let negative_of = |name, column| {
            let rows = rows.clone();
            texts_in_lists(name, column, rows, negative, asked)
        };
        let grades = grades_in_lists(&samples.grades, rows.clone(), |row| relevant(row).len())?;
        Ok(vec![
            texts("question", &samples.questions, &rows, asked)?,
            relevant_of("ground_truth_contexts", contexts)?,
            negative_of("negative_contexts", contexts)?,
            texts("qa_id", &samples.qa_ids, &rows, asked)?,
            relevant_of("gt_chunk_ids", ids)?,
            ("gt_grades".to_owned(), grades),
            negative_of("negative_chunk_ids", ids)?,
            texts("answer", &samples.answers, &rows, asked)?,
        ])
    }
}

pub fn of_questions(dataset: Py<PyDataset>) -> PyTable {
    PyTable::of(Questions(dataset))
}

pub fn of_chunks(dataset: Py<PyDataset>) -> PyTable {
    PyTable::of(Chunks(dataset))
}

pub fn of_samples(samples: Py<PySamples>) -> PyTable {
    PyTable::of(Constructed(samples))
}

/// The metrics of each list, by the names that Python knows them by.
pub fn of_ranking(ranking: &Bound<'_, PyRanking>) -> PyResult<PyTable> {
    let columns = PyDict::new(ranking.py());
    for name in ["rank", "ties", "reciprocal_rank", "average_precision"] {
        columns.set_item(name, ranking.getattr(name)?)?;
    }
    columns.set_item("ndcg10", ranking.call_method1("ndcg", (10,))?)?;
    table(&columns)
}

fn texts(
    name: &str,
    column: &TextColumn,
    rows: &Range<usize>,
    asked: &Asked,
) -> Result<(String, ArrayRef), ArrowError> {
    let made = texts_of(column, rows.clone(), asked.texts(name))?;
    Ok((name.to_owned(), made))
}

fn texts_in_lists<'a>(
    name: &str,
    column: &TextColumn,
    rows: Range<usize>,
    of: impl Fn(usize) -> &'a [i64],
    asked: &Asked,
) -> Result<(String, ArrayRef), ArrowError> {
    let (offsets, places) = gathered(rows, |row, places| {
        places.extend(of(row).iter().map(|&place| place as usize));
    });
    let items = texts_of(column, places.iter().copied(), asked.lists(name))?;
    Ok((name.to_owned(), lists_of(offsets, items)?))
}

/// A grade stands for each ground truth: 1 where the data have none.
fn grades_in_lists(
    grades: &Grades,
    rows: Range<usize>,
    count: impl Fn(usize) -> usize,
) -> Result<ArrayRef, ArrowError> {
    let (offsets, values) = gathered(rows, |row, values| match grades.of(row) {
        [] => values.resize(values.len() + count(row), UNGRADED),
        own => values.extend_from_slice(own),
    });
    lists_of(offsets, Arc::new(Float64Array::from(values)))
}
