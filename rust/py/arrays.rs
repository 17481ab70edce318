//! Bindings of functions on arrays: search, ranking, mining and the join.

use numpy::ndarray;
use numpy::{IntoPyArray, PyArray1, PyArray2};
use pyo3::Borrowed;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyMapping};

use super::interrupt::{run, run_infallible};
use super::numbers::{Array1, Array2, count, number, unsigned};
use super::tables;
use super::text::Strings;
use crate::join;
use crate::mining::{self, Found, Positives, Rules, Sampling};
use crate::negatives;
use crate::ranking::{Lists, Ranking, Relevant, Ties};
use crate::search::{self, Matrix, Measure};

type RowsAndScores<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

/// The distance by which vectors are compared, by its name; None means by inner product.
pub struct NamedMeasure(Measure);

impl<'py> FromPyObject<'_, 'py> for NamedMeasure {
    type Error = PyErr;

    fn extract(name: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let found = match name.extract::<Option<&str>>()? {
            None => Measure::InnerProduct,
            Some("euclidean") => Measure::Euclidean,
            Some("manhattan") => Measure::Manhattan,
            Some(other) => {
                return Err(PyValueError::new_err(format!(
                    "distance is {other:?}; expected 'euclidean', 'manhattan' or None"
                )));
            }
        };
        Ok(Self(found))
    }
}

#[pyfunction]
#[pyo3(signature = (queries, corpus, k, distance = NamedMeasure(Measure::InnerProduct)))]
pub fn topk<'py>(
    py: Python<'py>,
    queries: Array2<'_, f32>,
    corpus: Array2<'_, f32>,
    k: &Bound<'py, PyAny>,
    distance: NamedMeasure,
) -> PyResult<RowsAndScores<'py>> {
    let k = count("k", k)?;
    let [(queries, width), (corpus, corpus_width)] =
        [&queries, &corpus].map(|vectors| (&**vectors, vectors.len_of(1)));
    let rows = queries.len() / width.max(1);
    let best = run(py, || {
        search::top_k(
            distance.0,
            Matrix::new(queries, width)?,
            Matrix::new(corpus, corpus_width)?,
            k,
        )
    })?;
    Ok((
        shaped(py, rows, k, best.rows)?,
        shaped(py, rows, k, best.scores)?,
    ))
}

#[pyfunction]
#[pyo3(signature = (
    queries, corpus, rows, offsets, distance = NamedMeasure(Measure::InnerProduct)
))]
pub fn similarities<'py>(
    py: Python<'py>,
    queries: Array2<'_, f32>,
    corpus: Array2<'_, f32>,
    rows: Array1<'_, i64>,
    offsets: Array1<'_, i64>,
    distance: NamedMeasure,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let vectors = [&queries, &corpus].map(|vectors| (&**vectors, vectors.len_of(1)));
    let (rows, offsets) = (&*rows, &*offsets);
    let scores = run(py, || {
        let [queries, corpus] = vectors.map(|(values, width)| Matrix::new(values, width));
        search::scores(distance.0, queries?, corpus?, rows, offsets)
    })?;
    Ok(scores.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (queries, corpus, distance = NamedMeasure(Measure::InnerProduct)))]
pub fn cross_similarities<'py>(
    py: Python<'py>,
    queries: Array2<'_, f32>,
    corpus: Array2<'_, f32>,
    distance: NamedMeasure,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let [(queries, width), (corpus, corpus_width)] =
        [&queries, &corpus].map(|vectors| (&**vectors, vectors.len_of(1)));
    let [num_queries, num_rows] =
        [(queries, width), (corpus, corpus_width)].map(|(all, width)| all.len() / width.max(1));
    let scores = run(py, || {
        search::all_scores(
            distance.0,
            Matrix::new(queries, width)?,
            Matrix::new(corpus, corpus_width)?,
        )
    })?;
    shaped(py, num_queries, num_rows, scores)
}

/// Makes an array of shape (rows, width).
fn shaped<T: numpy::Element>(
    py: Python<'_>,
    rows: usize,
    width: usize,
    items: Vec<T>,
) -> PyResult<Bound<'_, PyArray2<T>>> {
    let array = ndarray::Array2::from_shape_vec((rows, width), items);
    let array = array.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(array.into_pyarray(py))
}

/// The rules of mining, given as a mapping with the names of Python's settings.
pub struct NamedRules(Rules);

impl<'py> FromPyObject<'_, 'py> for NamedRules {
    type Error = PyErr;

    fn extract(rules: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let rules = rules.cast::<PyMapping>()?;
        let get = |name| {
            let missing = |_| PyKeyError::new_err(format!("the rules have no {name:?}"));
            rules.get_item(name).map_err(missing)
        };
        let (whole_of, number_of) = (
            |name| count(name, &get(name)?),
            |name| number(name, &get(name)?),
        );
        let seed = get("seed")?;
        let sampling = if seed.is_none() {
            Sampling::Top
        } else {
            let seed = unsigned("seed", &seed)?;
            Sampling::Random { seed }
        };
        Ok(Self(Rules {
            negatives: whole_of("negatives")?,
            window: whole_of("range_min")?..whole_of("range_max")?,
            absolute_margin: number_of("absolute_margin")?,
            relative_margin: number_of("relative_margin")?,
            max_score: number_of("max_score")?,
            min_score: number_of("min_score")?,
            sampling,
        }))
    }
}

