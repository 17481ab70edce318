"""The shipped model is read back, and has a card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stage2.models.auto import load_model
from stage2.models.sentence_transformers import layout
from stage2.utils import files
from tests.conftest import Stage2, data_flags, tree
from tests.sentence_models import KINDS, write_model

RECIPE = ["--epochs", 2, "--batch-size", 6, "--learning-rate", 3e-3, "--folds", 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(KINDS["e5, two prompts"], tmp_path_factory.mktemp("st"))


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(KINDS["half precision"], tmp_path_factory.mktemp("half"))


def ship_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the last candidate shipped, whatever the dev questions say."""
    from stage2.cli.commands import train

    choose = train.choose_on_dev

    def last(model, before, trained, dev, settings, checkpoints, *more):  # type: ignore[no-untyped-def]
        found = choose(model, before, trained, dev, settings, checkpoints, *more)
        best = next(one for one in found if one.kind == "epoch")
        state = torch.load(checkpoints / f"epoch_{best.epoch}.pt", weights_only=True)
        model.load_state_dict(state)
        return [best, *(one for one in found if one is not best)]

    monkeypatch.setattr(train, "choose_on_dev", last)


def test_a_folder_that_gives_other_vectors_is_an_error(
    stage2: Stage2, corpus: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    save = layout.save

    def damaging(source, to, *more):  # type: ignore[no-untyped-def]
        save(source, to, *more)
        path = Path(to) / layout.LIBRARY_CONFIG
        told = json.loads(path.read_text())
        path.write_text(json.dumps(told | {"prompts": {"query": "where "}}))

    monkeypatch.setattr(layout, "save", damaging)
    flags = ["run", *data_flags(corpus)[:4], "--model", folder, *RECIPE]
    failed = stage2(*flags, exit_code=1)
    assert "read back, it gives other vectors of a query" in failed.stderr
    assert not (tmp_path / "out" / files.COMPARISON).exists()


def test_a_change_that_is_rounded_away_is_an_error(
    stage2: Stage2, corpus: dict[str, Path], half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship_trained(monkeypatch)
    flags = ["run", *data_flags(corpus)[:4], "--model", half, "--precision", "fp32", *RECIPE]
    flags[flags.index("--learning-rate") + 1] = 1e-9
    failed = stage2(*flags, exit_code=1)
    assert "has the weights from before training, though training changed them" in failed.stderr
    stage2(*flags, "--save-dtype", "fp32", "--overwrite")


def test_weights_are_written_in_the_type_asked_for(
    stage2: Stage2, corpus: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    flags = ["run", *data_flags(corpus)[:4], "--model", folder, *RECIPE]
    stage2(*flags, "--save-dtype", "bf16")
    written = load_file(tmp_path / "out" / files.SHIPPED_MODEL / "model.safetensors")
    assert {weight.dtype for weight in written.values()} == {torch.bfloat16}
    assert load_model(tmp_path / "out").saved_dtype == torch.bfloat16


def test_the_card_stands_in_the_folder_and_is_no_part_of_the_model(
    stage2: Stage2, corpus: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    flags = ["run", *data_flags(corpus)[:4], "--model", folder, *RECIPE, "--precision", "fp32"]
    stage2(*flags)
    out = tmp_path / "out"
    card = (out / files.SHIPPED_MODEL / "README.md").read_text()
    comparison = files.read_json(out / files.COMPARISON)
    test = next(
        part for part in comparison["sets"] if part["name"] == "test" and part["source"] == "corpus"
    )
    assert f"{test['after']['mrr']:.3f}" in card
    assert comparison["verdict"]["text"]["en"].split(":", maxsplit=1)[0] in card
    # The same command again writes the same bytes.
    stage2(*flags, "--overwrite")
    assert (out / files.SHIPPED_MODEL / "README.md").read_text() == card
    assert f"{files.SHIPPED_MODEL}/README.md" in files.read_json(out / files.RUN)["files"]
    assert "README.md" in {Path(name).name for name in tree(out / files.SHIPPED_MODEL)}
