"""The program as it is typed: files, exit codes, messages, refusals."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from stage2 import Dataset, Embeddings, ProbabilisticGBERTV4, similarity
from stage2.cli.main import program
from stage2.config import SETTINGS
from stage2.config_file import read_toml
from stage2.presets import REFERENCE, RUN_DEFAULTS
from stage2.utils import files
from tests.conftest import COMMANDS, Stage2, data_flags, read_jsonl, tree
from tests.small import write_jsonl


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = CliRunner().invoke(program, [name, "--help"])
    assert result.exit_code == 0
    assert f"stage2 {name}" in result.output.split("Example:")[1]
    for option in program.commands[name].params:
        assert getattr(option, "help", None), f"{option.name} has no help"


def test_every_setting_is_a_flag_of_some_command() -> None:
    flags = {option.name for command in program.commands.values() for option in command.params}
    assert set(SETTINGS) <= flags


def test_mine_writes_three_files_that_its_summary_agrees_with(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--topk", 3, "--model", model_dir, *data_flags(corpus))
    out = tmp_path / "out"
    summary = json.loads((out / files.MINING_SUMMARY).read_text())
    rows = json.loads((out / files.EVALUATION).read_text())
    constructed = (out / files.CONSTRUCTED).read_text().splitlines()
    hard = (out / files.HARD).read_text().splitlines()

    ranks = [row["consistency_metrics"]["expected_rank"] for row in rows]
    assert [constructed[i] for i, rank in enumerate(ranks) if rank > 3] == hard
    assert summary["num_hard"] == len(hard) > 0
    assert summary["num_samples"] == len(constructed) == len(rows) == 12
    for k in (1, 3, 5):
        expected = np.mean([row["consistency_metrics"][f"expected_top_{k}"] for row in rows])
        assert summary["metrics"][f"top{k}"] == pytest.approx(expected)
    pairs = summary["pairs"]
    assert pairs["entity"] + pairs["fallback"] == 12 * 6
    assert pairs["entity"] > 0


def test_evaluation_rows_have_the_keys_and_types_of_the_reference(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    row = json.loads((tmp_path / "out" / files.EVALUATION).read_text())[0]
    kinds: dict[str, type] = {
        "qa_id": str,
        "question": str,
        "predict_order": list,
        "ground_truth_order": list,
        "similarities": dict,
        "consistency_metrics": dict,
        "q_entities_count": int,
        "c_entities_count": list,
    }
    assert {key: type(row[key]) for key in kinds} == kinds
    metrics: dict[str, Any] = row["consistency_metrics"]
    assert type(metrics["gt_position"]) is int
    assert type(metrics["kendall_tau"]) is float
    assert all(type(metrics[f"in_top_{k}"]) is bool for k in (1, 3, 5))
    sample = read_jsonl(tmp_path / "out" / files.CONSTRUCTED)[0]
    assert list(sample)[:5] == [
        "question", "ground_truth_contexts", "negative_contexts", "qa_id", "gt_chunk_id",
    ]  # fmt: skip


def test_prepare_then_mine_then_train_then_evaluate_then_report(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stage2("prepare", *data_flags(corpus))
    before = (out / files.CONSTRUCTED).read_bytes()
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    assert (out / files.CONSTRUCTED).read_bytes() == before
    stage2("train", "--model", model_dir, "--split", "none", "--epochs", 2)
    log = read_jsonl(out / files.TRAINING_LOG)
    assert [row["epoch"] for row in log] == [0, 1, 2]
    assert log[0]["loss"] is None
    assert all(row["dev"]["mrr"] > 0 for row in log)
    assert sorted(path.name for path in (out / files.CHECKPOINTS).iterdir()) == [
        "best_model_stage2.pt", "epoch_1.pt", "epoch_2.pt",
    ]  # fmt: skip
    result = stage2("evaluate", "--model", model_dir, "--model", out / "model")
    comparison = json.loads((out / files.COMPARISON).read_text())
    assert comparison["sets"][0]["num_queries"] == 12
    assert "Top-1" in result.stdout
    stage2("report")
    assert (out / files.REPORT).is_file()


def test_evaluating_in_the_folder_of_a_run_uses_its_entities(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    mined = (tmp_path / "out" / files.EVALUATION).read_bytes()
    stage2("evaluate", "--model", model_dir)
    assert (tmp_path / "out" / files.EVALUATION).read_bytes() == mined


def test_run_holds_out_questions_and_ships_the_best_on_dev(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--topk", 1, "--epochs", 3, "--learning-rate", 1e-3, "--folds", 0]
    result = stage2("run", "--model", model_dir, *data_flags(corpus), *flags)
    out = tmp_path / "out"
    split = json.loads((out / files.SPLIT).read_text())
    sides = [set(split[name]) for name in ("train", "dev", "test")]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 12
    # q00 and q11 share chunk c00
    assert any({"q00", "q11"} <= side for side in sides)
    assert set(split["trained_on"]) <= sides[0]
    log = read_jsonl(out / files.TRAINING_LOG)
    shipped = json.loads((out / files.RUN).read_text())["shipped"]
    assert {c["epoch"] for c in shipped["candidates"] if c["kind"] == "epoch"} == {1, 2, 3}
    assert shipped["dev_value"] == max(c["dev_value"] for c in shipped["candidates"])
    assert shipped["dev_value"] >= max(row["dev"]["mrr"] for row in log)
    comparison = json.loads((out / files.COMPARISON).read_text())
    held_out = {entry["name"]: entry["held_out"] for entry in comparison["sets"]}
    assert held_out == {"test": True, "dev": False, "train": False, "all": False}
    assert {entry["source"] for entry in comparison["sets"]} == {"candidates", "corpus"}
    assert "Top-1" in result.stdout
    assert (out / files.EVALUATION_AFTER).is_file()


def test_settings_file_makes_the_same_run(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--topk", 2, "--model", model_dir, *data_flags(corpus))
    saved = tmp_path / "out" / files.SETTINGS
    stage2("mine", "--config", saved, "--output-dir", tmp_path / "again")
    for name in (files.CONSTRUCTED, files.EVALUATION, files.HARD, files.MINING_SUMMARY):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    stage2("mine", "--config", saved, "--topk", 1, "--output-dir", tmp_path / "flag")
    assert json.loads((tmp_path / "flag" / files.MINING_SUMMARY).read_text())["topk"] == 1


def test_samples_do_not_depend_on_the_order_of_the_questions(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    shuffled = dict(corpus, qa=write_jsonl(tmp_path / "qa.jsonl", read_jsonl(corpus["qa"])[::-1]))
    other = tmp_path / "other"
    stage2("mine", "--model", model_dir, *data_flags(shuffled), "--output-dir", other)
    for name in (files.CONSTRUCTED, files.HARD):
        lines, again = (
            (folder / name).read_bytes().splitlines() for folder in (tmp_path / "out", other)
        )
        assert lines == again[::-1]


def test_no_hard_example_is_said_and_not_trained_on(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    result = stage2("mine", "--topk", 6, "--model", model_dir, *data_flags(corpus))
    assert "no hard example" in result.stderr
    assert "--negatives" in result.stderr
    before = tree(tmp_path / "out")
    result = stage2("train", "--model", model_dir, exit_code=2)
    assert "no hard example" in result.stderr
    assert tree(tmp_path / "out") == before


def test_run_without_hard_examples_ships_stage_1(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("run", "--topk", 6, "--model", model_dir, *data_flags(corpus))
    shipped = json.loads((tmp_path / "out" / files.RUN).read_text())["shipped"]
    assert shipped["name"] == "stage 1"


BAD_FLAGS = [
    (["--topk", 0], "--topk"),
    (["--topk", 7], "only 6 candidates"),
    (["--negatives", 0], "--negatives"),
    (["--negatives", 400], "400"),
    (["--device", "tpu"], "'tpu'"),
    (["--device", "cuda:99"], "'cuda:99'"),
    (["--model", "missing.pt"], "missing.pt"),
    (["--seed", -1], "--seed"),
    (["--similarity", "vibes"], "vibes"),
]


@pytest.mark.parametrize(("flags", "said"), BAD_FLAGS, ids=str)
def test_bad_usage_changes_nothing(
    flags: list[str], said: str, stage2: Stage2, corpus: dict[str, Path], model_dir: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    result = stage2("mine", "--model", model_dir, *data_flags(corpus), *flags, exit_code=2)
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("margin", ["-0.1", "nan", "inf"])
def test_margin_must_be_a_number_from_0(
    margin: str, stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus), "--margin", margin]
    result = stage2("run", *flags, exit_code=2)
    assert "--margin" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["file/out", "x" * 300, "/proc/none/out"])
def test_an_output_folder_that_cannot_be(
    where: str, stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / where, exit_code=2)
    assert "--output-dir" in done.stderr
    assert "no folder can be made there" in done.stderr


def test_a_rank_that_no_matrix_has(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus), "--topk", 1, "--folds", 0]
    done = stage2("run", *flags, "--lora", 33, exit_code=2)
    assert "--lora is 33; expected a rank" in done.stderr
    assert "at most 32" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_half_of_the_data_is_refused(stage2: Stage2, corpus: dict[str, Path]) -> None:
    result = stage2("mine", "--qa", corpus["qa"], exit_code=2)
    assert "--chunks is missing" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode there")
def test_names_that_are_not_utf_8(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed they are refused; where a link or the working folder leads to them is written down."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    for name in ("qa", "chunks"):
        (folder / f"{name}.jsonl").write_bytes(corpus[name].read_bytes())
    done = stage2("prepare", "--qa", folder / "qa.jsonl", "--chunks", "c", exit_code=2)
    assert "caf\\udce9/qa.jsonl' is not UTF-8; expected a name" in done.stderr
    assert not (tmp_path / "out").exists()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    stage2("prepare", "--qa", tmp_path / "link/qa.jsonl", "--chunks", "chunks.jsonl")
    written = files.read_json(tmp_path / "out" / files.RUN)["data"]["files"]
    assert {Path(file["path"]).parent.name for file in written.values()} == {r"caf\xe9"}


def test_init_says_what_it_computes_in(
    stage2: Stage2, backbone: Path, corpus: dict[str, Path], tmp_path: Path
) -> None:
    """Heads are fitted in float32, whatever the machine multiplies besides."""
    done = stage2("init", "--backbone", backbone, "--chunks", corpus["chunks"])
    assert "in fp32" in done.stderr
    assert files.read_json(tmp_path / "out" / files.RUN)["precision"] == "fp32"


def test_a_pipe_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    pipe, other = tmp_path / "pipe", tmp_path / "other"
    os.mkfifo(pipe)
    stage2("prepare", "--qa", corpus["qa"], "--chunks", corpus["chunks"])
    samples = tmp_path / "out" / files.CONSTRUCTED
    for call in [
        ["prepare", "--qa", corpus["qa"], "--chunks", pipe],
        ["mine", "--data", pipe],
        ["train", "--data", samples, "--dev-data", pipe, "--model", model_dir],
        ["init", "--chunks", pipe],
    ]:
        done = stage2(*call, "--output-dir", other, exit_code=2)
        assert "no regular file" in done.stderr, call
        assert not other.exists()


def test_config_names_what_is_wrong(stage2: Stage2, tmp_path: Path) -> None:
    config = tmp_path / "stage2.toml"
    for text, said in [
        ("topk = 'three'", "--topk is 'three'; expected a whole number"),
        ("topkk = 3", "'topkk' is no setting"),
        ("topk = ", "not TOML"),
        ("margin = -1.0", "--margin is -1.0; expected a number, 0 or more"),
    ]:
        config.write_text(text, encoding="utf-8")
        result = stage2("mine", "--config", config, exit_code=2)
        assert str(config) in result.stderr
        assert said in result.stderr


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran-code"),))


def test_a_checkpoint_that_would_run_code_is_refused(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    torch.save({"energy_proj.bias": Hostile()}, tmp_path / "hostile.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Hostile()))
    for name in ("hostile.pt", "plain.pt"):
        flags = ["--model", tmp_path / name, "--backbone", backbone, *data_flags(corpus)]
        result = stage2("mine", *flags, exit_code=2)
        assert f"{name}: refused" in result.stderr
    assert not (tmp_path / "ran-code").exists()
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_that_does_not_fit_is_named_key_by_key(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, model: Any, tmp_path: Path
) -> None:
    def edited(name: str, value: torch.Tensor | None) -> Path:
        state = dict(model.state_dict())
        state.pop(name, None)
        if value is not None:
            state[name] = value
        torch.save(state, tmp_path / "edited.pt")
        return tmp_path / "edited.pt"

    for name, value, said in [
        ("energy_proj.bias", None, "missing energy_proj.bias (1,)"),
        ("extra.weight", torch.zeros(2, 3), "unexpected extra.weight (2, 3)"),
        ("energy_proj.weight", torch.zeros(1, 7), "energy_proj.weight is (1, 7), expected (1, 32)"),
        ("semantic_head.2.weight", None, "no semantic_head.2.weight"),
    ]:
        flags = ["--model", edited(name, value), "--backbone", backbone, *data_flags(corpus)]
        assert said in stage2("mine", *flags, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_width_is_refused(
    stage2: Stage2, corpus: dict[str, Path], golden: Path, backbone: Path, tmp_path: Path
) -> None:
    flags = ["--model", golden / "stage1.pt", "--backbone", backbone, *data_flags(corpus)]
    result = stage2("mine", *flags, exit_code=2)
    assert "does not fit the backbone (width 32" in result.stderr


@pytest.mark.parametrize("backbone", ["/no/such/encoder", "."])
def test_a_backbone_that_is_not_there(
    backbone: str, stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    result = stage2("init", "--backbone", backbone, "--chunks", corpus["chunks"], exit_code=2)
    assert f"backbone {backbone}" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_pt_file_needs_its_backbone(
    stage2: Stage2, corpus: dict[str, Path], golden: Path, tmp_path: Path
) -> None:
    result = stage2("mine", "--model", golden / "stage1.pt", *data_flags(corpus), exit_code=2)
    assert "--backbone" in result.stderr


def test_debug_shows_the_traceback(corpus: dict[str, Path], tmp_path: Path) -> None:
    result = CliRunner().invoke(
        program,
        ["--debug", "mine", "--model", "missing.pt", *data_flags(corpus),
         "--output-dir", str(tmp_path / "out")],
    )  # fmt: skip
    assert result.exit_code == 2
    assert "Traceback" in result.stderr


def test_mining_the_corpus_takes_its_hardest_negatives(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--source", "corpus", "--negatives", 4, "--topk", 2, "--model", model_dir]
    stage2("mine", *flags, *data_flags(corpus))
    out = tmp_path / "out"
    constructed = read_jsonl(out / files.CONSTRUCTED)
    chunks = {row["chunk_id"]: row["text"] for row in read_jsonl(corpus["chunks"])}
    model = ProbabilisticGBERTV4.from_pretrained(model_dir)
    dataset = Dataset.load(corpus["qa"], corpus["chunks"], corpus["entities"])
    assert dataset.annotations is not None

    def embed(texts: list[str]) -> Embeddings:
        spans, offsets = dataset.annotations.spans_for(texts)
        return model.encode(texts, [spans[offsets[i] : offsets[i + 1]] for i in range(len(texts))])

    scores = similarity(embed([row["question"] for row in constructed]), embed([*chunks.values()]))
    hard = []
    for row, values in zip(constructed, scores, strict=True):
        by_id = dict(zip(chunks, values.tolist(), strict=True))
        own = by_id.pop(row["gt_chunk_id"])
        expected = sorted(by_id, key=lambda name: -by_id[name])[:4]
        assert row["negative_chunk_ids"] == expected
        assert row["negative_contexts"] == [chunks[name] for name in expected]
        if sum(value > own for value in by_id.values()) >= 2:
            hard.append(row)
    assert read_jsonl(out / files.HARD) == hard
    summary = json.loads((out / files.MINING_SUMMARY).read_text())
    assert summary["num_hard"] == len(hard) > 0
    assert summary["corpus"]["chunks"] == 20
    assert summary["corpus"]["short_lists"] == 0


def test_mining_the_corpus_does_not_depend_on_the_budget(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--source", "corpus", "--model", model_dir, "--sampling", "random"]
    for budget in ("1KB", "4GB"):
        stage2("mine", *flags, *data_flags(corpus), "--memory-budget", budget,
               "--output-dir", tmp_path / budget)  # fmt: skip
    for name in (files.CONSTRUCTED, files.HARD, files.EVALUATION):
        assert (tmp_path / "1KB" / name).read_bytes() == (tmp_path / "4GB" / name).read_bytes()


def test_a_run_over_the_corpus_needs_no_more_memory_for_more_questions(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = [*data_flags(corpus), "--model", model_dir, "--precision", "fp32", "--epochs", 1]
    for budget in ("1KB", "4GB"):
        out = tmp_path / budget
        stage2("run", *flags, "--source", "corpus", "--memory-budget", budget, "--output-dir", out)
    for name in (files.HARD, files.COMPARISON, files.PER_QUESTION):
        assert (tmp_path / "1KB" / name).read_bytes() == (tmp_path / "4GB" / name).read_bytes()


def test_run_trains_on_all_questions_unless_it_is_told_otherwise(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus), "--folds", 0, "--topk", 2]
    trained_on = {}
    for name, more in {
        "default": [], "hard": ["--train-on", "hard"], "reference": ["--preset", "reference"]
    }.items():  # fmt: skip
        stage2("run", *flags, *more, "--output-dir", tmp_path / name)
        sides = json.loads((tmp_path / name / files.SPLIT).read_text())
        trained_on[name] = (sides["trained_on"], sides["train"])
        hard = {row["qa_id"] for row in read_jsonl(tmp_path / name / files.HARD)}
        if name != "default":
            assert set(sides["trained_on"]) == hard & set(sides["train"])
    assert trained_on["default"][0] == trained_on["default"][1]
    settings = {name: read_toml(tmp_path / name / files.SETTINGS) for name in trained_on}
    chosen = {name: {key: settings[name][key] for key in RUN_DEFAULTS} for name in settings}
    assert chosen["default"] == RUN_DEFAULTS
    assert chosen["hard"] == {**RUN_DEFAULTS, "train_on": "hard"}
    assert chosen["reference"] == {key: REFERENCE[key] for key in RUN_DEFAULTS}


def test_a_run_on_mined_negatives_is_measured_on_the_corpus_alone(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--source", "corpus", "--model", model_dir, "--topk", 1, "--epochs", 1]
    result = stage2("run", *flags, *data_flags(corpus))
    assert "mined are ranked, and not trained on" in result.stderr
    comparison = json.loads((tmp_path / "out" / files.COMPARISON).read_text())
    assert {part["source"] for part in comparison["sets"]} == {"corpus"}
    assert "Top-1" in result.stdout


def test_filters_that_leave_too_few_negatives_say_so(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--source", "corpus", "--model", model_dir, "--max-score", -2]
    result = stage2("mine", *flags, *data_flags(corpus))
    assert "12 questions have fewer than 5 negatives, 12 of them none" in result.stderr
    assert (tmp_path / "out" / files.HARD).read_bytes() == b""


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--range-min", 3, "--range-max", 3], "--range-max above it"),
        (["--memory-budget", "lots"], "expected a size such as 512MB"),
        (["--memory-budget", "0"], "expected some memory"),
        (["--topk", 21], "a question has only 20 candidates"),
    ],
)
def test_mining_the_corpus_refuses_what_makes_no_sense(
    flags: list[object],
    said: str,
    stage2: Stage2,
    corpus: dict[str, Path],
    model_dir: Path,
    tmp_path: Path,
) -> None:
    call = ["--source", "corpus", "--model", model_dir, *data_flags(corpus), *flags]
    assert said in stage2("mine", *call, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_samples_alone_are_no_corpus_to_mine(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    data = tmp_path / "prepared" / files.CONSTRUCTED
    call = ["--source", "corpus", "--model", model_dir, "--data", data]
    assert "needs the corpus" in stage2("mine", *call, exit_code=2).stderr


def test_a_preset_is_overridden_by_settings_and_flags(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text("margin = 0.3\ntopk = 2\n")
    flags = [*data_flags(corpus), "--model", model_dir, "--folds", 0, "--epochs", 1]
    stage2("run", "--preset", "reference", "--config", config, "--topk", 1, *flags)
    settings = read_toml(tmp_path / "out" / files.SETTINGS)
    found = {name: settings[name] for name in ("split", "pairs", "epochs", "topk", "margin")}
    assert found == {"split": "none", "pairs": "all", "epochs": 1, "topk": 1, "margin": 0.3}
