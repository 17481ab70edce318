"""The margin ranking loss against the double loop that it stands for."""

from __future__ import annotations

import inspect
import math
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stage2 import BadInputError, margin_ranking_loss
from stage2.config import SETTINGS
from stage2.training.losses import FUNCTIONS
from stage2.variants import LOSSES

scores = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=7)


def obvious(rows: list[list[float]], margin: float, relevance: list[list[int]] | None) -> float:
    means = []
    for r, row in enumerate(rows):
        losses = [
            max(0.0, margin - (row[i] - row[j]))
            for i, j in combinations(range(len(row)), 2)
            if relevance is None or relevance[r][i] != relevance[r][j]
        ]
        means.append(sum(losses) / len(losses) if losses else 0.0)
    return sum(means) / len(means)


@given(st.lists(scores, min_size=1, max_size=4), st.floats(0, 1, width=32), st.booleans())
def test_ragged_lists(rows: list[list[float]], margin: float, graded: bool) -> None:
    width = max(map(len, rows))
    padded = torch.full((len(rows), width), math.inf, dtype=torch.float64)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    relevance = torch.zeros(len(rows), width)
    relevance[:, 0] = 1
    for r, row in enumerate(rows):
        padded[r, : len(row)] = torch.tensor(row)
        mask[r, : len(row)] = True
    found = margin_ranking_loss(padded, margin, "graded" if graded else "all", mask)
    grades = [[1, *[0] * (len(row) - 1)] for row in rows] if graded else None
    assert found.item() == pytest.approx(obvious(rows, margin, grades), abs=1e-9)


def test_graded_takes_the_pairs_whose_relevance_differs() -> None:
    similarities = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    relevance = torch.tensor([[2, 2, 1, 0]])
    found = margin_ranking_loss(similarities, 0.1, "graded", relevance=relevance)
    expected = obvious(similarities.tolist(), 0.1, relevance.tolist())
    assert found.item() == pytest.approx(expected)
    assert found.item() != pytest.approx(obvious(similarities.tolist(), 0.1, None))


def test_masked_entries_get_no_gradient() -> None:
    similarities = torch.tensor([[0.1, 0.2, 9.0]], requires_grad=True)
    mask = torch.tensor([[True, True, False]])
    margin_ranking_loss(similarities, 0.1, mask=mask).backward()
    assert similarities.grad is not None
    assert similarities.grad[0].tolist() == [-1.0, 1.0, 0.0]


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
def test_margin_is_checked(margin: float) -> None:
    with pytest.raises(BadInputError, match="margin"):
        margin_ranking_loss(torch.zeros(1, 2), margin)


def test_shapes_and_pairs_are_checked() -> None:
    with pytest.raises(BadInputError, match=r"expected \(B, N\)"):
        margin_ranking_loss(torch.zeros(3))
    with pytest.raises(BadInputError, match="mask has shape"):
        margin_ranking_loss(torch.zeros(1, 3), mask=torch.ones(1, 2, dtype=torch.bool))
    with pytest.raises(BadInputError, match="pairs is 'some'"):
        margin_ranking_loss(torch.zeros(1, 3), pairs="some")  # type: ignore[arg-type]


def test_every_loss_has_a_function_that_takes_its_settings() -> None:
    assert FUNCTIONS.keys() == LOSSES.keys()
    for name, kind in LOSSES.items():
        taken = inspect.signature(FUNCTIONS[name]).parameters
        needed = {"similarities", "mask", "relevance", *kind.settings}
        assert taken.keys() == (needed | {"teacher"} if kind.teacher else needed), name
        assert all(setting in SETTINGS for setting in kind.settings), name
