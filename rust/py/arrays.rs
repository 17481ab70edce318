//! Functions of arrays: ranking, search, the join of texts.

use std::borrow::Cow;

use numpy::ndarray::{Array2, Dimension};
use numpy::{
    Element, IntoPyArray, PyArray1, PyArray2, PyReadonlyArray, PyReadonlyArray1, PyReadonlyArray2,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::not_negative;
use super::text::Strings;
use crate::join;
use crate::mining::{self, Found, Positives, Rules, Sampling};
use crate::negatives;
use crate::ranking::{Lists, Ranking, Relevant, Ties};
use crate::search::{self, Matrix};

/// The numbers of a numpy array in the order of its indices, copied only if they are not stored so.
pub fn flat<'a, T: Element + Copy, D: Dimension>(
    array: &'a PyReadonlyArray<'_, T, D>,
) -> Cow<'a, [T]> {
    match array.as_array().to_slice() {
        Some(numbers) => Cow::Borrowed(numbers),
        None => Cow::Owned(array.as_array().iter().copied().collect()),
    }
}

#[derive(FromPyObject)]
pub enum NumRelevant<'py> {
    Same(i64),
    Each(PyReadonlyArray1<'py, i64>),
}

type RowsAndScores<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

#[pyfunction]
pub fn topk<'py>(
    py: Python<'py>,
    queries: PyReadonlyArray2<'py, f32>,
    corpus: PyReadonlyArray2<'py, f32>,
    k: i64,
) -> PyResult<RowsAndScores<'py>> {
    let k = not_negative("k", k)?;
    let (rows, width) = queries.as_array().dim();
    if corpus.as_array().ncols() != width {
        return Err(PyValueError::new_err(format!(
            "queries are {width} wide and the corpus {}; expected one width",
            corpus.as_array().ncols()
        )));
    }
    let (queries, corpus) = (flat(&queries), flat(&corpus));
    let best = py.detach(|| {
        search::top_k(
            Matrix::new(&queries, width)?,
            Matrix::new(&corpus, width)?,
            k,
        )
    })?;
    let shaped = |error| PyValueError::new_err(format!("{error}"));
    let ids = Array2::from_shape_vec((rows, k), best.rows).map_err(shaped)?;
    let scores = Array2::from_shape_vec((rows, k), best.scores).map_err(shaped)?;
    Ok((ids.into_pyarray(py), scores.into_pyarray(py)))
}

#[pyfunction]
pub fn similarities<'py>(
    py: Python<'py>,
    queries: PyReadonlyArray2<'py, f32>,
    corpus: PyReadonlyArray2<'py, f32>,
    rows: PyReadonlyArray1<'py, i64>,
    offsets: PyReadonlyArray1<'py, i64>,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let widths = [queries.as_array().ncols(), corpus.as_array().ncols()];
    let (queries, corpus) = (flat(&queries), flat(&corpus));
    let (rows, offsets) = (flat(&rows), flat(&offsets));
    let scores = py.detach(|| {
        let [queries, corpus] = [(&queries, widths[0]), (&corpus, widths[1])]
            .map(|(values, width)| Matrix::new(values, width));
        search::scores(queries?, corpus?, &rows, &offsets)
    })?;
    Ok(scores.into_pyarray(py))
}

/// The rules of a selection, as Python names them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct NamedRules {
    negatives: usize,
    range_min: usize,
    range_max: usize,
    absolute_margin: Option<f32>,
    relative_margin: Option<f32>,
    max_score: Option<f32>,
    min_score: Option<f32>,
    /// The seed of a random draw; the top without one.
    seed: Option<u64>,
}

impl From<NamedRules> for Rules {
    fn from(named: NamedRules) -> Self {
        Self {
            negatives: named.negatives,
            window: named.range_min..named.range_max,
            absolute_margin: named.absolute_margin,
            relative_margin: named.relative_margin,
            max_score: named.max_score,
            min_score: named.min_score,
            sampling: named
                .seed
                .map_or(Sampling::Top, |seed| Sampling::Random { seed }),
        }
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
    found: (PyReadonlyArray2<'py, i64>, PyReadonlyArray2<'py, f32>),
    positives: (
        PyReadonlyArray1<'py, i64>,
        PyReadonlyArray1<'py, f32>,
        PyReadonlyArray1<'py, i64>,
    ),
    groups: Option<PyReadonlyArray1<'py, i64>>,
    keys: Strings<'py>,
    rules: NamedRules,
) -> PyResult<MinedArrays<'py>> {
    let (found_rows, found_scores) = (flat(&found.0), flat(&found.1));
    let (rows, scores, offsets) = (flat(&positives.0), flat(&positives.1), flat(&positives.2));
    let groups = groups.as_ref().map(flat);
    let keys = keys.texts()?;
    let mined = py.detach(|| {
        let found = Found {
            rows: &found_rows,
            scores: &found_scores,
        };
        let positives = Positives {
            rows: &rows,
            scores: &scores,
            offsets: &offsets,
        };
        mining::select(found, positives, groups.as_deref(), &keys, &rules.into())
    })?;
    Ok((
        mined.rows.into_pyarray(py),
        mined.scores.into_pyarray(py),
        mined.offsets.into_pyarray(py),
    ))
}

