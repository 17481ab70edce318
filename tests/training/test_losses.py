"""Losses, compared with plain loops and with values computed by hand."""

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
from stage2.training.losses import FUNCTIONS, distill_kl, margin_mse, similarity_mse
from stage2.variants import LOSSES
from tests.reference import distillation

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


wide = st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=6)


@given(scores=wide, data=st.data(), margin=st.floats(0, 0.5), temperature=st.floats(0.05, 2))
def test_distillation_is_the_divergence_from_the_teacher(
    scores: list[float], data: st.DataObject, margin: float, temperature: float
) -> None:
    """Compare one list with values computed by hand. A longer list in the batch must not matter."""
    count = len(scores)
    teacher = data.draw(st.lists(st.floats(-1, 1, width=32), min_size=count, max_size=count))
    relevant = data.draw(st.integers(1, count))
    least = max(teacher[relevant:], default=-math.inf) + margin
    wanted = [max(t, least) if i < relevant else t for i, t in enumerate(teacher)]

    def chances(values: list[float]) -> list[float]:
        powers = [math.exp(value / temperature) for value in values]
        return [power / math.fsum(powers) for power in powers]

    p, q = chances(wanted), chances(scores)
    by_hand = math.fsum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True))

    mask = torch.tensor([[True] * count + [False], [True] * (count + 1)])
    relevance = torch.zeros(2, count + 1)
    relevance[:, :relevant] = 1
    found = distill_kl(
        torch.tensor([[*scores, math.inf], [*scores, 0.0]], dtype=torch.float64),
        torch.tensor([[*teacher, math.nan], [*teacher, 0.0]], dtype=torch.float64),
        mask, relevance, margin, temperature,
    )  # fmt: skip
    assert found[0].item() == pytest.approx(by_hand, rel=1e-9, abs=1e-12)


def test_distillation_is_torchs_where_the_teacher_is_sure() -> None:
    similarities = torch.randn(4, 6, dtype=torch.float64).requires_grad_()
    teacher = torch.randn(4, 6, dtype=torch.float64)
    teacher[:, 0] = teacher.amax(dim=1) + 0.1
    mine = distill_kl(similarities, teacher, margin=0.1, temperature=0.5)
    theirs = torch.nn.KLDivLoss(reduction="batchmean")(
        (similarities / 0.5).log_softmax(dim=1), (teacher / 0.5).softmax(dim=1)
    )
    torch.testing.assert_close(mine.mean(), theirs)
    torch.testing.assert_close(*(
        torch.autograd.grad(loss, similarities)[0] for loss in (mine.mean(), theirs)
    ))  # fmt: skip


def test_distillation_wants_more_than_a_teacher_that_is_wrong() -> None:
    """Stage 1 is the teacher and the start of training, so its mistakes must give a gradient."""
    scores = torch.tensor([[0.2, 0.5, 0.1]])
    similarities = scores.clone().requires_grad_()
    distill_kl(similarities, scores).sum().backward()
    assert similarities.grad is not None
    assert similarities.grad[0, 0] < 0 < similarities.grad[0, 1]
    right = torch.tensor([[0.7, 0.5, 0.1]])
    assert distill_kl(right, right).item() == pytest.approx(0)


def test_every_loss_has_a_function_that_takes_its_settings() -> None:
    assert FUNCTIONS.keys() == LOSSES.keys()
    for name, kind in LOSSES.items():
        taken = inspect.signature(FUNCTIONS[name]).parameters
        needed = {"similarities", "mask", "relevance", *kind.settings}
        assert taken.keys() == (needed | {"teacher"} if kind.teacher else needed), name
        assert all(setting in SETTINGS for setting in kind.settings), name


@given(scores=wide, data=st.data(), least=st.none() | st.floats(0, 0.5))
def test_losses_of_a_teacher_are_those_of_the_slow_twin(
    scores: list[float], data: st.DataObject, least: float | None
) -> None:
    """A teacher that is another model has no least margin; a masked score counts for nothing."""
    count = len(scores)
    teacher = data.draw(st.lists(st.floats(-9, 9, width=32), min_size=count, max_size=count))
    relevant = data.draw(st.integers(1, count))
    mask = torch.tensor([[True] * count + [False]])
    relevance = torch.tensor([[1.0] * relevant + [0.0] * (count - relevant + 1)])
    mine, theirs = (
        torch.tensor([[*values, math.nan]], dtype=torch.float64) for values in (scores, teacher)
    )
    assert margin_mse(mine, theirs, mask, relevance, least).item() == pytest.approx(
        distillation.margin_mse(scores, teacher, relevant, least), rel=1e-9, abs=1e-12
    )
    assert similarity_mse(mine, theirs, mask, relevance).item() == pytest.approx(
        distillation.similarity_mse(scores, teacher), rel=1e-9, abs=1e-9
    )
    assert distill_kl(mine, theirs, mask, relevance, None, 0.5).item() == pytest.approx(
        distillation.divergence(scores, teacher, 0.5), rel=1e-9, abs=1e-9
    )


def test_a_teachers_mean_is_not_learnt() -> None:
    """A number that is added to all scores of a question changes no rank, and so no loss."""
    similarities, teacher = torch.randn(2, 3, 5, dtype=torch.float64)
    for loss in (margin_mse, distill_kl, similarity_mse):
        arguments = {} if loss is similarity_mse else {"margin": None}
        found = [loss(similarities, teacher + more, **arguments) for more in (0, 7)]
        torch.testing.assert_close(*found)
    assert similarity_mse(teacher - 3, teacher).abs().max() < 1e-12
