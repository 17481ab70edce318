"""A search within a budget: the rungs, the winner, the plan that is followed, and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from stage2.cli.commands import run as run_module
from stage2.cli.main import program
from stage2.cli.workload import Pace
from stage2.config import Settings
from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.small import WORDS, write_jsonl

GRID = ["--grid", "learning_rate=1e-12,2e-12,1e-3"]
FLAGS = ["--batch-size", 2, "--epochs", 2, "--loss", "infonce", "--precision", "fp32"]
# With the pace of `steady` three trials take longer than this, and two rungs do not.
BUDGET = 0.9


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """60 questions, each of the first words of its chunk, which a tiny model can learn."""
    folder, random = tmp_path_factory.mktemp("asked"), np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 8)) for _ in range(70)]
    chunks = [{"chunk_id": f"c{i:02}", "text": text} for i, text in enumerate(texts)]
    qa = [
        {"qa_id": f"q{i:02}", "question": " ".join(texts[i].split()[:4]), "chunk_id": f"c{i:02}"}
        for i in range(60)
    ]
    return {
        "qa": write_jsonl(folder / "qa.jsonl", qa),
        "chunks": write_jsonl(folder / "chunks.jsonl", chunks),
    }


@pytest.fixture(scope="module", autouse=True)
def steady() -> Iterator[None]:
    """Let no clock decide, so that a plan and what follows from it are the same each time."""
    pace = Pace(1e-3, {"query": 6.0, "document": 10.0}, 1e-9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pace, "measure", staticmethod(lambda *_: pace))
        patch.setattr("stage2.cli.commands.sweep.apart", lambda _: 0.0)
        for module in ("sweep_budget", "sweep_trials"):
            patch.setattr(f"stage2.cli.{module}.seconds_of", lambda _: (5.5, 1.0))
        # Charts take longer than such trainings.
        patch.setattr(run_module, "write_report", lambda folder, _: folder / files.REPORT)
        yield


Search = Callable[..., Any]


@pytest.fixture(scope="module")
def search(asked: dict[str, Path], model_dir: Path) -> Search:
    def call(out: Path, *more: object, exit_code: int = 0) -> Any:
        flags = ["sweep", *data_flags(asked), "--model", model_dir, *FLAGS, "--output-dir", out]
        grid = [] if {"--preset", "--grid"} & {*more} else GRID
        budget = [] if "--budget" in more else ["--budget", BUDGET]
        result = CliRunner().invoke(
            program, [str(word) for word in (*flags, *grid, *budget, *more)]
        )
        assert result.exit_code == exit_code, result.output
        assert "Traceback" not in result.output
        return result

    return call


@pytest.fixture(scope="module")
def whole(search: Search, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A search that was never stopped: its folder, and what it printed."""
    out = tmp_path_factory.mktemp("search") / "whole"
    return out, search(out)


def content(folder: Path) -> dict[str, Any]:
    """Return all bytes but for those that hold times and folders."""
    timed = (files.RUN, files.SETTINGS, files.WINNER, files.TRAINING_LOG, files.CARD)
    report = (files.REPORT, files.PAGE, files.REPORT_JSON, files.COMPARISON)
    return {
        name: data
        for name, data in tree(folder).items()
        if Path(name).name not in (*timed, *report) and not name.endswith(".log")
    }


def test_the_useful_learning_rate_wins_and_each_rung_is_inside_the_next(
    whole: tuple[Path, Any], stage2: Stage2, tmp_path: Path
) -> None:
    out, result = whole
    plan = files.read_json(out / files.SWEEP_PLAN)
    assert [rung["trials"] for rung in plan["rungs"]] == [3, 1]
    # One more is within noise of the best, and there is room for it.
    assert len(plan["decisions"][0]["kept"]) == 2
    rows = read_jsonl(out / files.SWEEP)
    assert rows[0]["trial"] == "learning_rate=0.001"
    assert rows[0]["dropped"] is None
    assert rows[0]["rung"] == 2
    assert {row["trial"] for row in rows if row["rung"] == 2} == set(plan["decisions"][0]["kept"])
    for row in rows[1:]:
        assert row["dropped"]["why"] in ("worse", "even", "no_room")
        assert row["dropped"]["difference"] <= 0
    # The table has all trials, and why each went no further.
    table = result.stdout.splitlines()
    assert table[0].split()[-3:] == ["rung", "questions", "dropped"]
    assert [line.split()[0] for line in table[1:4]] == [row["trial"] for row in rows]

    small, whole = (json.loads((out / place).read_text()) for place in (
        files.rung_split(1), files.SEARCH_SPLIT
    ))  # fmt: skip
    assert set(small["train"]) < set(whole["train"])
    assert small["dev"] == whole["dev"]
    assert small["test"] == whole["test"] == []
    for row in rows:
        low, high = row["interval"]
        assert low <= row["dev"]["mrr"] <= high
        ran = json.loads((out / row["folder"] / files.SPLIT).read_text())
        assert row["questions"] == len(ran["train"])
        assert ran["test"] == []
        # Baselines are the same for all trials, so none computes them.
        sets = files.read_json(out / row["folder"] / files.COMPARISON)["sets"]
        assert not any("baselines" in part for part in sets)
    tested = files.read_json(out / files.TEST / files.COMPARISON)["sets"]
    assert all("bm25" in part["baselines"] for part in tested if part["source"] == "corpus")

    # The winner's settings are those of a run, which has the same test side.
    again = tmp_path / "again"
    stage2("run", "--config", out / files.WINNER, "--folds", 0, "--output-dir", again)
    split = json.loads((again / files.SPLIT).read_text())
    assert split["test"] == json.loads((out / files.TEST_SPLIT).read_text())["test"]
    assert "learning_rate = 0.001" in (again / files.SETTINGS).read_text()
    assert "output_dir" not in (out / files.WINNER).read_text()


