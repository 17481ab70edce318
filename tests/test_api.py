"""The functions of Python do what the commands do, and print nothing unless asked."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import stage2
from stage2 import BadInputError, Dataset, Settings, run
from tests.conftest import Stage2, tree

FUNCTIONS = ("run", "mine", "train", "evaluate", "check", "audit", "merge")
# Two runs of the same differ in these entries.
CLOCKED = ("run.json", "settings.toml", "training_log.jsonl", "report.html", "report.json")


def flags(settings: dict[str, Any]) -> list[str]:
    return [
        word
        for name, value in settings.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]


@pytest.fixture
def small(corpus: dict[str, Path], model_dir: Path, tmp_path: Path) -> dict[str, Any]:
    """Return the settings of a small run."""
    common = {"model": model_dir, "topk": 1, "epochs": 1, "folds": 0, "learning_rate": 1e-3}
    return {**corpus, **common, "output_dir": tmp_path / "out"}


def outputs(folder: Path) -> dict[str, bytes]:
    """Return the files of a run that are the same for equal settings."""
    left_out = (*CLOCKED, "report.md", "data/", "loss_curve", "model/README.md")
    return {name: data for name, data in tree(folder).items() if not name.startswith(left_out)}


def test_a_run_is_that_of_the_command(
    small: dict[str, Any],
    stage2: Stage2,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpus = {name: small.pop(name) for name in ("qa", "chunks", "entities")}
    steps: list[Any] = []
    epochs: list[dict[str, Any]] = []
    result = run(
        data=Dataset.load(**corpus),
        on_step=lambda *step: steps.append(step),
        on_epoch=epochs.append,
        **small,
    )
    shown = capsys.readouterr()
    assert not shown.out
    assert all(line.startswith("warning: ") for line in shown.err.splitlines())
    assert steps[0] == ("epoch 1/1", 1, 1)
    assert [row["epoch"] for row in epochs] == [0, 1]
    assert result.folder == small["output_dir"]
    other = tmp_path / "command"
    printed = stage2("run", *flags({**corpus, **small, "output_dir": other}))
    assert printed.stdout.strip() == result.table()
    assert outputs(result.folder) == outputs(other)
    # The settings that were saved name the data, so that the command can make the run again.
    stage2("run", "--config", result.folder / "settings.toml", "--dry-run")


def test_stages_follow_each_other(small: dict[str, Any], tmp_path: Path) -> None:
    common = {name: small[name] for name in ("model", "output_dir")}
    data = {name: small[name] for name in ("qa", "chunks", "entities")}
    mined = stage2.mine(**data, **common, topk=1)
    assert mined.mining["num_hard"] > 0
    assert mined.verdict is None
    assert mined.metrics == {}
    assert mined.model is None
    with pytest.raises(BadInputError, match="nothing was evaluated"):
        mined.table()
    trained = stage2.train(**common, epochs=1)
    assert trained.model == small["output_dir"] / "model"
    compared = stage2.evaluate(
        small["model"], small["output_dir"], **data, output_dir=tmp_path / "compared"
    )
    assert compared.verdict is not None
    assert compared.metrics["all"]["corpus"]["before"]["num_queries"] == 12


def test_settings_hold_all(small: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    written = {name: str(value) for name, value in small.items() if isinstance(value, Path)}
    settings = Settings(**written, topk=1, negatives=2, gazetteer="names.txt")
    result = stage2.mine(settings=settings, negatives=3)
    rows = (result.folder / "constructed_data.jsonl").read_text(encoding="utf-8").splitlines()
    assert {len(json.loads(row)["negative_contexts"]) for row in rows} == {3}
    with pytest.raises(BadInputError, match="expected it without preset and config"):
        stage2.run(settings=settings, preset="small")
    capsys.readouterr()


def test_messages_are_shown_if_asked(
    small: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    model = small["model"]
    data = {name: small[name] for name in ("qa", "chunks", "output_dir")}
    result = stage2.evaluate(model, verbose=True, **data)
    shown = capsys.readouterr()
    assert shown.out.strip() == result.table()
    assert "written: " in shown.err


def test_an_error_of_a_callback_ends_the_training(small: dict[str, Any]) -> None:
    def stop(*_: object) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        stage2.run(on_step=stop, **small)
    # The same call goes on.
    assert stage2.run(**small).model is not None


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"topkk": 3}, TypeError, r"stage2.mine\(\) has no keyword 'topkk'; did you mean topk"),
        ({"epochs": 3}, TypeError, "has no keyword 'epochs'"),
        ({"topk": 0}, BadInputError, "--topk is 0; expected"),
        ({"topk": 50}, BadInputError, "--topk is 50, but a question has only 20 candidates"),
        ({"margin": 0.1}, TypeError, "has no keyword 'margin'"),
        (
            {"range_min": 1, "source": "candidates"},
            BadInputError,
            "--range-min 1 has no effect here",
        ),
        ({"qa": Path("none.json")}, BadInputError, "qa and data are given"),
        ({"qa": Path("none.json"), "data": None}, BadInputError, "none.json: no such file"),
        ({"data": 3}, BadInputError, "data is of the type int"),
    ],
)
def test_a_refusal_changes_nothing(
    wrong: dict[str, Any],
    error: type[Exception],
    message: str,
    corpus: dict[str, Path],
    model_dir: Path,
    tmp_path: Path,
) -> None:
    data = Dataset.load(corpus["qa"], corpus["chunks"])
    given = {"data": data, "model": model_dir, "output_dir": tmp_path / "a" / "b"} | wrong
    with pytest.raises(error, match=message):
        stage2.mine(**given)
    assert not list(tmp_path.iterdir())


def test_a_sweep_says_what_its_command_prints(
    small: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Dataset.load(*(small.pop(name) for name in ("qa", "chunks", "entities")))
    del small["folds"], small["learning_rate"]
    small |= {"dev_share": 0.3, "test_share": 0.3}
    grid = {"learning_rate": (1e-4, 1e-3)}
    found = stage2.sweep(grid, data=data, verbose=True, **small)
    printed = capsys.readouterr().out
    assert printed.startswith(found.table() + "\n")
    assert found.test.table() in printed
    assert {row["changes"]["learning_rate"] for row in found.trials} == {1e-4, 1e-3}
    assert found.settings.learning_rate == found.trials[0]["changes"]["learning_rate"]
    assert found.settings.output_dir == Settings().output_dir
    assert found.test.metrics["test"]["corpus"]["before"]["num_queries"] > 0
    again = stage2.mine(settings=found.settings, output_dir=tmp_path / "tuned")
    assert again.mining["num_samples"] == 12


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"grid": "tiny"}, "the preset is 'tiny'; expected reference, strategies or recipes"),
        ({"grid": {"epochs": "2,4"}}, "the grid has epochs: '2,4'; expected a list of values"),
        ({"grid": {"epochs": 2}}, "the grid has epochs: 2; expected a list"),
        ({"grid": {"epochs": ["2,4"]}}, "expected no comma in it"),
        ({"grid": {"epoch": [2]}}, "did you mean epochs"),
        ({"grid": {"epochs": [2.5]}}, "'2.5' is not a whole number"),
        ({"jobs": 0}, "jobs is 0; expected a whole number of at least 1"),
        ({"random": 0}, "random is 0"),
        ({"budget": -1}, "--budget is -1"),
        ({"jobs": 2, "loss": lambda similarities, **_: similarities.sum(1)}, "jobs is 2: a loss"),
    ],
)
@pytest.mark.usefixtures("losses_of_the_test")
def test_a_sweep_that_cannot_be_meant_is_refused(
    wrong: dict[str, Any], message: str, small: dict[str, Any], tmp_path: Path
) -> None:
    grid = wrong.pop("grid", {"epochs": [1, 2]})
    del small["folds"]
    if "loss" in wrong:
        wrong["loss"].__name__ = "own_of_a_sweep"
        small.pop("topk")
    with pytest.raises(BadInputError, match=message):
        stage2.sweep(grid, **(small | {"epochs": 1} | wrong))
    assert not small["output_dir"].exists()


def test_weights_are_merged(small: dict[str, Any], tmp_path: Path) -> None:
    common = {name: small[name] for name in ("model", "qa", "chunks")}
    folder = tmp_path / "merged"
    merged = stage2.merge(small["model"], small["model"], alpha=0.5, output_dir=folder)
    assert (merged.folder / "model").is_dir()
    assert merged.verdict is None
    data = Dataset.load(common["qa"], common["chunks"])
    measured = stage2.merge(
        small["model"], small["model"], alpha=0.5, data=data, output_dir=tmp_path / "measured"
    )
    assert measured.metrics


def test_data_in_memory_are_converted(corpus: dict[str, Path], tmp_path: Path) -> None:
    data = Dataset.load(corpus["qa"], corpus["chunks"])
    left = stage2.convert(data, tmp_path / "beir")
    assert left == {"answers": 12}
    back = stage2.convert(tmp_path / "beir", tmp_path / "rows.jsonl", to="sentence-transformers")
    assert isinstance(back, dict)
    table = pa.table({"question": ["who?"], "positive": ["he did"], "negative": ["she"]})
    assert stage2.convert(table, tmp_path / "more.jsonl", to="flagembedding") == {}
    assert "he did" in (tmp_path / "more.jsonl").read_text("utf-8")
    with pytest.raises(BadInputError, match="--to is 'csv'; expected beir or"):
        stage2.convert(table, tmp_path / "again", to="csv")
    with pytest.raises(BadInputError, match="format: says how files are read"):
        stage2.convert(data, tmp_path / "again", format="beir")
    with pytest.raises(TypeError, match=r"stage2.convert\(\) has no keyword 'epochs'"):
        stage2.convert(data, tmp_path / "again", epochs=1)
    with pytest.raises(BadInputError, match="is there already"):
        stage2.convert(data, tmp_path / "beir")
    assert {path.name for path in tmp_path.iterdir()} == {"beir", "rows.jsonl", "more.jsonl"}


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(BadInputError, match="preset is 'tiny'; expected reference or small"):
        stage2.run(preset="tiny")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = pa.table({"question": ["who?"], "positive": ["he"]})
    with pytest.raises(BadInputError, match="file"):
        stage2.mine(data=data, output_dir=tmp_path / "file")
    assert (tmp_path / "file").is_file()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_editors_show(name: str) -> None:
    function = getattr(stage2, name)
    signature = inspect.signature(function)
    assert signature.parameters["keywords"].annotation == "Unpack[Keywords]"
    assert signature.return_annotation == "Result"
    assert inspect.getdoc(function)
