"""Presets: each of their names is a setting, and the reference's values are those of its report."""

from __future__ import annotations

import pytest

from stage2.config import SETTINGS, Settings
from stage2.presets import REFERENCE, RUN_DEFAULTS, RUN_PRESETS


@pytest.mark.parametrize("preset", [RUN_DEFAULTS, REFERENCE, *RUN_PRESETS.values()])
def test_they_are_settings_within_their_ranges(preset: dict[str, object]) -> None:
    assert preset.keys() <= SETTINGS.keys()
    settings = Settings(**preset)  # type: ignore[arg-type]
    assert {name: getattr(settings, name) for name in preset} == preset


def test_the_reference_sets_all_that_a_run_has_other_defaults_for() -> None:
    """If one were missing, a new default would change the recipe of the reference."""
    assert RUN_DEFAULTS.keys() <= REFERENCE.keys()
    assert any(REFERENCE[name] != value for name, value in RUN_DEFAULTS.items())


def test_the_reference_is_what_its_report_says() -> None:
    said = {"epochs": 5, "batch_size": 8, "learning_rate": 1e-5, "margin": 0.1, "negatives": 5,
            "topk": 3, "train_on": "hard", "split": "none"}  # fmt: skip
    assert said.items() <= RUN_PRESETS["reference"].items()
