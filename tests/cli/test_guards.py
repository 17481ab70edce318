"""`--guard`: what is measured elsewhere, what is refused, and what it can show."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stage2 as library
from stage2.models.init_model import init_model
from stage2.training.guard import Guard, Judgement
from stage2.utils import files
from stage2.variants import BUILTIN_GUARD, builtin_guard
from tests.beir import write_other
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.small import write_jsonl

QUESTIONS = 80


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a BEIR folder whose questions have the words of their chunks."""
    return write_other(tmp_path_factory.mktemp("guards") / "other", QUESTIONS)


@pytest.fixture(scope="module")
def forgetful(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the model of `model_dir` with its words mixed up."""
    folder = tmp_path_factory.mktemp("forgetful") / "model"
    made = init_model(str(backbone), [], embedding_dim=64, max_length=128, seed=0, fit=False)
    torch.manual_seed(0)
    for parameter in made.parameters():
        parameter.data = 0.2 * torch.randn_like(parameter)
    made.save_pretrained(folder)
    return folder


def comparison(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / files.COMPARISON).read_text()))


def test_a_model_that_forgot_is_worse_elsewhere(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, forgetful: Path, guard: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    out = tmp_path / "out"
    flags = ["--model", model_dir, "--model", forgetful, *data_flags(corpus), "--guard", guard]
    flags += ["--guard-margin", 0.1, "--precision", "fp32"]
    result = stage2("evaluate", *flags, "--fail-if-regressed", exit_code=3)
    (entry,) = comparison(out)["guards"]
    assert entry["verdict"] == "worse"
    assert (entry["num_queries"], entry["chose"], entry["chunks"]) == (QUESTIONS, 0, QUESTIONS)
    assert entry["difference"] == pytest.approx(entry["after"] - entry["before"])
    assert entry["low"] < entry["difference"] < entry["high"] < 0
    assert entry["text"]["en"].replace("→", "->").replace("−", "-") in result.stdout
    assert "regressed: " in result.stderr
    assert "may be chance" not in result.stderr
    record = json.loads((out / files.RUN).read_text())
    known = record["stages"]["evaluate"]["made_from"]
    assert known["guard_margin"] == 0.1
    assert any(name.startswith("guard_1/") for name in known)
    page = stage2("report")
    assert page.exit_code == 0
    for name in (files.REPORT, files.PAGE):
        assert "What it has cost elsewhere" in (out / name).read_text("utf-8")
    assert json.loads((out / files.REPORT_JSON).read_text())["guards"] == [entry]


def test_the_same_model_is_not_worse(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, guard: Path, tmp_path: Path
) -> None:
    models = ["--model", model_dir, "--model", model_dir, *data_flags(corpus)]
    stage2("evaluate", *models, "--guard", guard, "--guard-margin", 0.1)
    (entry,) = comparison(tmp_path / "out")["guards"]
    assert (entry["verdict"], entry["difference"]) == ("not_worse", 0)
    # The same by a margin that so few questions cannot show.
    result = stage2("evaluate", *models, "--guard", guard, "--overwrite")
    (entry,) = comparison(tmp_path / "out")["guards"]
    assert entry["verdict"] == "undecided"
    assert "cannot show that a model is not worse by 0.01 MRR, which takes 299" in result.stderr
    assert "it takes 299 or more" in entry["text"]["en"]


def test_a_run_judges_by_one_half_and_measures_by_the_other(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, guard: Path, tmp_path: Path
) -> None:
    """By Python's keyword too, with two guards of which the model cannot read one."""
    flags = ["--model", model_dir, *data_flags(corpus), "--folds", 0, "--topk", 1, "--epochs", 1,
             "--learning-rate", "1e-3", "--guard", f"{guard},{BUILTIN_GUARD}"]  # fmt: skip
    result = stage2("run", *flags)
    ours, builtin = comparison(tmp_path / "out")["guards"]
    assert ours["num_queries"] + ours["chose"] == QUESTIONS
    assert abs(ours["num_queries"] - ours["chose"]) <= 8
    assert builtin["unknown_share"] > 0.1
    assert "does not read its language" in result.stderr
    card = tmp_path / "out" / files.SHIPPED_MODEL / files.CARD
    assert "## What it has cost elsewhere" in card.read_text("utf-8")
    shipped = json.loads((tmp_path / "out" / files.RUN).read_text())["shipped"]
    judged = [one["name"] for row in shipped["candidates"] for one in row["guards"]]
    assert set(judged) <= {str(guard)}
    library.run(
        model=model_dir, qa=corpus["qa"], chunks=corpus["chunks"], entities=corpus["entities"],
        folds=0, topk=1, epochs=1, learning_rate=1e-3, guard=f"{guard},{BUILTIN_GUARD}",
        output_dir=tmp_path / "again", progress=False,
    )  # fmt: skip
    assert comparison(tmp_path / "again")["guards"] == [ours, builtin]


def test_train_says_what_it_has_cost(
    stage2: Stage2, finished: Path, model_dir: Path, guard: Path, tmp_path: Path
) -> None:
    result = stage2(
        "train", "--data", finished / files.CONSTRUCTED, "--model", model_dir, "--epochs", 1,
        "--guard", guard,
    )  # fmt: skip
    record = json.loads((tmp_path / "out" / files.RUN).read_text())
    (entry,) = record["guards"]
    assert entry["text"]["en"] in result.stderr


def test_merge_is_measured_elsewhere(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, forgetful: Path, guard: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    flags = ["--model", model_dir, "--model", forgetful, "--guard", guard]
    stage2("merge", *flags, *data_flags(corpus), "--alpha", 1, "--guard-margin", 0.1)
    assert comparison(tmp_path / "out")["guards"][0]["verdict"] == "worse"
    # Half of the guard's questions choose alpha with dev, if it is not given.
    flags += ["--guard-margin", 0.1]
    stage2("merge", *flags, *data_flags(corpus), "--output-dir", tmp_path / "chosen")
    (entry,) = comparison(tmp_path / "chosen")["guards"]
    assert entry["num_queries"] + entry["chose"] == QUESTIONS
    assert entry["chose"] > 0
    made = json.loads((tmp_path / "chosen" / files.MERGE).read_text())
    judged = {row["alpha"]: row["guards"] for row in made["dev"] if "guards" in row}
    worse = {alpha for alpha, (one,) in judged.items() if one["verdict"] == "worse"}
    assert made["alpha"] == 0 or made["alpha"] in judged.keys() - worse
    refused = stage2("merge", *flags, "--alpha", 0.5, "--output-dir", tmp_path / "b", exit_code=2)
    assert "there are no questions to measure the merged model on" in refused.stderr
    refused = stage2("merge", *flags, *data_flags(corpus), "--method", "sum", exit_code=2)
    assert "with --method interpolate or soup" in refused.stderr


SWEEP = ["--topk", 1, "--epochs", 1, "--precision", "fp32", "--grid", "learning_rate=1e-5,3e-3"]


def test_a_sweep_compares_what_its_trials_ship(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, guard: Path, tmp_path: Path
) -> None:
    flags = ["sweep", "--model", model_dir, *data_flags(corpus), *SWEEP, "--guard", guard]
    result = stage2(*flags)
    assert "winner, by dev MRR of what no guard calls worse: " in result.stderr
    out = tmp_path / "out"
    rows = read_jsonl(out / files.SWEEP)
    for row in rows:
        first, *others = row["shipped"]["candidates"]
        assert not any(one["verdict"] == "worse" for one in first["guards"])
        assert row["dev"]["mrr"] == pytest.approx(first["dev_value"])
        # A candidate is only left behind by a better one on dev if a guard calls that one worse.
        for other in others:
            if other["dev_value"] > first["dev_value"] + 1e-9:
                assert any(one["verdict"] == "worse" for one in other["guards"])
    best = max(row["dev"]["mrr"] for row in rows)
    winner = next(row for row in rows if row["dev"]["mrr"] == best)
    # The winner is measured by the questions that have chosen nothing.
    (told,) = comparison(out / winner["folder"])["guards"]
    (entry,) = comparison(out / files.TEST)["guards"]
    assert (entry["chose"], entry["num_queries"]) == (told["chose"], told["num_queries"])
    assert entry["chose"] > 0
    assert f'guard = "{guard}"' in (out / files.WINNER).read_text()
    # Another guard, or another content of it, is another sweep.
    refused = stage2(*flags[:-1], BUILTIN_GUARD, exit_code=2)
    assert "guard_1/" in refused.stderr
    assert read_jsonl(out / files.SWEEP) == rows


def test_a_sweep_chooses_nothing_that_a_guard_calls_worse(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, guard: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Neither what it ships nor what it trained counts."""
    judge = Guard.judge

    def worse(self: Guard, ranks: np.ndarray) -> Judgement:
        return replace(judge(self, ranks), verdict="worse")

    monkeypatch.setattr(Guard, "judge", worse)
    flags = ["sweep", "--model", model_dir, *data_flags(corpus), *SWEEP]
    stage2(*flags, "--guard", guard)
    rows = read_jsonl(tmp_path / "out" / files.SWEEP)
    assert [row["shipped"]["kind"] for row in rows] == ["stage1", "stage1"]
    stage1 = rows[0]["shipped"]["dev_value"]
    for row in rows:
        log = read_jsonl(tmp_path / "out" / row["folder"] / files.TRAINING_LOG)
        judged = [c for c in row["shipped"]["candidates"] if c["kind"] == "epoch" and c["guards"]]
        # An epoch is judged if it is better on dev than stage 1, and then it does not count.
        assert bool(judged) == (log[1]["dev"]["mrr"] > stage1 + 1e-9)
        assert row["trained"] == (None if judged else log[1]["dev"]["mrr"])
    assert any(row["trained"] is None for row in rows)


def test_a_sweep_plans_its_guards_and_refuses_what_cannot_guard(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, guard: Path, tmp_path: Path
) -> None:
    flags = ["sweep", "--model", model_dir, *data_flags(corpus), *SWEEP]
    plan = " ".join(stage2(*flags, "--guard", guard, "--dry-run").stdout.split())
    assert f"guard {guard}, after" in plan
    # In the plan the winner is measured once, and each trial has its own part.
    assert f"guard {guard}, for the choice" not in plan
    plan = stage2(*flags, "--guard", guard, "--budget", 60, "--dry-run").stdout
    assert "trials of rung 1" in plan
    questions = [{"_id": f"y{i}", "text": row["question"]}
                 for i, row in enumerate(read_jsonl(corpus["qa"]))]  # fmt: skip
    same = tmp_path / "same"
    shutil.copytree(guard, same)
    write_jsonl(same / "queries.jsonl", questions)
    lines = "".join(f"{one['_id']}\td{i}\t1\n" for i, one in enumerate(questions))
    (same / "qrels" / "all.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}")
    refused = stage2(*flags, "--guard", same, exit_code=2)
    assert "are questions of the data that" in refused.stderr
    assert "with --guard PATH" in stage2(*flags, "--guard-margin", 0.1, exit_code=2).stderr
    margins = ["--guard", guard, "--grid", "guard_margin=0.01,0.1"]
    assert "is the same for all trials" in stage2(*flags, *margins, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_what_cannot_guard_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, finished: Path, guard: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    one = ["evaluate", "--model", model_dir, *data_flags(corpus)]
    two = [*one, "--model", model_dir, "--guard"]
    odd = tmp_path / "odd.jsonl"
    odd.write_text('{"nothing": 1}\n')
    for value, message in (
        ("nowhere", "--guard nowhere: no such file or folder"),
        (odd, f"--guard {odd}: "),
        (finished / files.CONSTRUCTED, "samples without their corpus"),
        (f"{guard},{guard}", "twice"),
        (f"{guard},", "the 2. of its names is empty"),
    ):
        assert message in stage2(*two, value, exit_code=2).stderr
    assert "compares two models" in stage2(*one, "--guard", guard, exit_code=2).stderr
    refused = stage2(*one, "--model", model_dir, "--guard-margin", 0.1, exit_code=2)
    assert "with --guard PATH" in refused.stderr
    assert "at most 0.999" in stage2(*two, guard, "--guard-margin", 1, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_questions_of_the_data_are_no_guard(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, forgetful: Path, finished: Path,
    guard: Path, tmp_path: Path,
) -> None:  # fmt: skip
    """It is what they ask that counts, not the path, the format, the ids or how it is typed."""
    questions = [row["question"] for row in read_jsonl(corpus["qa"])]
    folder = tmp_path / "other"
    (folder / "qrels").mkdir(parents=True)

    def written(asked: list[str]) -> Path:
        texts = [f"a text of its own, number {i}" for i in range(len(asked))]
        write_jsonl(folder / "corpus.jsonl",
                    [{"_id": f"x{i}", "text": text} for i, text in enumerate(texts)])  # fmt: skip
        write_jsonl(folder / "queries.jsonl",
                    [{"_id": f"y{i}", "text": text} for i, text in enumerate(asked)])  # fmt: skip
        rows = "".join(f"y{i}\tx{i}\t1\n" for i in range(len(asked)))
        (folder / "qrels" / "all.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}")
        return folder

    model = ["--model", model_dir, "--guard"]
    two = ["--model", forgetful, *model]
    other = [f"what else is there, number {i}?" for i in range(40)]
    written([f" {text.upper()} " for text in questions] + other)
    for words in (
        ["run", *data_flags(corpus), *model],
        ["train", "--data", finished / files.CONSTRUCTED, *model],
        ["evaluate", *data_flags(corpus), *two],
        ["merge", *data_flags(corpus), "--alpha", 0.5, *two],
    ):
        said = stage2(*words, folder, exit_code=2).stderr
        assert f"--guard {folder}: 12 of its 52 questions are questions of the data that" in said
    # Those that choose are the training's own too.
    rows = read_jsonl(finished / files.CONSTRUCTED)
    write_jsonl(tmp_path / "train.jsonl", rows[:6])
    write_jsonl(tmp_path / "dev.jsonl", rows[6:])
    written([row["question"] for row in rows[6:]] + other)
    flags = ["--data", tmp_path / "train.jsonl", "--dev-data", tmp_path / "dev.jsonl"]
    said = stage2("train", *flags, *model, folder, exit_code=2).stderr
    assert "questions of the data that" in said
    # The same content twice is one guard.
    copy = tmp_path / "copy"
    shutil.copytree(guard, copy)
    said = stage2("evaluate", *data_flags(corpus), *two, f"{guard},{copy}", exit_code=2).stderr
    assert f"--guard {copy}: 80 of its 80 questions are questions of --guard {guard} too" in said
    assert not (tmp_path / "out").exists()
    # A few that are asked in both are said, and the others can guard.
    written([*questions[:2], *other])
    said = stage2("evaluate", *data_flags(corpus), *two, folder).stderr
    assert "2 of its 42 questions are questions of the data that" in said
    assert "and say nothing about other data" in said


def test_a_half_that_chose_a_model_does_not_measure_it_later(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, guard: Path, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    flags = [*data_flags(corpus), "--guard", guard, "--seed", 3]
    stage2("run", *flags, "--model", model_dir, "--folds", 0, "--epochs", 1, "--topk", 1,
           "--learning-rate", "1e-3", "--output-dir", made)  # fmt: skip
    (told,) = comparison(made)["guards"]
    # A copy of the guard has the same content, and the seed that counts is that of the run.
    copy = tmp_path / "copy"
    shutil.copytree(guard, copy)
    flags = [*data_flags(corpus), "--guard", copy]
    both = ["--model", made / files.SHIPPED_MODEL, "--model", model_dir]
    said = stage2("evaluate", *flags, *both, "--output-dir", tmp_path / "a").stderr
    (entry,) = comparison(tmp_path / "a")["guards"]
    assert f"{told['chose']} of its questions chose the model of {made}, and are left out" in said
    assert f"{QUESTIONS} questions; {told['num_queries']} of them measure the model" in said
    assert (entry["num_queries"], entry["chose"]) == (told["num_queries"], told["chose"])
    assert (entry["before"], entry["after"]) == (told["after"], told["before"])
    # A merged model was chosen by what chose its parts.
    stage2("merge", *flags, *both, "--alpha", 0.5, "--output-dir", tmp_path / "b")
    assert comparison(tmp_path / "b")["guards"][0]["chose"] == told["chose"]
    stage2("evaluate", *flags, "--model", model_dir, "--model", tmp_path / "b",
           "--output-dir", tmp_path / "c")  # fmt: skip
    assert comparison(tmp_path / "c")["guards"][0]["chose"] == told["chose"]
    # Other data chose nothing, and a model that is in no run was chosen by nothing that is known.
    shutil.copytree(made / files.SHIPPED_MODEL, tmp_path / "alone")
    for models, name in (
        (["--model", model_dir, "--model", tmp_path / "alone"], guard),
        ([*both], BUILTIN_GUARD),
    ):
        stage2("evaluate", *data_flags(corpus), *models, "--guard", name, "--overwrite",
               "--output-dir", tmp_path / "d")  # fmt: skip
        assert comparison(tmp_path / "d")["guards"][0]["chose"] == 0


def test_a_dry_run_counts_the_guard(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, guard: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus), "--guard", guard]
    plan = stage2("run", *flags, "--folds", 0, "--dry-run").stdout
    assert f"guard {guard}, after" in " ".join(plan.split())
    assert not (tmp_path / "out").exists()


def test_half_of_the_built_in_passages_answer_a_question() -> None:
    paths = builtin_guard()
    questions, passages = read_jsonl(paths["qa"]), read_jsonl(paths["chunks"])
    ids = [row["chunk_id"] for row in passages]
    assert (len(questions), len(passages)) == (60, 120)
    assert len({row["text"] for row in passages}) == len(set(ids)) == 120
    assert len({row["chunk_id"] for row in questions} & set(ids)) == 60
    assert len({row["question"] for row in questions}) == 60
