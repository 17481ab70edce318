"""Each variant of a setting names settings and functions that exist."""

from __future__ import annotations

from importlib import import_module

import pytest

from stage2.config import SETTINGS
from stage2.training.losses import FUNCTIONS
from stage2.variants import LOSSES, TRACKERS


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_its_function_and_its_settings(name: str) -> None:
    assert name in FUNCTIONS
    assert LOSSES[name].settings
    assert set(LOSSES[name].settings) <= SETTINGS.keys()


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_has_its_module(name: str) -> None:
    assert callable(import_module(f"stage2.training.trackers.{name}").track)


def test_they_are_the_choices_of_their_settings() -> None:
    assert set(SETTINGS["loss"].metadata["choices"]) == LOSSES.keys() == FUNCTIONS.keys()
    assert set(SETTINGS["report_to"].metadata["choices"]) == {"none", *TRACKERS}
