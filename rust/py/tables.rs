//! Data sets, samples and rankings as tables of Arrow.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array};
use arrow_schema::ArrowError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::PyDataset;
use super::arrays::PyRanking;
use super::arrow::{PyTable, Rows, gathered, lists_of, table, texts_of};
use super::samples::PySamples;
use crate::corpus::{Grades, TextColumn, UNGRADED};

type Columns = Result<Vec<(String, ArrayRef)>, ArrowError>;

/// The questions of a data set, under the names that rows of a file have.
struct Questions(Py<PyDataset>);

impl Rows for Questions {
    fn len(&self) -> usize {
        self.0.get().dataset.questions.ids.len()
    }

    fn columns(&self, rows: Range<usize>) -> Columns {
        let dataset = &self.0.get().dataset;
        let questions = &dataset.questions;
        let own = |row| {
            let [start, end] = [questions.offsets[row], questions.offsets[row + 1]];
            &questions.relevant[start as usize..end as usize]
        };
        let ids = texts_in_lists(&dataset.chunks.ids, rows.clone(), own)?;
        Ok(vec![
            texts("qa_id", &questions.ids, &rows)?,
            texts("question", &questions.questions, &rows)?,
            texts("answer", &questions.answers, &rows)?,
            ("chunk_ids".to_owned(), ids),
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

    fn columns(&self, rows: Range<usize>) -> Columns {
        let chunks = &self.0.get().dataset.chunks;
        Ok(vec![
            texts("chunk_id", &chunks.ids, &rows)?,
            texts("title", &chunks.titles, &rows)?,
            texts("text", &chunks.texts, &rows)?,
        ])
    }
}

/// Samples, under the names that rows of a file have.
struct Constructed(Py<PySamples>);

impl Rows for Constructed {
    fn len(&self) -> usize {
        self.0.get().samples.len()
    }

    fn columns(&self, rows: Range<usize>) -> Columns {
        let samples = &self.0.get().samples;
        let relevant = |row| samples.relevant_and_negative(row).0;
        let negative = |row| samples.relevant_and_negative(row).1;
        let (contexts, ids) = (&samples.contexts, &samples.context_ids);
        let own = texts_in_lists(contexts, rows.clone(), relevant)?;
        let own_ids = texts_in_lists(ids, rows.clone(), relevant)?;
        let grades = grades_in_lists(&samples.grades, rows.clone(), |row| relevant(row).len())?;
        let others = texts_in_lists(contexts, rows.clone(), negative)?;
        let other_ids = texts_in_lists(ids, rows.clone(), negative)?;
        Ok(vec![
            texts("question", &samples.questions, &rows)?,
            ("ground_truth_contexts".to_owned(), own),
            ("negative_contexts".to_owned(), others),
            texts("qa_id", &samples.qa_ids, &rows)?,
            ("gt_chunk_ids".to_owned(), own_ids),
            ("gt_grades".to_owned(), grades),
            ("negative_chunk_ids".to_owned(), other_ids),
            texts("answer", &samples.answers, &rows)?,
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
) -> Result<(String, ArrayRef), ArrowError> {
    Ok((name.to_owned(), Arc::new(texts_of(column, rows.clone())?)))
}

fn texts_in_lists<'a>(
    column: &TextColumn,
    rows: Range<usize>,
    of: impl Fn(usize) -> &'a [i64],
) -> Result<ArrayRef, ArrowError> {
    let (offsets, places) = gathered(rows, |row, places| {
        places.extend(of(row).iter().map(|&place| place as usize));
    });
    lists_of(offsets, Arc::new(texts_of(column, places.into_iter())?))
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
