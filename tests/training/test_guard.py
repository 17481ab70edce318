"""A candidate that a guard calls worse is passed over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import stage2
from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.report.model_choice import shipped
from stage2.training.guard import Guard, Judgement
from stage2.training.model_selection import ALPHAS, Candidate, choose
from stage2.training.refit import undo_if_worse
from tests.training.test_model_selection import epochs, log_of, moved_by, weights

__all__ = ["epochs"]  # a fixture

WORSE = Judgement("g", 0.8, 0.4, -0.6, -0.2, "worse")
FINE = replace(WORSE, after=0.8, verdict="undecided")


def test_a_guard_judges_by_its_questions(model: stage2.ProbabilisticGBERTV4) -> None:
    lists: RankingLists = None  # type: ignore[assignment]
    was = np.tile([1.0, 0.5], 30)
    guard = Guard("g", lists, was, np.arange(60), margin=0.1, seed=0)
    assert guard.judge(was).verdict == "not_worse"
    assert guard.judge(np.full(60, 0.1)).is_worse
    assert guard.judge(was).before == pytest.approx(0.75)


def test_the_best_that_is_not_worse_elsewhere_ships(
    model: stage2.ProbabilisticGBERTV4, epochs: Path
) -> None:
    """Epoch 2 is best on dev; whatever lies further than 1 from stage 1 has forgotten."""
    start = weights(model)

    def judge(m: stage2.ProbabilisticGBERTV4) -> list[Judgement]:
        return [WORSE if moved_by(m, start) > 1.1 else FINE]

    found = choose(
        model, start, log_of(0.5, 0.55, 0.7),
        lambda m: np.array([0.5 + moved_by(m, start) / 10]), epochs, judge=judge,
    )  # fmt: skip
    # On the way to epoch 2, 0.8 and 0.6 are worse elsewhere; 0.4 is a move by 0.8.
    assert (found[0].kind, found[0].epoch, found[0].alpha) == ("interpolation", 2, 0.4)
    assert moved_by(model, start) == pytest.approx(0.8, abs=1e-6)
    assert len(found) == 3 + len(ALPHAS)
    passed = [candidate for candidate in found if candidate.is_worse_elsewhere]
    assert {candidate.alpha for candidate in passed} == {1.0, 0.8, 0.6}
    reason = shipped(found, held_out=True)["reason"]
    assert "since it became worse elsewhere" in reason["en"]
    assert "epoch 2 (g: MRR 0.8000 → 0.4000)" in reason["en"]
    assert "因守护集判为变差而略过" in reason["zh"]


def test_stage_1_ships_where_all_others_are_worse_elsewhere(
    model: stage2.ProbabilisticGBERTV4, epochs: Path
) -> None:
    start = weights(model)
    found = choose(
        model, start, log_of(0.5, 0.6, 0.7), lambda _: np.array([0.6]), epochs,
        judge=lambda _: [FINE, WORSE],
    )  # fmt: skip
    assert found[0].kind == "stage1"
    assert moved_by(model, start) == 0


def test_what_is_fine_is_judged_once(model: stage2.ProbabilisticGBERTV4, epochs: Path) -> None:
    calls = []
    found = choose(
        model, weights(model), log_of(0.5, 0.6, 0.7), lambda _: np.zeros(1), epochs,
        judge=lambda m: calls.append(m) or [FINE],
    )  # fmt: skip
    assert (len(calls), found[0].name, found[0].guards) == (1, "epoch 2", (FINE,))


@pytest.mark.parametrize("even_with", [None, "epoch 2", "stage 1"])
def test_a_refit_that_is_worse_elsewhere_is_undone(
    model: stage2.ProbabilisticGBERTV4, even_with: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = weights(model)
    chosen = {n: t + 1 if t.is_floating_point() else t for n, t in start.items()}
    refitted = {n: t + 2 if t.is_floating_point() else t for n, t in start.items()}
    candidates = [
        Candidate("epoch 1", "epoch", 1, 1.0, 0.6, even_with=even_with, standard_error=0.01),
        Candidate("epoch 2", "epoch", 2, 1.0, 0.6),
        Candidate("stage 1", "stage1", 0, 0.0, 0.5),
    ]
    place = "stage2.training.refit.judgements"
    model.load_state_dict(refitted)
    monkeypatch.setattr(place, lambda *_: (FINE,))
    kept = undo_if_worse(model, start, chosen, candidates, (), Settings())
    assert kept == (candidates, ())
    assert moved_by(model, start) == 2
    monkeypatch.setattr(place, lambda *_: (WORSE,))
    found, why = undo_if_worse(model, start, chosen, candidates, (), Settings())
    # An epoch that dev questions do not tell from stage 1 was chosen for the refit alone.
    keeps = even_with != "stage 1"
    assert found[0].kind == ("epoch" if keeps else "stage1")
    assert moved_by(model, start) == (1 if keeps else 0)
    told = shipped(found, held_out=True, undone=why)
    assert told["refit_on"] == 0
    said = "it is shipped as it was before that" if keeps else "stage 1 is shipped, from"
    assert said in told["reason"]["en"]
    assert "在守护集上变差" in told["reason"]["zh"]