type MinedArrays<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<f32>>,
    Bound<'py, PyArray1<i64>>,
);

#[pyfunction]
pub fn select_negatives<'py>(
    py: Python<'py>,
    found: (Array2<'_, i64>, Array2<'_, f32>),
    positives: (Array1<'_, i64>, Array1<'_, f32>, Array1<'_, i64>),
    groups: Option<Array1<'_, i64>>,
    keys: Strings<'py>,
    rules: NamedRules,
) -> PyResult<MinedArrays<'py>> {
    let found = Found {
        rows: &found.0,
        scores: &found.1,
    };
    let positives = Positives {
        rows: &positives.0,
        scores: &positives.1,
        offsets: &positives.2,
    };
    let groups = groups.as_deref();
    let keys = keys.texts()?;
    let mined = run(py, || {
        mining::select(found, positives, groups, &keys, &rules.0)
    })?;
    Ok((
        mined.rows.into_pyarray(py),
        mined.scores.into_pyarray(py),
        mined.offsets.into_pyarray(py),
    ))
}

/// The number of relevant candidates at the start of a list: one for all lists, or one for each.
enum NumRelevant<'py> {
    Same(i64),
    Each(Array1<'py, i64>),
}

impl<'py> NumRelevant<'py> {
    fn of(given: Bound<'py, PyAny>) -> PyResult<Self> {
        // A numpy scalar resembles an array, but has no length.
        if given.len().is_ok() {
            return Ok(Self::Each(given.extract()?));
        }
        let same = unsigned("num_relevant", &given)?;
        Ok(Self::Same(i64::try_from(same).unwrap_or(i64::MAX)))
    }
}

#[pyfunction]
#[pyo3(signature = (
    scores, offsets, num_relevant = None, relevance = None, ties = "expected", tie_keys = None
))]
pub fn rank(
    py: Python<'_>,
    scores: Array1<'_, f32>,
    offsets: Array1<'_, i64>,
    num_relevant: Option<Bound<'_, PyAny>>,
    relevance: Option<Array1<'_, f64>>,
    ties: &str,
    tie_keys: Option<Array1<'_, i64>>,
) -> PyResult<PyRanking> {
    let (scores, offsets) = (&*scores, &*offsets);
    let num_relevant = num_relevant.map(NumRelevant::of).transpose()?;
    let relevant = match (&num_relevant, relevance.as_deref()) {
        (None, None) => Relevant::Same(1),
        (Some(NumRelevant::Same(count)), None) => Relevant::Same(*count),
        (Some(NumRelevant::Each(counts)), None) => Relevant::Each(counts),
        (None, Some(gains)) => Relevant::Gains(gains),
        (Some(_), Some(_)) => {
            let message = "num_relevant and relevance both say what is relevant; expected one";
            return Err(PyValueError::new_err(message));
        }
    };
    let ties = Ties::named(ties, tie_keys.as_deref())?;
    let ranking = run(py, || {
        Ranking::new(Lists::new(scores, offsets)?, relevant, ties)
    })?;
    Ok(PyRanking(ranking))
}

#[pyfunction]
#[pyo3(signature = (scores, offsets, tie_keys = None))]
pub fn order<'py>(
    py: Python<'py>,
    scores: Array1<'_, f32>,
    offsets: Array1<'_, i64>,
    tie_keys: Option<Array1<'_, i64>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let (scores, offsets, keys) = (&*scores, &*offsets, tie_keys.as_deref());
    let places = run(py, || Lists::new(scores, offsets)?.order(keys))?;
    Ok(places.into_pyarray(py))
}

#[pyfunction]
pub fn kendall_tau<'py>(
    py: Python<'py>,
    scores: Array1<'_, f32>,
    offsets: Array1<'_, i64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (scores, offsets) = (&*scores, &*offsets);
    let tau = run(py, || Lists::new(scores, offsets)?.kendall_tau())?;
    Ok(tau.into_pyarray(py))
}

#[pyfunction]
pub fn match_annotations<'py>(
    py: Python<'py>,
    texts: Strings<'py>,
    annotation_texts: Strings<'py>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let (texts, annotations) = (texts.texts()?, annotation_texts.texts()?);
    let found = run_infallible(py, || join::Index::build(&annotations).lookup_all(&texts))?;
    let indices = found
        .into_iter()
        .map(|index| index.map_or(-1, |index| index as i64));
    Ok(indices.collect::<Vec<_>>().into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (qa_ids, n, total, excluded, excluded_offsets, seed = None))]
