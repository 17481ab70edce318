//! The Python bindings. A function here converts its arguments, releases the interpreter, calls the
//! core and maps the error. The stubs in
//! `python/stage2/_core/` document what it does for its caller.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use numpy::prelude::*;
use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCapsule, PyString};

use self::arrow::PyTable;
use self::columns::{Column, PyJudgements};
use crate::columns::{ChunkColumns, QuestionColumns, data_set};
use crate::corpus::{Annotations, Dataset, Grades, Matched, Spans, Titles};
use crate::jsonl::{Access, OnError};
use crate::samples::{Samples, rising_rows};
use interrupt::{run, run_infallible};
use loaded::PyLoaded;
use numbers::{Array1, count, unsigned};
use samples::PySamples;
use text::{PyTextColumn, Texts, position};

mod arrays;
mod arrow;
mod columns;
mod distinct;
mod duplicates;
mod errors;
mod files;
mod gazetteer;
mod interrupt;
mod loaded;
mod numbers;
mod parquet;
mod qrels;
mod samples;
mod tables;
mod text;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::arrays::{
        PyRanking, cross_similarities, kendall_tau, match_annotations, order, rank,
        sample_negatives, select_negatives, similarities, topk,
    };
    #[pymodule_export]
    use super::arrow::{PyTable, table};
    #[pymodule_export]
    use super::distinct::{PyDistinctTexts, numbered};
    #[pymodule_export]
    use super::duplicates::{near_duplicates, shingles};
    #[pymodule_export]
    use super::errors::InputError;
    #[pymodule_export]
    use super::files::{PyLines, load_chunks, read_bytes};
    #[pymodule_export]
    use super::gazetteer::{PyGazetteer, write_annotations};
    #[pymodule_export]
    use super::loaded::{PyLoaded, PyRejected};
    #[pymodule_export]
    use super::parquet::PyParquetFile;
    #[pymodule_export]
    use super::qrels::load_qrels;
    #[pymodule_export]
    use super::samples::PySamples;
    #[pymodule_export]
    use super::text::{PyTextColumn, same_text, text_key};
    #[pymodule_export]
    use super::{PyAnnotations, PyDataset};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        let sequence = py.import("collections.abc")?.getattr("Sequence")?;
        sequence.call_method1("register", (py.get_type::<PyTextColumn>(),))?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// An array that is made at its first use. It is read-only, because callers share it.
struct SharedArray(PyOnceLock<Py<PyArray1<i64>>>);

impl SharedArray {
    fn new() -> Self {
        Self(PyOnceLock::new())
    }

    /// Returns the array, and makes it of `values` at the first call.
    fn of<'py>(&self, py: Python<'py>, values: &[i64]) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let array = self.0.get_or_try_init(py, || {
            let array = values.to_pyarray(py);
            array.call_method1("setflags", (false,))?;
            PyResult::Ok(array.unbind())
        })?;
        Ok(array.bind(py).clone())
    }
}

/// Returns the grades as an array, or none if there are no grades.
fn grades<'py>(py: Python<'py>, grades: &Grades) -> Option<Bound<'py, PyArray1<f64>>> {
    (!grades.is_empty()).then(|| grades.values.to_pyarray(py))
}

/// Arrays of int64: m spans, shape (m, 2), and their CSR offsets, shape (n + 1,).
type SpanArrays<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray1<i64>>);

fn span_arrays<'py>(py: Python<'py>, spans: &Spans) -> PyResult<SpanArrays<'py>> {
    let pairs = spans
        .spans
        .as_flattened()
        .to_pyarray(py)
        .reshape([spans.spans.len(), 2])?;
    Ok((pairs, spans.offsets.to_pyarray(py)))
}

#[pyclass(name = "Annotations", module = "stage2._core", frozen, extends = PyLoaded)]
struct PyAnnotations(Annotations);

impl PyAnnotations {
    fn wrap(py: Python<'_>, annotations: Annotations) -> PyResult<Py<Self>> {
        let base = PyClassInitializer::from(PyLoaded(annotations.findings.clone()));
        Py::new(py, base.add_subclass(Self(annotations)))
    }
}

#[pymethods]
impl PyAnnotations {
    #[staticmethod]
    #[pyo3(signature = (path, on_error = "strict", max_decompressed = None))]
    fn load(
        py: Python<'_>,
        path: PathBuf,
        on_error: &str,
        max_decompressed: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<Self>> {
        let on_error = OnError::from_str(on_error)?;
        let access = access(false, max_decompressed)?;
        let annotations = run(py, || Annotations::load(&path, on_error, access))?;
        Self::wrap(py, annotations)
    }

    fn __len__(&self) -> usize {
        self.0.texts.len()
    }

    #[getter]
    fn texts(&self) -> PyTextColumn {
        PyTextColumn(self.0.texts.clone())
    }

    #[getter]
    fn spans<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<i64>>> {
        Ok(span_arrays(py, &self.0.spans)?.0)
    }

    #[getter]
    fn offsets<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        self.0.spans.offsets.to_pyarray(py)
    }

