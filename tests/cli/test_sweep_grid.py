"""The trials of a sweep."""

from __future__ import annotations

from typing import Any

import pytest

from stage2.cli.sweep_grid import parse_grid, trials
from stage2.config import Settings
from stage2.presets import REFERENCE, RUN_DEFAULTS
from stage2.utils.errors import BadInputError

BASE = Settings()


def test_a_grid_is_every_combination_of_typed_values() -> None:
    assert parse_grid(["epochs=1,2", "epochs=2,3"]) == {"epochs": [1, 2, 3]}
    grid = parse_grid(["epochs=1, 2", "--learning-rate=1e-5,1e-4", "max-score=none,0.5"])
    assert grid == {"epochs": [1, 2], "learning_rate": [1e-5, 1e-4], "max_score": [None, 0.5]}
    found = trials(BASE, grid, None, None)
    assert len(found) == len({trial.name for trial in found}) == 8
    assert found[-1].settings.epochs == 2
    assert found[-1].settings.max_score == 0.5
    assert found[-1].settings.margin == BASE.margin


def test_draws_are_combinations_of_the_grid_without_repeats_and_follow_the_seed() -> None:
    grid = parse_grid(["epochs=1,2,3,4", "margin=0.1,0.2,0.3"])
    names = [trial.name for trial in trials(BASE, grid, None, None)]
    drawn = [trial.name for trial in trials(BASE, grid, 5, None)]
    assert len(set(drawn)) == 5
    assert set(drawn) < set(names)
    assert drawn == [trial.name for trial in trials(BASE, grid, 5, None)]
    others = [[t.name for t in trials(Settings(seed=seed), grid, 5, None)] for seed in range(1, 5)]
    assert any(drawn != other for other in others)
    assert len(trials(BASE, grid, 50, None)) == 12


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("epochs", "expected key=v1,v2"),
        ("epochs=", "expected key=v1,v2"),
        ("speed=1", "is not swept"),
        ("seed=1,2", "the same for all trials"),
        ("epochs=few", "not a whole number"),
        ("drop-false-negatives=maybe", "not true or false"),
        ("epochs=0", "--epochs is 0"),
        ("pairs=some", "'some'"),
    ],
)
def test_a_bad_grid_is_refused(given: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        trials(BASE, parse_grid([given]), None, None)


def test_the_reference_preset_is_its_next_steps_around_its_recipe() -> None:
    found = trials(Settings(epochs=2, batch_size=4), {}, None, "reference")
    recipe = dict(REFERENCE)
    values: dict[str, set[Any]] = {name: set() for name in recipe}
    for trial in found:
        for name in recipe:
            values[name].add(getattr(trial.settings, name))
    assert {name: getattr(found[0].settings, name) for name in recipe} == recipe
    assert values == {
        "epochs": {5, 10, 20},
        "learning_rate": {1e-5, 5e-5, 1e-4},
        "margin": {0.05, 0.1, 0.2},
        "negatives": {5, 10, 20},
        "topk": {3, 5, 10},
        "pairs": {"all"},
        "batch_size": {8},
        "schedule": {"constant"},
        "loss": {"margin"},
        "train_on": {"hard"},
        "batches": {"random"},
        "refit": {False},
        "interpolation": {1.0},
        "source": {"candidates"},
    }
    assert all(trial.settings.topk <= trial.settings.negatives for trial in found)


def test_the_strategies_preset_changes_one_thing_at_a_time() -> None:
    found = trials(BASE, {}, None, "strategies")
    assert found[0].changes == {}
    keys = [set(trial.changes) for trial in found[1:-1]]
    assert all(len(key) == 1 for key in keys)
    assert set().union(*keys) == {"source", "pairs", "train_on", "loss", "replay"}
    assert found[-1].changes == RUN_DEFAULTS


def test_the_recipes_are_a_grid_to_draw_from() -> None:
    found = trials(BASE, {}, None, "recipes")
    assert len(found) == len({trial.name for trial in found}) == 72
    assert not any("…" in trial.name for trial in found)
    mined = [trial.settings for trial in found if trial.settings.source == "corpus"]
    assert {settings.negatives for settings in mined} == {1, 3}
    # A chunk that scores above 95% of the ground truth's score may be an answer.
    assert {(settings.loss, settings.relative_margin) for settings in mined} == {("infonce", 0.05)}
    others = [trial.settings for trial in found if trial.settings.source == "candidates"]
    assert {settings.loss for settings in others} == {"in-batch"}
    assert all(trial.settings.train_on == "all" for trial in found)
    drawn = trials(BASE, {}, 5, "recipes")
    assert len(drawn) == 5
    assert {trial.name for trial in drawn} < {trial.name for trial in found}


@pytest.mark.parametrize("preset", ["reference", "strategies"])
def test_nothing_is_drawn_from_what_is_no_grid(preset: str) -> None:
    with pytest.raises(BadInputError, match="--random has no effect here"):
        trials(BASE, {}, 3, preset)
