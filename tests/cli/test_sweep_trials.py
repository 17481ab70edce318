"""The trials of a sweep: their order, how two are compared, and what a stopped one leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2.cli.sweep_grid import Trial
from stage2.cli.sweep_trials import Outcome, difference_of, reciprocal_ranks, run_trial, seconds_of
from stage2.config import Settings
from stage2.evaluation.statistics import verdict_of
from stage2.utils import files


def outcome(name: str, mrr: float | None, trained: float | None = None) -> Outcome:
    dev = None if mrr is None else {"mrr": mrr}
    return Outcome(name, None, {}, "done", dev=dev, trained=trained)


def test_the_better_is_first_then_what_it_trained_then_the_earlier() -> None:
    found = [
        outcome("failed", None),
        outcome("untrained", 0.5),
        outcome("a", 0.5, 0.3),
        outcome("b", 0.5, 0.4),
        outcome("c", 0.5, 0.4),
        outcome("best", 0.6, 0.6),
    ]
    names = [one.trial for one in sorted(found, key=lambda one: one.key)]
    assert names == ["best", "b", "c", "a", "untrained", "failed"]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(*[st.floats(0, 1)] * 2), min_size=1),
    st.integers(0, 3),
)
def test_the_difference_is_paired_by_question(
    ranks: dict[str, tuple[float, float]], seed: int
) -> None:
    one, other = ({name: both[i] for name, both in ranks.items()} for i in (0, 1))
    groups = {name: place // 2 for place, name in enumerate("abcdef")}
    found = difference_of(one, dict(reversed(other.items())), groups, seed)
    assert found.mean == pytest.approx(np.mean([left - right for left, right in ranks.values()]))
    assert found.low - 1e-12 <= found.mean <= found.high + 1e-12
    alone = difference_of(one, {}, groups, seed)
    assert alone.mean == pytest.approx(np.mean(list(one.values())))


def test_one_group_of_questions_is_one_event() -> None:
    """Eight questions about one chunk that all got worse are no evidence, eight chunks are."""
    worse, best = dict.fromkeys("abcdefgh", 0.5), dict.fromkeys("abcdefgh", 1.0)
    apart = {name: place for place, name in enumerate("abcdefgh")}
    assert verdict_of(difference_of(worse, best, apart, 0)) == "worse"
    assert verdict_of(difference_of(worse, best, dict.fromkeys(apart, 0), 0)) != "worse"
    assert verdict_of(difference_of(best, best, apart, 0)) != "worse"


def test_what_a_run_says_is_read(finished: Path) -> None:
    sets = files.read_json(finished / files.COMPARISON)["sets"]
    [dev] = [one for one in sets if (one["name"], one["source"]) == ("dev", "corpus")]
    ranks = reciprocal_ranks(finished)
    assert len(ranks) == dev["num_queries"]
    assert np.mean(list(ranks.values())) == pytest.approx(dev["after"]["mrr"])
    stages = files.read_json(finished / files.RUN)["stages"]
    training, other = seconds_of(finished)
    assert training == stages["train"]["seconds"]
    assert training + other == pytest.approx(sum(stage["seconds"] for stage in stages.values()))


@pytest.mark.parametrize("begun", [True, False])
def test_a_stopped_trial_leaves_a_log_if_it_has_a_folder(tmp_path: Path, begun: bool) -> None:
    folder = tmp_path / "trial"
    trial = Trial({}, replace(Settings(), output_dir=str(folder)))

    def stopped(_: Settings) -> None:
        if begun:
            folder.mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(trial, stopped)
    assert (tmp_path / "trial.log").is_file() is begun
