"""The parameters that are trained."""

from __future__ import annotations

from pathlib import Path

import pytest

import stage2
from stage2.config import Settings
from stage2.models.auto import load_model
from stage2.training.parameters import check_freeze, trainable
from tests.conftest import Stage2, data_flags
from tests.sentence_models import KINDS, write_model


def test_of_low_rank_updates_nothing_is_left(model: stage2.ProbabilisticGBERTV4) -> None:
    """The next training on the model, such as that of a fold, must cause no warning."""
    before = [name for name, _ in model.named_modules()]
    for _ in range(2):
        with trainable(model, Settings(lora=2)):
            assert [name for name, _ in model.named_modules()] != before
        assert [name for name, _ in model.named_modules()] == before
        assert not hasattr(model.backbone, "peft_config")


def test_a_rank_that_no_matrix_has(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus), "--topk", 1, "--folds", 0]
    done = stage2("run", *flags, "--lora", 33, exit_code=2)
    assert "--lora is 33; expected a rank" in done.stderr
    assert "at most 32" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "what"), [("roberta", "backbone"), ("static", "embeddings")])
def test_a_model_without_other_weights_is_not_frozen(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, name: str, what: str
) -> None:
    folder = write_model(KINDS[name], tmp_path)
    flags = ["run", *data_flags(corpus)[:4], "--model", folder, "--folds", 0, "--freeze", what]
    for more in ([], ["--train", "query"]):
        done = stage2(*flags, *more, exit_code=2)
        assert f"--freeze {what} leaves no weight of this model to train" in done.stderr
    assert not (tmp_path / "out").exists()
    check_freeze(load_model(write_model(KINDS["dense"], tmp_path / "heads")), "backbone")
