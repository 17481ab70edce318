"""The loss of a model in another form is measured and bounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import spearmanr

from stage2.models.deviation import HeldOut, check_bounds, measure
from stage2.models.fidelity import Read
from stage2.utils.arrays import Floats
from stage2.utils.errors import RunFailedError
from stage2.variants import Bounds

HELD_OUT = HeldOut(
    "questions", ["a", "b"], ["c", "d", "e", "f"], np.array([0, 1, 2, 3, 0, 1]),
    np.array([0, 3, 6]), np.array([1, 1]),
)  # fmt: skip


def of(questions: Floats, documents: Floats) -> Read:
    def read(_: Sequence[str], role: str) -> Floats:
        return questions if role == "query" else documents

    return read


def test_it_is_measured_as_others_measure_it() -> None:
    rng = np.random.default_rng(0)
    questions, documents = (rng.normal(size=(n, 8)).astype(np.float32) for n in (2, 4))
    moved = documents + rng.normal(size=documents.shape).astype(np.float32)
    found = measure(of(questions, documents), of(questions, moved), HELD_OUT)
    before, after = questions @ documents.T, questions @ moved.T
    assert found.difference == pytest.approx(
        np.abs(moved - documents).max() / max(1, np.abs(documents).max())
    )
    assert found.spearman == pytest.approx(
        np.mean([spearmanr(*pair).statistic for pair in zip(before, after, strict=True)])
    )
    assert found.same_first == np.mean(before.argmax(axis=1) == after.argmax(axis=1))
    for mrr, scores in zip(found.mrr, (before, after), strict=True):
        lists = (scores[0, [0, 1, 2]], scores[1, [3, 0, 1]])
        assert mrr == pytest.approx(np.mean([1 / (1 + (one[1:] > one[0]).sum()) for one in lists]))


def test_vectors_are_compared_by_the_models_distance() -> None:
    questions = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    documents = np.array([[1, 0], [9, 9], [5, 7], [0, 1]], np.float32)
    same = of(questions, documents)
    # By inner product the longest document is the first of every question.
    assert measure(same, same, HELD_OUT).mrr == (pytest.approx(0.416667, abs=1e-5),) * 2
    assert measure(same, same, HELD_OUT, "euclidean").mrr == (1, 1)


def test_each_bound_is_held() -> None:
    eye = np.eye(4, dtype=np.float32)
    questions, documents = eye[[0, 3]], eye + np.float32(0.1) * np.arange(4, dtype=np.float32)
    form = of(questions, documents[::-1].copy())
    found = measure(of(questions, documents), form, HELD_OUT)
    check_bounds(found, Bounds(2, -1, 1), "here")
    for bounds, said in (
        (Bounds(0.1, -1, 1), "values of vectors differ by up to"),
        (Bounds(2, 0.999, 1), "the order of documents correlates by"),
        (Bounds(2, -1, 0.1), r"MRR falls from 1\.000 to"),
    ):
        with pytest.raises(RunFailedError, match=said):
            check_bounds(found, bounds, "here")
    with pytest.raises(RunFailedError, match="expected finite ones"):
        measure(form, of(questions, documents * np.nan), HELD_OUT)
