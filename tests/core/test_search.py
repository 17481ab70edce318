from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stage2._core import cross_similarities, similarities, topk
from tests import reference

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
FEW = st.sampled_from([-1.0, 0.0, -0.0, 0.5])
EXTREME = st.sampled_from([0.0, 1e-45, -1e-45, 1e-38, 1.0, -1.0, 3.4e38, -3.4e38])


@st.composite
def vectors(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    number = draw(st.sampled_from([FINITE, FEW, EXTREME]))
    width = draw(st.integers(1, 20))
    queries, rows = draw(st.integers(1, 10)), draw(st.integers(1, 40))
    numbers = st.lists(number, min_size=width, max_size=width)
    draw_matrix = lambda n: draw(st.lists(numbers, min_size=n, max_size=n))  # noqa: E731
    return np.array(draw_matrix(queries), np.float32), np.array(draw_matrix(rows), np.float32)


@pytest.mark.parametrize("distance", [None, "euclidean", "manhattan"])
@given(case=vectors(), data=st.data())
@settings(max_examples=150)
def test_the_best_rows_are_those_of_scoring_everything(distance, case, data: st.DataObject):
    queries, corpus = case
    k = data.draw(st.integers(1, len(corpus)))
    ids, scores = topk(queries, corpus, k, distance)
    assert (ids.dtype, scores.dtype) == (np.int64, np.float32)
    expected_ids, expected_scores = reference.topk(queries.tolist(), corpus.tolist(), k, distance)
    assert ids.tolist() == expected_ids
    np.testing.assert_array_equal(scores, np.array(expected_scores))
    offsets = np.arange(len(queries) + 1) * k
    again = similarities(queries, corpus, ids.ravel(), offsets, distance)
    np.testing.assert_array_equal(again.reshape(ids.shape), scores)
    every = cross_similarities(queries, corpus, distance)
    np.testing.assert_array_equal(np.take_along_axis(every, ids, axis=1), scores)


def scored_in_float64(queries: np.ndarray, corpus: np.ndarray, k: int):
    """Compute the reference's scores by array operations."""
    pad = -queries.shape[1] % 8
    products = np.zeros((len(queries), len(corpus), 8))
    q, c = (np.pad(m.astype(np.float64), ((0, 0), (0, pad))) for m in (queries, corpus))
    for start in range(0, q.shape[1], 8):
        products += q[:, None, start : start + 8] * c[None, :, start : start + 8]
    p = np.moveaxis(products, -1, 0)
    scores = ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]))
    scores = scores.astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(scores, order, axis=1)


def normalised(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", ["isotropic", "clustered", "sorted", "offset", "copies", "sizes"])
@pytest.mark.parametrize("k", [1, 10, 300])
def test_large_corpora(kind: str, k: int):
    random = np.random.default_rng(k)
    corpus = random.standard_normal((5000, 40))
    queries = random.standard_normal((17, 40))
    if kind == "clustered":
        corpus = 0.3 * corpus + queries[random.integers(0, 17, 5000)]
    elif kind == "sorted":
        corpus = corpus[np.argsort(corpus @ queries[0])]
    elif kind == "offset":
        corpus, queries = corpus + 10, queries + 10
    elif kind == "copies":
        corpus = corpus[random.integers(0, 50, 5000)]
    if kind == "sizes":
        corpus *= 10.0 ** random.integers(-30, 30, (5000, 1))
        corpus = corpus.astype(np.float32)
    else:
        corpus = normalised(corpus)
    queries = normalised(queries)
    ids, scores = topk(queries, corpus, k)
    expected_ids, expected_scores = scored_in_float64(queries, corpus, k)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_array_equal(scores, expected_scores)


def test_the_number_of_threads_changes_nothing():
    program = (
        "import hashlib, numpy as np; from stage2._core import topk;"
        "r = np.random.default_rng(0); n = lambda m: r.integers(-3, 4, (m, 24)).astype('f4');"
        "ids, scores = topk(n(200), n(20000), 25);"
        "print(hashlib.sha256(ids.tobytes() + scores.tobytes()).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"RAYON_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "7")
    }
    assert len(outputs) == 1


def test_strided_arrays_are_taken_as_they_are_indexed():
    random = np.random.default_rng(0)
    queries = random.standard_normal((30, 20)).astype(np.float32)
    corpus = np.asfortranarray(random.standard_normal((90, 10)).astype(np.float32))
    ids, scores = topk(queries[::2, ::2], corpus, 3)
    expected = topk(np.ascontiguousarray(queries[::2, ::2]), np.ascontiguousarray(corpus), 3)
    np.testing.assert_array_equal(ids, expected[0])
    np.testing.assert_array_equal(scores, expected[1])


def test_no_queries():
    ids, scores = topk(np.zeros((0, 3), np.float32), np.ones((4, 3), np.float32), 2)
    assert (ids.shape, scores.shape) == ((0, 2), (0, 2))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("queries", [1, 50])
def test_rows_that_are_not_finite_are_named(bad: float, queries: int):
    good, wrong = np.ones((queries, 4), np.float32), np.ones((3000, 4), np.float32)
    wrong[[1234, 2000], 2] = bad
    with pytest.raises(ValueError, match=r"row 1234 of the corpus has \S+ at position 2; expected"):
        topk(good, wrong, 5)
    with pytest.raises(ValueError, match=r"row 1234 of the queries has \S+ at position 2; expect"):
        topk(wrong, good, 1)


@pytest.mark.parametrize("k", [0, 5, -1])
def test_k_out_of_range(k: int):
    with pytest.raises(ValueError, match=rf"{k}\b.*expected"):
        topk(np.ones((2, 3), np.float32), np.ones((4, 3), np.float32), k)


def test_widths_that_differ():
    with pytest.raises(
        ValueError, match="queries of width 3 cannot be compared with rows of width 4"
    ):
        topk(np.ones((2, 3), np.float32), np.ones((4, 4), np.float32), 1)