def test_a_search_that_was_stopped_goes_on_to_the_same_bytes(
    search: Search, whole: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "stopped"
    ran: list[str] = []
    real = run_module.run_command

    def stopped(settings: Settings) -> None:
        ran.append(settings.output_dir)
        if len(ran) == 5:
            raise KeyboardInterrupt
        real(settings)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "run_command", stopped)
        search(out, exit_code=1)
    # All of the first rung and one trial of the second are kept, with what was decided.
    assert len(read_jsonl(out / files.SWEEP)) == 2
    # A machine that is now a hundred times as slow changes nothing.
    monkeypatch.setattr(Pace, "measure", staticmethod(lambda *_: pytest.fail("measured again")))
    result = search(out)
    assert "following the plan of an earlier call" in result.stderr
    assert "3 of 3 trials are done already" in result.stderr
    assert "1 of 2 trials are done already" in result.stderr
    before, after = content(whole[0]), content(out)
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []


def test_trials_join_if_there_is_time_and_another_search_does_not_follow_the_plan(
    search: Search, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    # One trial is expected to fit. It takes a third of the time, so that there is room for two.
    said = search(out, "--budget", 0.45).stderr
    assert "2 trials are left out, unless there is time for them" in said
    assert "there is time for 2 more trials" in said
    plan = files.read_json(out / files.SWEEP_PLAN)
    assert [rung["trials"] for rung in plan["rungs"]] == [1]
    assert sorted(plan["added"]) == sorted(plan["left_out"])
    assert not (out / files.RUNGS).exists()
    rows = read_jsonl(out / files.SWEEP)
    assert [row["status"] for row in rows] == ["done"] * 3
    assert rows[0]["trial"] == "learning_rate=0.001"
    before = tree(out)
    for more, why in (
        (["--budget", 0.5], "--budget 0.45, and this one has 0.5"),
        (["--budget", 0.45, "--warmup", 0.5], "other trials, settings or inputs"),
        (["--budget", 0.45, "--grid", "learning_rate=1e-3,1e-4"], "other trials, settings or"),
    ):
        assert why in search(out, *more, exit_code=2).stderr
    (out / files.SWEEP_PLAN).write_text('{"budget": 0.45}')
    assert "not as stage2 wrote it" in search(out, "--budget", 0.45, exit_code=2).stderr
    after = tree(out)
    del before[files.SWEEP_PLAN], after[files.SWEEP_PLAN]
    assert before == after


def test_a_dry_run_shows_the_plan(search: Search, tmp_path: Path) -> None:
    plan = json.loads(search(tmp_path / "out", "--dry-run", "--json").stdout)["result"]["plan"]
    first, second, once = plan["work"]
    assert first["what"].startswith("trials of rung 1, on ")
    assert (first["count"], second["count"]) == (3, 1)
    assert first["seconds"][0] < first["seconds"][1]
    assert once["what"] == "what is done once, with the test"
    assert plan["seconds"][1] >= sum(work["seconds"][1] for work in plan["work"])
    assert not (tmp_path / "out").exists()


def test_trials_that_do_not_fit_are_left_out_and_named(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    ran: list[str] = []

    def one(settings: Settings) -> None:
        ran.append(settings.output_dir)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "run_command", one)
    search(out, "--preset", "recipes", "--budget", 2, exit_code=1)
    plan = files.read_json(out / files.SWEEP_PLAN)
    assert len(ran) == 1
    assert plan["rungs"][0]["trials"] == len(plan["trials"]) > 1
    assert len(plan["trials"]) + len(plan["left_out"]) == 72
    assert set(plan["left_out"].values()) <= {"not_drawn", "too_long"}
    assert Path(ran[0]).name.endswith(plan["trials"][0])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--budget", 0], "--budget is 0; expected minutes"),
        (["--budget", "nan"], "--budget is nan; expected minutes"),
        (["--budget", "inf"], "--budget is inf; expected minutes"),
        (["--budget", 0.01], "--budget 0.01 is too short for one trial: it needs about"),
    ],
)
def test_a_budget_that_is_none_is_refused(
    search: Search, tmp_path: Path, flags: list[object], said: str
) -> None:
    assert said in search(tmp_path / "out", *flags, exit_code=2).stderr
    assert not (tmp_path / "out").exists()