pub fn sample_negatives<'py>(
    py: Python<'py>,
    qa_ids: Strings<'py>,
    n: &Bound<'py, PyAny>,
    total: &Bound<'py, PyAny>,
    excluded: Array1<'_, i64>,
    excluded_offsets: Array1<'_, i64>,
    seed: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArray2<i64>>> {
    let (n, total) = (count("n", n)?, count("total", total)?);
    let seed = seed.map_or(Ok(0), |seed| unsigned("seed", seed))?;
    let (excluded, offsets) = (&*excluded, &*excluded_offsets);
    let qa_ids = qa_ids.texts()?;
    let drawn = run(py, || {
        negatives::draw_all(seed, &qa_ids, n, total, excluded, offsets)
    })?;
    shaped(py, qa_ids.len(), n, drawn)
}

/// Converts an iterable of whole numbers. Returns none if the argument is left out.
fn counts(name: &str, given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Vec<usize>>> {
    let read = |given: &Bound<'_, PyAny>| given.try_iter()?.map(|k| count(name, &k?)).collect();
    given.map(read).transpose()
}

#[pyclass(name = "Ranking", module = "stage2._core", frozen)]
pub struct PyRanking(Ranking);

#[pymethods]
impl PyRanking {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn take(&self, py: Python<'_>, rows: Array1<'_, i64>) -> PyResult<Self> {
        let rows = &*rows;
        Ok(Self(run(py, || self.0.take(rows))?))
    }

    #[staticmethod]
    #[pyo3(signature = (above, equal, starts, lengths, gains = None))]
    fn from_counts(
        py: Python<'_>,
        above: Array1<'_, i64>,
        equal: Array1<'_, i64>,
        starts: Array1<'_, i64>,
        lengths: Array1<'_, i64>,
        gains: Option<Array1<'_, f64>>,
    ) -> PyResult<Self> {
        let (above, equal, starts, lengths) = (&*above, &*equal, &*starts, &*lengths);
        let gains = gains.as_deref();
        Ok(Self(run(py, || {
            Ranking::from_counts(above, equal, starts, lengths, gains)
        })?))
    }

    #[staticmethod]
    fn concat(py: Python<'_>, parts: Vec<PyRef<'_, Self>>) -> PyResult<Self> {
        let parts: Vec<&Ranking> = parts.iter().map(|part| &part.0).collect();
        Ok(Self(run_infallible(py, || Ranking::concat(&parts))?))
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        slf: Bound<'py, Self>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        tables::of_ranking(&slf)?.__arrow_c_stream__(slf.py(), requested_schema)
    }

    fn __arrow_c_schema__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyCapsule>> {
        tables::of_ranking(&slf)?.__arrow_c_schema__(slf.py())
    }

    #[getter]
    fn rank<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<f64>>> {
        Ok(run_infallible(py, || self.0.rank())?.into_pyarray(py))
    }

    #[getter]
    fn ties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        Ok(run_infallible(py, || self.0.ties())?.into_pyarray(py))
    }

    #[getter]
    fn reciprocal_rank<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<f64>>> {
        Ok(run_infallible(py, || self.0.reciprocal_rank())?.into_pyarray(py))
    }

    #[getter]
    fn average_precision<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<f64>>> {
        Ok(run_infallible(py, || self.0.average_precision())?.into_pyarray(py))
    }

    fn success<'py>(
        &self,
        py: Python<'py>,
        k: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let k = count("k", k)?;
        Ok(run_infallible(py, || self.0.success(k))?.into_pyarray(py))
    }

    fn recall<'py>(
        &self,
        py: Python<'py>,
        k: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let k = count("k", k)?;
        Ok(run_infallible(py, || self.0.recall(k))?.into_pyarray(py))
    }

    fn ndcg<'py>(
        &self,
        py: Python<'py>,
        k: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let k = count("k", k)?;
        Ok(run_infallible(py, || self.0.ndcg(k))?.into_pyarray(py))
    }

    #[pyo3(signature = (topk = None, recall_at = None))]
    fn metrics<'py>(
        &self,
        py: Python<'py>,
        topk: Option<&Bound<'py, PyAny>>,
        recall_at: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let topk = counts("topk", topk)?.unwrap_or_else(|| vec![1, 3, 5]);
        let recall_at = counts("recall_at", recall_at)?.unwrap_or_default();
        let summary = run(py, || self.0.summary(&topk, &recall_at))?;
        let chance = PyDict::new(py);
        for (name, value) in &summary.chance {
            chance.set_item(name, value)?;
        }
        let metrics = PyDict::new(py);
        for (name, value) in &summary.means {
            metrics.set_item(name, value)?;
        }
        metrics.set_item("ties", summary.ties)?;
        metrics.set_item("num_queries", summary.num_queries)?;
        metrics.set_item("chance", chance)?;
        Ok(metrics)
    }
}
