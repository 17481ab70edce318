"""A teacher's scores are learnt in the unit of the model that learns them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stage2 import ProbabilisticGBERTV4
from stage2.config import Settings
from stage2.encoding.encode import encode_tokens
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.vectors import without_entities
from stage2.evaluation.ranking import score
from stage2.training.losses import FUNCTIONS
from stage2.training.step import accumulate_gradients
from stage2.training.teacher import NOBODY, Teacher, spread, spread_ratio, teacher_of
from stage2.training.untouched import Untouched, untouched_of
from stage2.utils.errors import BadInputError
from tests.reference import distillation

BASE = Settings(precision="fp32", loss="margin-mse", teacher="a model")


def of(lengths: list[int], lists: RankingLists) -> RankingLists:
    """Return lists of these lengths, of which only the lengths are asked."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return replace(lists, questions=np.zeros(len(lengths), np.int64), offsets=offsets)


def taught(lists: RankingLists, seed: int = 0) -> RankingLists:
    """Return lists with the logits and the vectors of a teacher that nobody has trained."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(len(lists.tokens), 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = 7 * generator.normal(size=len(lists.candidates)).astype(np.float32) - 3
    return replace(lists, taught=scores, taught_vectors=vectors)


@pytest.mark.usefixtures("lists")
def test_the_spread_is_that_of_the_slow_twin(lists: RankingLists) -> None:
    number = st.floats(-20, 20, width=32)

    @given(parts=st.lists(st.lists(number, max_size=5), min_size=1, max_size=6))
    def same(parts: list[list[float]]) -> None:
        scores = np.asarray([value for part in parts for value in part], np.float32)
        found = spread(of([len(part) for part in parts], lists), scores)
        assert found == pytest.approx(distillation.spread(parts), rel=1e-9, abs=1e-9)

    same()


@pytest.mark.parametrize(("loss", "times"), [("margin-mse", 2), ("distill-kl", 1)])
def test_the_scale_gives_a_teacher_the_models_spread(
    model: ProbabilisticGBERTV4, lists: RankingLists, loss: str, times: float
) -> None:
    own = score(lists, encode_tokens(model, lists.tokens, precision="fp32")).scores
    given_scores = taught(lists)
    found = teacher_of(model, given_scores, replace(BASE, loss=loss)).scores
    assert found is not None
    assert spread(lists, found) == pytest.approx(times * spread(lists, own), rel=1e-5)
    assert given_scores.taught is not None
    ratio = spread_ratio(lists, given_scores.taught, own)
    assert found == pytest.approx(given_scores.taught * ratio * times, rel=1e-5)
    fixed = teacher_of(model, given_scores, replace(BASE, teacher_scale=0.5)).scores
    assert fixed is not None
    assert np.array_equal(fixed, given_scores.taught / 2)


def test_vectors_are_scaled_as_their_scores_are(
    model: ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    settings = replace(BASE, loss="similarity-mse", teacher_scale=0.25)
    given_vectors = taught(lists)
    found = teacher_of(model, given_vectors, settings)
    assert found.scores is None
    assert found.vectors is not None
    assert given_vectors.taught_vectors is not None
    assert found.vectors == pytest.approx(given_vectors.taught_vectors / 2)


def test_who_teaches_what(model: ProbabilisticGBERTV4, lists: RankingLists) -> None:
    assert teacher_of(model, lists, Settings()) is NOBODY
    own = teacher_of(model, taught(lists), replace(BASE, teacher=None)).scores
    right = score(lists, encode_tokens(model, lists.tokens, precision="fp32")).scores
    assert own is not None
    assert np.array_equal(own, right)
    with pytest.raises(BadInputError, match="nobody has asked --teacher a model"):
        teacher_of(model, lists, BASE)
    for settings in (BASE, replace(BASE, teacher=None)):
        with pytest.raises(BadInputError, match="needs the vectors of a teacher"):
            teacher_of(model, replace(lists, taught=np.zeros(len(lists.candidates), np.float32)),
                       replace(settings, loss="similarity-mse"))  # fmt: skip


def test_a_score_that_is_missing_or_says_nothing_is_refused(
    model: ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    some = np.zeros(len(lists.candidates), np.float32)
    with pytest.raises(BadInputError, match="the teacher gives all candidates of each question"):
        teacher_of(model, replace(lists, taught=some), BASE)
    some[3] = np.nan
    with pytest.raises(BadInputError, match="no score of 1 candidates"):
        teacher_of(model, replace(lists, taught=some), BASE)
    logits = np.arange(len(some), dtype=np.float32)
    with pytest.raises(BadInputError, match="the model before training gives all"):
        spread_ratio(lists, logits, np.ones_like(some))


@pytest.mark.parametrize("loss", ["margin-mse", "distill-kl", "similarity-mse"])
def test_the_order_of_the_teacher_is_learnt(
    model: ProbabilisticGBERTV4, lists: RankingLists, loss: str
) -> None:
    """A teacher's random scores are in no model, so only learning brings them there."""
    lists = taught(lists)
    if loss == "similarity-mse":
        vectors = without_entities(lists.taught_vectors)  # type: ignore[arg-type]
        asked = np.repeat(lists.questions, lists.lengths)
        products = vectors.mu[asked] * vectors.mu[lists.candidates]
        lists = replace(lists, taught=products.sum(axis=1).astype(np.float32))
    settings = replace(BASE, loss=loss, teacher_scale=None, similarity="sentence")
    untouched = untouched_of(model, lists, None, settings)
    rows = np.arange(len(lists))

    def agreement() -> float:
        """Return the mean correlation with the teacher within a list."""
        model.eval()
        found = score(lists, encode_tokens(model, lists.tokens, precision="fp32")).scores
        parts = (np.split(x, lists.offsets[1:-1]) for x in (found, lists.taught))
        return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(*parts, strict=True)]))

    before = agreement()
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    values = []
    for _ in range(25):
        optimizer.zero_grad()
        values.append(accumulate_gradients(model, lists, rows, settings, len(rows), untouched))
        optimizer.step()
    assert values[-1] < values[0] / 2
    assert agreement() > before + 0.2


def test_the_least_margin_is_that_of_the_untouched_model_alone(
    model: ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    """A teacher that prefers a negative is believed, whatever --margin says."""
    against = np.where(lists.is_relevant, -1, 1).astype(np.float32)
    settings = replace(BASE, teacher_scale=0.1, margin=0.4)
    values = []
    for scores, chosen in (
        (None, replace(settings, margin=0.0)),
        (None, settings),
        (against, replace(settings, margin=0.0)),
        (against, settings),
    ):
        teacher = NOBODY if scores is None else Teacher(scores * np.float32(0.1))
        if scores is None:
            chosen = replace(chosen, teacher=None, teacher_scale=None)  # noqa: PLW2901
            teacher = teacher_of(model, lists, chosen)
        model.zero_grad()
        values.append(
            accumulate_gradients(
                model, lists, np.arange(12), chosen, 12, Untouched(teacher=teacher)
            )
        )
    assert values[0] != values[1]
    assert values[2] == values[3]


def test_a_loss_with_a_teacher_is_not_computed_without(
    model: ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    for loss in ("margin-mse", "similarity-mse"):
        assert loss in FUNCTIONS
        with pytest.raises(BadInputError, match=f"the loss {loss} needs a teacher"):
            accumulate_gradients(model, lists, np.arange(2), replace(BASE, loss=loss), 2)
