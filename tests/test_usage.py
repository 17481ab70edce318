"""Flags without an effect are refused, and saved settings are those that counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2 import usage
from stage2.call import Call
from stage2.config import SETTINGS, Settings
from stage2.config_file import read_toml
from stage2.presets import RUN_DEFAULTS
from stage2.usage import Condition
from stage2.utils import files
from tests.beir import one_file
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.small import write_jsonl


def test_every_setting_stands_in_the_table() -> None:
    assert usage.USES.keys() == SETTINGS.keys()
    for name, use in usage.USES.items():
        assert use.decides or use.serves, name


def test_every_condition_can_hold_and_says_so() -> None:
    """For each flag: a call without it is refused with a message, and a call with it is not."""
    conditions = {one for use in usage.USES.values() for one in use.when}
    tried = [
        Call(Settings(**values), command, models)
        for command in (None, "audit", "mine", "run", "init", "merge")
        for models in ((), ("some.pt",))
        for values in (
            {},
            {"data": "d", "model": "/", "dev_data": "e", "split": "none", "corpus": "never"},
            {"source": "corpus", "loss": "triplet", "fit": False, "cross_encoder": "c"},
            {"source": "corpus", "corpus": "never", "method": "soup", "train_on": "all"},
            {"loss": "in-batch", "model": "/", "micro_batch": 8},
            {"data": "/", "split_file": "s"},
            {"gazetteer": "g"},
            {"loss": "margin-mse", "teacher": "t"},
            {"data": "pairs.csv"},
            {"run": "r"},
            {"second_source": "bm25", "drop_false_negatives": True},
            {"guard": "g", "method": "sum"},
            {"question_vectors": "q", "endpoint": "u", "before_endpoint": "v"},
        )
    ]
    for condition in conditions:
        assert isinstance(condition, Condition)
        assert {condition.holds(call) for call in tried} == {True, False}, condition
        assert all(condition.words(call).startswith("with") for call in tried)


UNUSED: list[tuple[str, list[object], str]] = [
    ("mine", ["--max-length", 64], "with --init or --backbone"),
    ("mine", ["--embedding-dim", 32], "with --init or --backbone"),
    ("mine", ["--no-fit"], "with --init or --backbone"),
    ("mine", ["--fit"], "with --init or --backbone"),
    ("mine", ["--backbone", "there"], "with --model FILE.pt"),
    ("evaluate", ["--backbone", "there"], "with --model FILE.pt"),
    ("audit", ["--cross-encoder-margin", 1], "with --cross-encoder DIR|ID"),
    ("run", ["--range-min", 1, "--source", "candidates"], "with --source corpus"),
    ("run", ["--sampling", "random", "--corpus", "never"], "with --source corpus"),
    ("mine", ["--memory-budget", "1GB", "--source", "candidates"], "with --source corpus"),
    ("run", ["--memory-budget", "1GB", "--corpus", "never"], "without --corpus never"),
    ("run", ["--recall-at", "5", "--corpus", "never"], "without --corpus never"),
    ("run", ["--no-bm25", "--corpus", "never"], "without --corpus never"),
    ("run", ["--margin", 0.2], "with --loss margin, triplet, margin-mse or distill-kl"),
    ("run", ["--pairs", "graded"], "with --loss margin"),
    ("run", ["--loss", "margin", "--temperature", 0.1], "in-batch, infonce, distill-kl or listnet"),
    ("run", ["--replay", 0.5], "with --train-on hard"),
    ("run", ["--gradient-checkpointing", "--micro-batch", 64], "without --micro-batch"),
    ("run", ["--split", "none", "--dev-share", 0.1], "with --split chunk"),
    ("run", ["--source", "corpus", "--corpus", "never"], "with --source candidates"),
    ("sweep", ["--grid", "epochs=1,2", "--margin", 0.2], "with --loss margin"),
    ("sweep", ["--grid", "margin=0.1,0.2"], "--grid margin has no effect here"),
]


@pytest.mark.parametrize(("command", "flags", "said"), UNUSED, ids=str)
def test_a_flag_of_which_nothing_would_come(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    command: str, flags: list[object], said: str,
) -> None:  # fmt: skip
    call = [command, *data_flags(corpus), "--model", model_dir, *flags]
    refused = stage2(*call, exit_code=2)
    assert "has no effect here: it works with" in refused.stderr
    assert said in refused.stderr
    assert not (tmp_path / "out").exists()


def test_samples_that_are_there_already_have_their_negatives(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus))
    before = tree(tmp_path / "out")
    data = ["--data", tmp_path / "out" / files.CONSTRUCTED, "--model", model_dir]
    for call in (
        ["mine", *data, "--output-dir", tmp_path / "other"],
        ["evaluate", "--model", model_dir],
    ):
        refused = stage2(*call, "--negatives", 3, exit_code=2)
        assert "--negatives 3 has no effect here" in refused.stderr
    assert tree(tmp_path / "out") == before
    assert not (tmp_path / "other").exists()


def test_a_trial_that_uses_a_flag_suffices(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path
) -> None:
    grid = ["--grid", "loss=margin,in-batch", "--grid", "margin=0.1,0.2", "--temperature", 0.1]
    done = stage2("sweep", *data_flags(corpus), "--model", model_dir, *grid, "--dry-run")
    assert done.stdout.count("updates of trial") == 4


def test_of_a_settings_file_it_is_only_told(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    config = tmp_path / "stage2.toml"
    config.write_text("max_length = 64\nmargin = 0.1\nepochs = 9\ntopk = 2\n")
    done = stage2("mine", *data_flags(corpus), "--model", model_dir, "--config", config)
    told = [line for line in done.stderr.splitlines() if "has no effect" in line]
    assert told == [
        f"warning: {config}: max_length = 64 has no effect here: it works with --init or "
        "--backbone, where a stage-1 model is made, or with --model FILE.pt"
    ]


def test_what_is_saved_is_what_counted() -> None:
    given = Settings(**RUN_DEFAULTS, model="/", max_length=64, margin=0.4, folds=0)
    saved = usage.saved(given, usage.RUN)
    assert "max_length" not in saved
    assert "margin = 0.4" not in saved
    assert "epochs = 2" in saved
    assert "epochs" not in usage.saved(given, ("prepare", "mine"))
    assert "max_length = 64" in usage.saved(
        Settings(max_length=64, init=True), ("prepare", "mine", "init")
    )
    assert 'backbone = "b"' in usage.saved(Settings(backbone="b"), ("evaluate",), ["a.pt"])


def test_a_setting_that_does_not_count_makes_no_difference() -> None:
    one, other = (Settings(loss="in-batch", margin=margin) for margin in (0.1, 0.3))
    assert usage.made_from(one, "train") == usage.made_from(other, "train")
    one, other = (Settings(loss="triplet", margin=margin) for margin in (0.1, 0.3))
    assert usage.made_from(one, "train") != usage.made_from(other, "train")


def test_the_model_of_a_folder_keeps_its_settings(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path
) -> None:
    flags = ["mine", *data_flags(corpus), "--backbone", backbone, "--no-fit"]
    stage2(*flags, "--max-length", 32)
    out = tmp_path / "out"
    saved, before = read_toml(out / files.SETTINGS), tree(out)
    assert (saved["max_length"], saved["fit"]) == (32, False)
    others = [
        (["--max-length", 8], "max_length was 32, is 8"),
        ([], "max_length was 32, is None"),
        (["--max-length", 32, "--embedding-dim", 16], "embedding_dim was 64, is 16"),
        (["--max-length", 32, "--fit"], "fit was False, is True"),
        (["--max-length", 32, "--seed", 1], "seed was 0, is 1"),
        (["--max-length", 32, "--backbone", "other"], "backbone was"),
    ]
    for other, said in others:
        assert said in stage2(*flags, *other, exit_code=2).stderr
        assert tree(out) == before
    stage2(*flags, "--max-length", 32)
    assert read_toml(out / files.SETTINGS) == saved


def test_a_model_made_by_itself_is_used_as_it_is(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path
) -> None:
    stage2("init", "--backbone", backbone, "--no-fit", "--max-length", 32)
    flags = ["mine", *data_flags(corpus), "--init"]
    refused = stage2(*flags, "--max-length", 64, exit_code=2)
    assert "max_length was 32, is 64" in refused.stderr
    # The user gave the flag, even if its value is the default.
    assert stage2(*flags, "--max-length", 128, exit_code=2)
    stage2("mine", *data_flags(corpus), "--seed", 1)
    saved = read_toml(tmp_path / "out" / files.SETTINGS)
    assert (saved["max_length"], saved["fit"], saved["seed"]) == (32, False, 1)
    assert saved["backbone"] == str(backbone)


def test_every_file_of_a_data_set_is_read_by_its_name(tmp_path: Path) -> None:
    folder = one_file(tmp_path)
    found = usage.read_by(Settings(data=str(folder), split_file="split.json"))
    assert found["split_file"] == "split.json"
    assert found["data/qrels/all.tsv"] == str(folder / "qrels" / "all.tsv")


@pytest.mark.parametrize(
    ("command", "more"), [("run", []), ("prepare", []), ("sweep", ["--grid", "epochs=1"])]
)
def test_samples_without_their_corpus_are_refused_where_it_is_needed(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    command: str, more: list[str],
) -> None:  # fmt: skip
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    flags = ["--data", tmp_path / "prepared" / files.CONSTRUCTED, *more]
    flags += [] if command == "prepare" else ["--model", model_dir]
    refused = stage2(command, *flags, exit_code=2)
    assert f"holds samples without their corpus, which stage2 {command} needs" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_titles_count_where_a_data_set_has_them(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    refused = stage2("prepare", *data_flags(corpus), "--title", "ignore", exit_code=2)
    assert "--title ignore has no effect here: it works with a --data DIR" in refused.stderr
    refused = stage2("prepare", *data_flags(corpus), "--format", "beir", exit_code=2)
    assert "--format beir has no effect here: it works with --data PATH" in refused.stderr
    stage2("prepare", "--data", one_file(tmp_path), "--title", "ignore")


def test_titles_of_chunks_are_read_before_texts_unless_there_are_annotations(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    chunks = [row | {"title": f"Part {i}"} for i, row in enumerate(read_jsonl(corpus["chunks"]))]
    # The corpus is that of all tests, and stays as it is.
    path = write_jsonl(tmp_path / "titled.jsonl", chunks)
    plain = ["--qa", corpus["qa"], "--chunks", path, "--seed", 1]
    annotated = [*plain, "--entities", corpus["entities"]]
    texts = {row["chunk_id"]: row["text"] for row in chunks}
    titled = {row["chunk_id"]: f"{row['title']} {row['text']}" for row in chunks}
    for name, flags, expected in (
        ("joined", plain, titled),
        ("ignored", [*plain, "--title", "ignore"], texts),
        ("annotated", annotated, texts),
    ):
        stage2("prepare", *flags, "--output-dir", tmp_path / name)
        rows = read_jsonl(tmp_path / name / files.CONSTRUCTED)
        assert [row["ground_truth_contexts"] for row in rows] == [
            [expected[row["gt_chunk_id"]]] for row in rows
        ]
    refused = stage2("prepare", *annotated, "--title", "join", exit_code=2)
    assert "or with --qa and --chunks without entities" in refused.stderr
    refused = stage2("prepare", *plain, "--output-dir", tmp_path / "ignored", exit_code=2)
    assert "title was ignore, is join" in refused.stderr


def test_a_command_computes_in_a_precision_of_its_own(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path
) -> None:
    fitted = ["--backbone", backbone, "--chunks", corpus["chunks"], "--fit-steps", 1]
    stage2("init", *fitted, "--precision", "fp32")
    stage2("mine", *data_flags(corpus), "--precision", "bf16")
    stages = json.loads((tmp_path / "out" / files.RUN).read_text())["stages"]
    found = {name: stages[name]["made_from"]["precision"] for name in ("init", "mine")}
    assert found == {"init": "fp32", "mine": "bf16"}