    fn matched(&self, py: Python<'_>, texts: Texts<'_>) -> PyResult<BTreeMap<&'static str, usize>> {
        let Matched {
            equal,
            contained,
            with_entity,
            if_composed,
        } = texts.lend(py, |texts| self.0.matched(texts))?;
        Ok(BTreeMap::from([
            ("equal", equal),
            ("contained", contained),
            ("with_entity", with_entity),
            ("if_composed", if_composed),
        ]))
    }

    fn spans_for<'py>(&self, py: Python<'py>, texts: Texts<'_>) -> PyResult<SpanArrays<'py>> {
        let spans = texts.lend(py, |texts| self.0.spans_for(texts))?;
        span_arrays(py, &spans)
    }
}

#[pyclass(name = "Dataset", module = "stage2._core", frozen, extends = PyLoaded)]
pub struct PyDataset {
    dataset: Dataset,
    annotations: Option<Py<PyAnnotations>>,
    relevant: SharedArray,
    relevant_offsets: SharedArray,
}

impl PyDataset {
    /// Wraps a data set that was read, with its annotations.
    fn loaded(py: Python<'_>, mut dataset: Dataset) -> PyResult<Py<Self>> {
        let annotations = dataset.annotations.take();
        let annotations = annotations.map(|all| PyAnnotations::wrap(py, all));
        Self::wrap(py, dataset, annotations.transpose()?)
    }

    fn wrap(
        py: Python<'_>,
        dataset: Dataset,
        annotations: Option<Py<PyAnnotations>>,
    ) -> PyResult<Py<Self>> {
        let base = PyClassInitializer::from(PyLoaded(dataset.findings.clone()));
        let this = Self {
            dataset,
            annotations,
            relevant: SharedArray::new(),
            relevant_offsets: SharedArray::new(),
        };
        Py::new(py, base.add_subclass(this))
    }
}