#[pyfunction]
#[pyo3(signature = (
    scores, offsets, num_relevant = None, relevance = None, ties = "expected", tie_keys = None
))]
pub fn rank(
    py: Python<'_>,
    scores: PyReadonlyArray1<'_, f32>,
    offsets: PyReadonlyArray1<'_, i64>,
    num_relevant: Option<NumRelevant<'_>>,
    relevance: Option<PyReadonlyArray1<'_, f64>>,
    ties: &str,
    tie_keys: Option<PyReadonlyArray1<'_, i64>>,
) -> PyResult<PyRanking> {
    let (scores, offsets) = (flat(&scores), flat(&offsets));
    let counts = match &num_relevant {
        Some(NumRelevant::Each(counts)) => flat(counts),
        _ => Vec::new().into(),
    };
    let gains = relevance.as_ref().map(flat);
    let relevant = match (&num_relevant, &gains) {
        (None, None) => Relevant::Same(1),
        (Some(NumRelevant::Same(count)), None) => Relevant::Same(*count),
        (Some(NumRelevant::Each(_)), None) => Relevant::Each(&counts),
        (None, Some(gains)) => Relevant::Gains(gains),
        (Some(_), Some(_)) => {
            let message = "num_relevant and relevance both say what is relevant; expected one";
            return Err(PyValueError::new_err(message));
        }
    };
    let keys = tie_keys.as_ref().map(flat);
    let ties = Ties::named(ties, keys.as_deref())?;
    let ranking = py.detach(|| Ranking::new(Lists::new(&scores, &offsets)?, relevant, ties))?;
    Ok(PyRanking(ranking))
}

#[pyfunction]
#[pyo3(signature = (scores, offsets, tie_keys = None))]
pub fn order<'py>(
    py: Python<'py>,
    scores: PyReadonlyArray1<'py, f32>,
    offsets: PyReadonlyArray1<'py, i64>,
    tie_keys: Option<PyReadonlyArray1<'py, i64>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let (scores, offsets) = (flat(&scores), flat(&offsets));
    let keys = tie_keys.as_ref().map(flat);
    let places = py.detach(|| Lists::new(&scores, &offsets)?.order(keys.as_deref()))?;
    Ok(places.into_pyarray(py))
}

#[pyfunction]
pub fn kendall_tau<'py>(
    py: Python<'py>,
    scores: PyReadonlyArray1<'py, f32>,
    offsets: PyReadonlyArray1<'py, i64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (scores, offsets) = (flat(&scores), flat(&offsets));
    let tau = py.detach(|| Lists::new(&scores, &offsets).map(|lists| lists.kendall_tau()))?;
    Ok(tau.into_pyarray(py))
}

#[pyfunction]
pub fn match_annotations<'py>(
    py: Python<'py>,
    texts: Strings<'py>,
    annotation_texts: Strings<'py>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let (texts, annotations) = (texts.texts()?, annotation_texts.texts()?);
    let found = py.detach(|| join::Index::build(&annotations).lookup_all(&texts));
    let indices = found
        .into_iter()
        .map(|index| index.map_or(-1, |index| index as i64));
    Ok(indices.collect::<Vec<_>>().into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (qa_ids, n, total, excluded, excluded_offsets, seed = 0))]
pub fn sample_negatives<'py>(
    py: Python<'py>,
    qa_ids: Strings<'py>,
    n: i64,
    total: i64,
    excluded: PyReadonlyArray1<'py, i64>,
    excluded_offsets: PyReadonlyArray1<'py, i64>,
    seed: u64,
) -> PyResult<Bound<'py, PyArray2<i64>>> {
    let (n, total) = (not_negative("n", n)?, not_negative("total", total)?);
    let (excluded, offsets) = (flat(&excluded), flat(&excluded_offsets));
    let qa_ids = qa_ids.texts()?;
    let drawn = py.detach(|| negatives::draw_all(seed, &qa_ids, n, total, &excluded, &offsets))?;
    let shaped = |error| PyValueError::new_err(format!("{error}"));
    let drawn = Array2::from_shape_vec((qa_ids.len(), n), drawn).map_err(shaped)?;
    Ok(drawn.into_pyarray(py))
}

#[pyclass(name = "Ranking", module = "stage2._core", frozen)]
pub struct PyRanking(Ranking);

#[pymethods]
impl PyRanking {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn take(&self, py: Python<'_>, rows: PyReadonlyArray1<'_, i64>) -> PyResult<Self> {
        let rows = flat(&rows);
        Ok(Self(py.detach(|| self.0.take(&rows))?))
    }

    #[staticmethod]
    fn concat(parts: Vec<PyRef<'_, Self>>) -> Self {
        let parts: Vec<&Ranking> = parts.iter().map(|part| &part.0).collect();
        Self(Ranking::concat(&parts))
    }

    #[getter]
    fn rank<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        py.detach(|| self.0.rank()).into_pyarray(py)
    }

    #[getter]
    fn ties<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        py.detach(|| self.0.ties()).into_pyarray(py)
    }

    #[getter]
    fn reciprocal_rank<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        py.detach(|| self.0.reciprocal_rank()).into_pyarray(py)
    }

    #[getter]
    fn average_precision<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        py.detach(|| self.0.average_precision()).into_pyarray(py)
    }

    fn success<'py>(&self, py: Python<'py>, k: i64) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let k = not_negative("k", k)?;
        Ok(py.detach(|| self.0.success(k)).into_pyarray(py))
    }

    fn ndcg<'py>(&self, py: Python<'py>, k: i64) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let k = not_negative("k", k)?;
        Ok(py.detach(|| self.0.ndcg(k)).into_pyarray(py))
    }

    #[pyo3(signature = (topk = vec![1, 3, 5]))]
    fn metrics<'py>(&self, py: Python<'py>, topk: Vec<usize>) -> PyResult<Bound<'py, PyDict>> {
        let summary = py.detach(|| self.0.summary(&topk))?;
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
