"""Splits that are given: by a file, or by a data set's own files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stage2.cli.given_split import used_questions
from stage2.config import Settings
from stage2.data.contents import Contents
from stage2.data.dataset import Dataset
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests.beir import three_files, write_beir
from tests.conftest import Stage2, data_flags, read_jsonl, tree

SPLIT = {
    "train": ["q00", "q01", "q02", "q03", "q04"],
    "dev": ["q05", "q06"],
    "test": ["q07", "q08", "q09"],
}


def write_split(folder: Path, split: Mapping[str, Any] = SPLIT) -> Path:
    path = folder / "given.json"
    path.write_text(json.dumps(split))
    return path


def ids_of(path: Path) -> set[str]:
    return {row["qa_id"] for row in read_jsonl(path)}


def test_a_run_has_the_sides_that_a_file_gives_and_no_other_question(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    split = write_split(tmp_path)
    flags = [*data_flags(corpus), "--model", model_dir, "--epochs", 1]
    result = stage2("run", *flags, "--split-file", split)
    assert f"2 questions are on no side of {split}: they are left out" in result.stderr
    assert "split: 5 + 2 + 3 questions, as they are given" in result.stderr
    out = tmp_path / "out"
    written = json.loads((out / files.SPLIT).read_text())
    assert {side: written[side] for side in SPLIT} == SPLIT
    assert ids_of(out / files.CONSTRUCTED) == {qa_id for ids in SPLIT.values() for qa_id in ids}
    record = json.loads((out / files.RUN).read_text())
    assert record["split"]["rule"] == "given"
    assert "folds" not in record["split"]
    assert "by a given split: train 5, dev 2, test 3" in (out / files.REPORT).read_text()
    settings = (out / files.SETTINGS).read_text()
    assert f'split_file = "{split}"' in settings
    assert "dev_share" not in settings + (out / files.REPORT).read_text()
    # What a run writes is taken by the next.
    again = ["run", *flags, "--split-file", out / files.SPLIT, "--output-dir", tmp_path / "again"]
    stage2(*again)
    assert json.loads((tmp_path / "again" / files.SPLIT).read_text()) == written
    # Another split is another run.
    write_split(tmp_path, {**SPLIT, "test": ["q07"]})
    refused = stage2("run", *flags, "--split-file", split, exit_code=2)
    assert "split_file was" in refused.stderr


def test_every_command_that_reads_questions_takes_it(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    split = ["--split-file", write_split(tmp_path)]
    out, other = tmp_path / "out", tmp_path / "other"
    stage2("prepare", *data_flags(corpus), *split)
    assert len(read_jsonl(out / files.CONSTRUCTED)) == 10
    data = ["--data", out / files.CONSTRUCTED, "--model", model_dir, "--output-dir", other]
    stage2("mine", *data, *split, "--topk", 1)
    assert ids_of(other / files.HARD) <= ids_of(out / files.CONSTRUCTED)
    result = stage2("train", *data, *split, "--epochs", 1)
    assert "split: 5 + 2 + 0 questions, as they are given" in result.stderr
    models = ["--model", model_dir, "--model", other / files.SHIPPED_MODEL]
    result = stage2(
        "evaluate", *data_flags(corpus), *models, *split, "--output-dir", tmp_path / "e"
    )
    assert "measuring the 3 questions of the test side alone" in result.stderr
    [one, two] = json.loads((tmp_path / "e" / files.COMPARISON).read_text())["sets"]
    assert one["num_queries"] == two["num_queries"] == 3
    stage2("merge", *data_flags(corpus), *models, *split, "--output-dir", tmp_path / "m")
    sets = json.loads((tmp_path / "m" / files.COMPARISON).read_text())["sets"]
    counts = {part["name"]: part["num_queries"] for part in sets}
    assert counts == {"test": 3, "dev": 2, "all": 10}
    stage2("audit", *data[:2], *split, "--output-dir", tmp_path / "a")


def test_hard_examples_may_be_trained_on_with_the_split_of_the_run(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", *data_flags(corpus), "--model", model_dir, "--topk", 1)
    hard = ids_of(tmp_path / "out" / files.HARD)
    assert len(hard & {*SPLIT["train"]}) > 0
    gone = len({qa_id for ids in SPLIT.values() for qa_id in ids} - hard)
    split = write_split(tmp_path)
    data = ["--data", tmp_path / "out" / files.HARD, "--model", model_dir, "--split-file", split]
    if hard & {*SPLIT["dev"]}:
        result = stage2("train", *data, "--epochs", 1, "--output-dir", tmp_path / "trained")
        assert f"{gone} ids of {split} are of no question in the data" in result.stderr


@pytest.mark.parametrize(
    ("split", "said"),
    [
        (
            {**SPLIT, "train": ["q00", "x", "y"]},
            "the question 'x' of train is not in the data, nor",
        ),
        ({**SPLIT, "dev": ["q00"]}, "the question 'q00' is on two sides, train and dev"),
        ({**SPLIT, "train": []}, "the train side of the given split has no question"),
        ({**SPLIT, "dev": []}, "the dev side of the given split has no question"),
        ({**SPLIT, "dev": "q05"}, "'dev' is \"q05\"; expected a list of question ids"),
        ({side: [] for side in SPLIT}, "no question of train or dev or test is among those"),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    split: dict[str, Any], said: str,
) -> None:  # fmt: skip
    flags = ["--model", model_dir, "--split-file", write_split(tmp_path, split)]
    result = stage2("run", *data_flags(corpus), *flags, exit_code=2)
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_sweep_needs_test_questions_and_an_evaluation_too(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = [*data_flags(corpus), "--model", model_dir]
    split = ["--split-file", write_split(tmp_path, {**SPLIT, "test": []})]
    result = stage2("sweep", *flags, *split, "--grid", "epochs=1,2", exit_code=2)
    assert "the test side of the given split has no question" in result.stderr
    result = stage2("evaluate", *flags, *split, exit_code=2)
    assert "no question of test is among those of the data" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--split", "none"], "--split-file"),
        (["--folds", 3], "--folds 3 has no effect here: it works without sides that are given"),
        (["--dev-share", 0.1], "--dev-share 0.1 has no effect here"),
        (["--test-share", 0.1], "--test-share 0.1 has no effect here"),
        (["--preset", "reference"], "--split-file"),
    ],
)
def test_what_a_given_split_leaves_no_room_for_is_refused(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, flags: list[object], said: str
) -> None:
    split = write_split(tmp_path)
    result = stage2("run", *data_flags(corpus), "--split-file", split, *flags, exit_code=2)
    assert said in result.stderr
    assert "has no effect here" in result.stderr
    missing = ["--split-file", tmp_path / "none.json"]
    assert "no such file" in stage2("run", *data_flags(corpus), *missing, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_ids_of_rows_that_were_skipped_are_left_out_and_told(
    corpus: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = Dataset.load(corpus["qa"], corpus["chunks"])
    path = write_split(tmp_path, {**SPLIT, "train": ["q00", "x", "y"]})
    settings = Settings(split_file=str(path), on_error="skip")
    used = used_questions(settings, Contents(dataset=dataset), None)
    assert used.sides == {**SPLIT, "train": ["q00"]}
    assert f"2 ids of {path} are of no question in the data" in capsys.readouterr().err
    with pytest.raises(BadInputError, match="--on-error skip leaves such ids out"):
        used_questions(Settings(split_file=str(path)), Contents(dataset=dataset), None)


def test_without_a_split_or_with_dev_data_no_side_counts(corpus: dict[str, Path]) -> None:
    contents = Contents(dataset=Dataset.load(corpus["qa"], corpus["chunks"]), sides=SPLIT)
    for settings in (Settings(split="none"), Settings(dev_data="dev.jsonl")):
        used = used_questions(settings, contents, ("train", "dev"))
        assert used.sides is None
        assert used.dataset is contents.dataset


def test_the_files_of_a_data_set_give_its_sides(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    folder = three_files(tmp_path)
    flags = ["--data", folder, "--model", model_dir]
    result = stage2("run", *flags, "--epochs", 1)
    assert "train 7, dev 3, test 4 questions" in result.stderr
    assert "1 of 15 questions have no relevant chunk" in result.stderr
    out = tmp_path / "out"
    split = json.loads((out / files.SPLIT).read_text())
    assert split["test"] == ["q10", "q11", "q12", "q13"]
    record = json.loads((out / files.RUN).read_text())
    hashes = record["stages"]["train"]["made_from"]
    assert {name for name in hashes if name.startswith("data/")} == {
        "data/corpus.jsonl", "data/queries.jsonl", "data/qrels/train.tsv", "data/qrels/valid.tsv",
        "data/qrels/test.tsv",
    }  # fmt: skip
    assert record["data"]["files"].keys() >= {"data/corpus.jsonl", "data/qrels/test.tsv"}
    assert "dev_share" not in (out / files.SETTINGS).read_text()
    refused = stage2("run", *flags, "--dev-share", 0.1, exit_code=2)
    assert "--dev-share 0.1 has no effect here" in refused.stderr
    # A file of the user's comes before the data set's own.
    given = write_split(tmp_path, {"train": ["q10", "q11"], "dev": ["q12"], "test": ["q00"]})
    stage2("run", *flags, "--epochs", 1, "--split-file", given, "--output-dir", tmp_path / "other")
    other = json.loads((tmp_path / "other" / files.SPLIT).read_text())
    assert other["test"] == ["q00"]
    stage2("evaluate", *flags, "--output-dir", tmp_path / "evaluated")
    sets = json.loads((tmp_path / "evaluated" / files.COMPARISON).read_text())["sets"]
    assert {part["num_queries"] for part in sets} == {4}


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        ({"train.tsv": range(10), "test.tsv": range(10, 14)}, [8, 2, 4]),
        ({"dev.tsv": range(10), "test.tsv": range(10, 14)}, [8, 2, 4]),
        ({"train.tsv": range(10), "dev.tsv": range(10, 14)}, [10, 4, 0]),
    ],
)
def test_a_side_that_is_missing_is_dealt_from_the_other(
    stage2: Stage2, model_dir: Path, tmp_path: Path, names: dict[str, range], sizes: list[int]
) -> None:
    folder = write_beir(tmp_path / "beir", names)
    flags = ["--dev-share", 0.2] if sizes[2] else []
    stage2("run", "--data", folder, "--model", model_dir, "--epochs", 1, *flags)
    split = json.loads((tmp_path / "out" / files.SPLIT).read_text())
    assert [len(split[side]) for side in ("train", "dev", "test")] == sizes


def test_other_files_are_other_runs(stage2: Stage2, model_dir: Path, tmp_path: Path) -> None:
    folder = three_files(tmp_path)
    flags = ["mine", "--data", folder, "--model", model_dir, "--topk", 1]
    stage2(*flags)
    before = tree(tmp_path / "out")
    assert "title was join, is ignore" in stage2(*flags, "--title", "ignore", exit_code=2).stderr
    with (folder / "qrels" / "test.tsv").open("a") as file:
        file.write("q14\tc19\t1\n")
    assert "data/qrels/test.tsv was" in stage2(*flags, exit_code=2).stderr
    assert tree(tmp_path / "out") == before