#[pymethods]
impl PyDataset {
    #[staticmethod]
    #[pyo3(signature = (
        qa, chunks, entities = None, on_error = "strict", memory_map = true,
        max_decompressed = None, *, join_titles = false
    ))]
    #[allow(clippy::too_many_arguments)] // One for each of Python's.
    fn load(
        py: Python<'_>,
        qa: PathBuf,
        chunks: PathBuf,
        entities: Option<PathBuf>,
        on_error: &str,
        memory_map: bool,
        max_decompressed: Option<Bound<'_, PyAny>>,
        join_titles: bool,
    ) -> PyResult<Py<Self>> {
        let on_error = OnError::from_str(on_error)?;
        let access = access(memory_map, max_decompressed)?;
        let titles = Titles::joined_if(join_titles);
        let dataset = run(py, || {
            Dataset::load(&qa, &chunks, entities.as_deref(), titles, on_error, access)
        })?;
        Self::loaded(py, dataset)
    }

    #[staticmethod]
    #[pyo3(signature = (
        questions, texts, relevant, *, qa_ids = None, chunk_ids = None, titles = None,
        answers = None, entities = None, join_titles = false, on_error = "strict",
        max_decompressed = None
    ))]
    #[allow(clippy::too_many_arguments)] // One for each column.
    fn from_columns(
        questions: &Bound<'_, PyAny>,
        texts: &Bound<'_, PyAny>,
        relevant: PyJudgements<'_>,
        qa_ids: Option<&Bound<'_, PyAny>>,
        chunk_ids: Option<&Bound<'_, PyAny>>,
        titles: Option<&Bound<'_, PyAny>>,
        answers: Option<&Bound<'_, PyAny>>,
        entities: Option<PathBuf>,
        join_titles: bool,
        on_error: &str,
        max_decompressed: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<Self>> {
        let py = questions.py();
        let on_error = OnError::from_str(on_error)?;
        let access = access(false, max_decompressed)?;
        let questions = Column::of("questions", "question", questions)?;
        let qa_ids = Column::optional("qa_ids", "qa_id", qa_ids)?;
        let answers = Column::optional("answers", "answer", answers)?;
        let texts = Column::of("texts", "text", texts)?;
        let chunk_ids = Column::optional("chunk_ids", "chunk_id", chunk_ids)?;
        let titles = Column::optional("titles", "title", titles)?;
        let questions = QuestionColumns {
            questions: questions.cells(),
            ids: qa_ids.as_ref().map(Column::cells),
            answers: answers.as_ref().map(Column::cells),
            judged: relevant.lend(),
        };
        let chunks = ChunkColumns {
            texts: texts.cells(),
            ids: chunk_ids.as_ref().map(Column::cells),
            titles: titles.as_ref().map(Column::cells),
        };
        let titles_in_texts = Titles::joined_if(join_titles);
        let entities = entities.as_deref();
        let dataset = run(py, || {
            data_set(
                &questions,
                &chunks,
                titles_in_texts,
                entities,
                on_error,
                access,
            )
        })?;
        Self::loaded(py, dataset)
    }

    #[getter]
    fn num_qa(&self) -> usize {
        self.dataset.questions.ids.len()
    }

    #[getter]
    fn num_questions(&self) -> usize {
        self.dataset.questions.distinct
    }

    #[getter]
    fn num_chunks(&self) -> usize {
        self.dataset.chunks.len()
    }

    #[getter]
    fn num_annotations(&self) -> usize {
        self.annotations
            .as_ref()
            .map_or(0, |annotations| annotations.get().0.texts.len())
    }

    #[getter]
    fn chunk_ids(&self) -> PyTextColumn {
        PyTextColumn(self.dataset.chunks.ids.clone())
    }

    #[getter]
    fn chunk_texts(&self) -> PyTextColumn {
        PyTextColumn(self.dataset.chunks.texts.clone())
    }

    #[getter]
    fn chunk_titles(&self) -> PyTextColumn {
        PyTextColumn(self.dataset.chunks.titles.clone())
    }

    #[getter]
    fn qa_ids(&self) -> PyTextColumn {
        PyTextColumn(self.dataset.questions.ids.clone())
    }

    #[getter]
    fn questions(&self) -> PyTextColumn {
        PyTextColumn(self.dataset.questions.questions.clone())
    }

    #[getter]
    fn answers(&self) -> PyTextColumn {
        PyTextColumn(self.dataset.questions.answers.clone())
    }

    fn chunk_text<'py>(
        &self,
        py: Python<'py>,
        i: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyString>> {
        let texts = &self.dataset.chunks.texts;
        Ok(PyString::new(py, &texts.get(position(i, texts.len())?)))
    }

    #[getter]
    fn relevant<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        self.relevant.of(py, &self.dataset.questions.relevant)
    }

    #[getter]
    fn relevant_offsets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        self.relevant_offsets
            .of(py, &self.dataset.questions.offsets)
    }

    #[getter]
    fn grades<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        grades(py, &self.dataset.questions.grades)
    }

    #[getter]
    fn annotations(&self, py: Python<'_>) -> Option<Py<PyAnnotations>> {
        self.annotations
            .as_ref()
            .map(|annotations| annotations.clone_ref(py))
    }

    #[pyo3(signature = (negatives = None, seed = None))]
    fn construct(
        &self,
        py: Python<'_>,
        negatives: Option<Bound<'_, PyAny>>,
        seed: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PySamples>> {
        let negatives = negatives.map_or(Ok(5), |negatives| count("negatives", &negatives))?;
        let seed = seed.map_or(Ok(0), |seed| unsigned("seed", &seed))?;
        let samples = run(py, || Samples::construct(&self.dataset, negatives, seed))?;
        PySamples::wrap(py, samples)
    }

    fn with_negatives(
        &self,
        py: Python<'_>,
        negatives: Array1<'_, i64>,
        offsets: Array1<'_, i64>,
    ) -> PyResult<Py<PySamples>> {
        let (negatives, offsets) = (&*negatives, &*offsets);
        let samples = run(py, || {
            Samples::with_negatives(&self.dataset, negatives, offsets)
        })?;
        PySamples::wrap(py, samples)
    }

    fn take(&self, py: Python<'_>, rows: Array1<'_, i64>) -> PyResult<Py<Self>> {
        let rows = &*rows;
        let dataset = run(py, || {
            let rows = rising_rows(rows, self.dataset.questions.ids.len())?;
            Ok(self.dataset.select(&rows))
        })?;
        let annotations = self.annotations.as_ref();
        Self::wrap(py, dataset, annotations.map(|all| all.clone_ref(py)))
    }

    #[getter]
    fn chunks(slf: Bound<'_, Self>) -> PyTable {
        tables::of_chunks(slf.unbind())
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        slf: Bound<'py, Self>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let py = slf.py();
        tables::of_questions(slf.unbind()).__arrow_c_stream__(py, requested_schema)
    }

    fn __arrow_c_schema__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyCapsule>> {
        let py = slf.py();
        tables::of_questions(slf.unbind()).__arrow_c_schema__(py)
    }

    #[getter]
    fn first_of_text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let first = run_infallible(py, || self.dataset.chunks.same_text().first.clone())?;
        Ok(first.into_pyarray(py))
    }
}

/// Converts the arguments that say how a file is accessed.
fn access(map: bool, max_decompressed: Option<Bound<'_, PyAny>>) -> PyResult<Access> {
    let most = max_decompressed.map(|most| unsigned("max_decompressed", &most));
    let most = most.transpose()?;
    Ok(Access {
        map,
        max_bytes: most,
    })
}
