"""A training on few questions makes more epochs, unless its recipe is stated."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomllib

from stage2.config import Settings
from stage2.presets import RUN_DEFAULTS, RUN_PRESETS, SMALL
from stage2.training.course import WIDTH, for_few_questions, for_width
from tests.conftest import Stage2, data_flags
from tests.small import write_backbone

SAID = "questions to train on are few: 10 epochs are made in place of 2"


@pytest.mark.parametrize("stated", ["epochs", "batch_size", "loss", "refit", "interpolation"])
def test_a_recipe_that_is_stated_in_part_stays(stated: str) -> None:
    settings = Settings(**RUN_DEFAULTS)
    few = for_few_questions(settings, 1)
    assert {name: getattr(few, name) for name in SMALL} == SMALL
    assert {name for name in RUN_DEFAULTS if getattr(few, name) != RUN_DEFAULTS[name]} == {"epochs"}
    named = Settings(**RUN_DEFAULTS, stated=frozenset([stated, "seed"]))
    assert for_few_questions(named, 1) is named
    other = Settings(**RUN_DEFAULTS, stated=frozenset(["seed", "model"]))
    assert for_few_questions(other, 1).epochs == 10


@pytest.mark.parametrize(
    ("questions", "epochs"), [(64, 10), (128, 10), (129, 7), (256, 5), (320, 4), (576, 3), (577, 2)]
)
def test_there_are_epochs_for_twenty_updates_and_ten_at_most(questions: int, epochs: int) -> None:
    assert for_few_questions(Settings(**RUN_DEFAULTS), questions).epochs == epochs


def test_no_preset_is_changed() -> None:
    for preset in RUN_PRESETS.values():
        given = Settings(**{**RUN_DEFAULTS, **preset}, stated=frozenset(preset))
        assert for_few_questions(given, 1) is given


def test_a_run_says_and_writes_the_course_that_it_takes(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    run = ["run", *data_flags(corpus), "--model", model_dir, "--folds", 0, "--output-dir"]
    assert SAID in stage2(*run, tmp_path / "few").stderr
    written = tomllib.loads((tmp_path / "few" / "settings.toml").read_text(encoding="utf-8"))
    assert {name: written[name] for name in SMALL} == SMALL
    # A settings file states a recipe, and so it stays as it is.
    again = stage2(*run, tmp_path / "again", "--config", tmp_path / "few" / "settings.toml",
                   "--epochs", 1)  # fmt: skip
    assert SAID not in again.stderr
    once = tomllib.loads((tmp_path / "again" / "settings.toml").read_text(encoding="utf-8"))
    assert {name: once[name] for name in SMALL} == {**SMALL, "epochs": 1}
    assert SAID not in stage2(*run, tmp_path / "other", "--learning-rate", 3e-5).stderr


@pytest.mark.parametrize(("width", "rate"), [(32, 1e-4), (384, 1e-4), (768, 5e-5), (1024, 3.75e-5)])
def test_a_wider_encoder_has_a_lower_rate(width: int, rate: float) -> None:
    assert for_width(Settings(**RUN_DEFAULTS), width).learning_rate == pytest.approx(rate)
    few = for_few_questions(Settings(**RUN_DEFAULTS), 1)
    assert for_width(few, width).learning_rate == pytest.approx(rate)


def test_a_rate_that_is_stated_stays() -> None:
    named = Settings(learning_rate=1e-4, stated=frozenset(["learning_rate"]))
    assert for_width(named, 2 * WIDTH) is named


def test_a_run_and_a_sweep_of_a_wider_encoder_take_the_lower_rate(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    wide = write_backbone(tmp_path / "wide", width=2 * WIDTH)
    call = [*data_flags(corpus)[:4], "--model", wide, "--epochs", 1]
    said = "the encoder is 768 wide, and the learning rate of the defaults is for 384"
    assert said in stage2("run", *call, "--folds", 0).stderr
    stage2("sweep", *call, "--grid", "batch_size=32", "--output-dir", tmp_path / "sweep")
    (trial,) = (tmp_path / "sweep").glob("trials/*/settings.toml")
    for path in (tmp_path / "out" / "settings.toml", trial):
        assert tomllib.loads(path.read_text(encoding="utf-8"))["learning_rate"] == 5e-5
    assert said not in stage2("run", *call, "--learning-rate", 1e-4, "--folds", 0,
                              "--output-dir", tmp_path / "stated").stderr  # fmt: skip
