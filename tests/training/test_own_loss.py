"""A loss of one's own trains as the same loss of stage2 does, and is checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import stage2
from stage2 import BadInputError, RunFailedError
from stage2.config_file import read_toml
from stage2.training.losses import FUNCTIONS, infonce
from stage2.training.own_loss import add_loss, loss_hashes
from stage2.variants import LOSSES

pytestmark = pytest.mark.usefixtures("losses_of_the_test")


def warm(similarities: Tensor, mask: Tensor, relevance: Tensor) -> Tensor:
    """InfoNCE at another temperature."""
    return infonce(similarities, mask, relevance, 0.2)


def settings_of(corpus: dict[str, Path], model: Path, folder: Path) -> dict[str, Any]:
    common = {"model": model, "epochs": 1, "folds": 0, "learning_rate": 1e-3, "bm25": False}
    return {**corpus, **common, "output_dir": folder}


@pytest.mark.parametrize(("negatives", "same"), [("batch", "in-batch"), ("both", "infonce")])
def test_it_trains_as_the_same_loss_of_stage2_does(
    corpus: dict[str, Path], model_dir: Path, tmp_path: Path, negatives: Any, same: str
) -> None:
    add_loss("warm", warm, negatives=negatives)
    own = stage2.run(**settings_of(corpus, model_dir, tmp_path / "own"), loss="warm")
    theirs = stage2.run(
        **settings_of(corpus, model_dir, tmp_path / "theirs"), loss=same, temperature=0.2
    )
    assert [row["loss"] for row in own.log] == [row["loss"] for row in theirs.log]
    assert read_toml(own.folder / "settings.toml")["loss"] == "warm"


def test_a_function_is_a_loss_by_its_name(
    corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    found = stage2.run(**settings_of(corpus, model_dir, folder), loss=warm)
    assert read_toml(found.folder / "settings.toml")["loss"] == "warm"
    assert LOSSES["warm"].negatives == "both"
    with pytest.raises(BadInputError, match=r"--temperature 0\.5 has no effect here"):
        stage2.run(**settings_of(corpus, model_dir, folder), loss=warm, temperature=0.5)


def test_another_function_of_the_name_is_another_loss() -> None:
    add_loss("warm", warm)
    before = loss_hashes("warm")
    assert add_loss("warm", warm) == "warm"
    assert loss_hashes("warm") == before != {}

    def warm_too(similarities: Tensor, mask: Tensor, relevance: Tensor) -> Tensor:
        return infonce(similarities, mask, relevance, 0.3)

    add_loss("warm", warm_too)
    assert loss_hashes("warm") != before
    # A function without a text is never the same.
    scope: dict[str, Any] = {}
    exec("def made(similarities, mask, relevance): return similarities[:, 0]", scope)
    add_loss("made", scope["made"])
    unknown = loss_hashes("made")
    add_loss("made", scope["made"])
    assert loss_hashes("made") != unknown
    assert loss_hashes("margin") == {}


@pytest.mark.parametrize(
    ("name", "function", "negatives", "message"),
    [
        ("margin", warm, "both", "a loss of stage2 is named margin already"),
        ("a loss", warm, "both", "a loss is named 'a loss'; expected letters, digits"),
        ("<lambda>", warm, "both", r"stage2\.add_loss\(name, function\) gives it a name"),
        ("own", warm, "all", "negatives is 'all'; expected 'list', 'batch' or 'both'"),
    ],
)
def test_a_bad_name_is_refused(name: str, function: Any, negatives: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        add_loss(name, function, negatives=negatives)


def test_what_cannot_be_called_is_no_loss() -> None:
    with pytest.raises(TypeError, match="the loss own is a int; expected a function"):
        add_loss("own", 3)  # type: ignore[arg-type]


def test_a_wrong_shape_is_told(corpus: dict[str, Path], model_dir: Path, tmp_path: Path) -> None:
    def mean(similarities: Tensor, mask: Tensor, relevance: Tensor) -> Tensor:
        return similarities.mean()

    with pytest.raises((BadInputError, RunFailedError), match="the loss mean returned a tensor of"):
        stage2.run(**settings_of(corpus, model_dir, tmp_path / "out"), loss=mean)


def test_what_is_returned_is_float32() -> None:
    add_loss("half", lambda similarities, **_: similarities[:, 0].bfloat16())
    found = FUNCTIONS["half"](torch.eye(2), mask=None, relevance=None)
    assert found.dtype == torch.float32
    add_loss("none", lambda similarities, **_: None)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="the loss none returned NoneType; expected a tensor"):
        FUNCTIONS["none"](torch.eye(2), mask=None, relevance=None)
