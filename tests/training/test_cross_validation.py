"""Cross-validation: groups stay together, and a model that did not see a fold scores it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stage2
from stage2 import Samples
from stage2.config import Settings
from stage2.data.splits import Groups, folds, group_questions
from stage2.training import cross_validation
from stage2.training.cross_validation import folds_wanted
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.small import write_jsonl

TEXT = "the count of monte cristo sailed from marseilles to elba with a letter for the marshal "


def load(folder: Path, texts: list[str], relevant: list[list[int]]) -> stage2.Samples:
    chunks = [{"chunk_id": f"c{i}", "text": text} for i, text in enumerate(texts)]
    qa = [
        {"question": f"q {i}", "qa_id": f"q{i}", "chunk_ids": [f"c{chunk}" for chunk in row]}
        for i, row in enumerate(relevant)
    ]
    dataset = stage2.Dataset.load(
        qa=write_jsonl(folder / "qa.jsonl", qa),
        chunks=write_jsonl(folder / "chunks.jsonl", chunks),
    )
    return dataset.construct(1, 0)


def test_groups_join_shared_chunks_and_near_duplicates(tmp_path: Path) -> None:
    texts = [
        TEXT,
        "an old abbot hid treasure in a cave of the island",
        TEXT.upper().replace("LETTER", "parcel"),
        "who opened the door at night with a stone key?",
        "diamond merchants came back rich from the sea",
    ]
    grouped = group_questions(load(tmp_path, texts, [[0], [1], [2], [3, 1], [4]]))
    assert grouped.names == ["c0", "c1", "c0", "c1", "c4"]
    assert grouped.numbers.tolist() == [0, 1, 0, 1, 2]
    assert grouped.facts() == {
        "groups": 3,
        "largest_group": 2,
        "questions_sharing_a_chunk": 2,
        "near_duplicate_pairs": 1,
    }


def test_folds_part_the_questions_and_keep_groups_whole() -> None:
    grouped = Groups([f"c{i % 40}" for i in range(100)], 0, 0)
    parts = folds(grouped, 5, seed=3).parts
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))
    groups = [{grouped.names[row] for row in rows} for rows in parts]
    assert sum(map(len, groups)) == 40
    assert max(map(len, parts)) - min(map(len, parts)) <= 10
    others = folds(grouped, 5, seed=4).parts
    assert [rows.tolist() for rows in others] != [rows.tolist() for rows in parts]


def count(settings: Settings, grouped: Groups) -> int:
    found = folds_wanted(settings, grouped)
    assert found is not None
    return len(found.parts)


def test_few_questions_are_cross_validated_unless_told_otherwise() -> None:
    few = Groups([f"c{i}" for i in range(199)], 0, 0)
    many = Groups([f"c{i}" for i in range(200)], 0, 0)
    assert count(Settings(), few) == 5
    assert folds_wanted(Settings(folds=0), few) is None
    # With `--split none` few questions need the folds even more.
    assert count(Settings(split="none"), few) == 5
    assert folds_wanted(Settings(split="none", folds=0), few) is None
    assert folds_wanted(Settings(), many) is None
    assert count(Settings(folds=10), many) == 10
    assert count(Settings(), Groups(["c0", "c1", "c2", "c3"], 0, 0)) == 4
    one = Groups(["c0"] * 50, 0, 0)
    assert folds_wanted(Settings(), one) is None
    for asked in (2, 5):
        with pytest.raises(BadInputError, match="expected 3 or more"):
            folds_wanted(Settings(folds=asked), one)


FLAGS = ["--topk", 1, "--epochs", 1, "--learning-rate", 1e-3, "--folds", 4]


def test_no_question_is_scored_by_a_model_that_saw_it(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    trained_on: list[set[str]] = []
    scored: list[set[str]] = []
    train, evaluate = cross_validation.train, cross_validation.evaluate

    def spy_train(model: Any, lists: Any, dev: Any, *rest: Any) -> Any:
        trained_on.append({*lists.qa_ids, *dev.lists.qa_ids})
        return train(model, lists, dev, *rest)

    def spy_evaluate(model: Any, lists: Any, *rest: Any) -> Any:
        scored.append(set(lists.qa_ids))
        return evaluate(model, lists, *rest)

    monkeypatch.setattr(cross_validation, "train", spy_train)
    monkeypatch.setattr(cross_validation, "evaluate", spy_evaluate)
    listed = [*data_flags(corpus), "--source", "candidates"]
    result = stage2("run", "--model", model_dir, *listed, *FLAGS)
    out = tmp_path / "out"
    assert len(trained_on) == len(scored) > 1
    for saw, asked in zip(trained_on, scored, strict=True):
        assert not saw & asked
        # q00 and q11 have the same chunk.
        assert len({"q00", "q11"} & asked) != 1
    assert sum(map(len, scored)) == len(set().union(*scored)) <= 12

    comparison = json.loads((out / files.COMPARISON).read_text())
    crossed = [part for part in comparison["sets"] if part["name"] == "cross-validated"]
    assert {part["source"] for part in crossed} == {"candidates", "corpus"}
    assert all(part["held_out"] and part["num_queries"] == 12 for part in crossed)
    assert comparison["verdict"]["set"] == "cross-validated"
    # A terminal gets only arrows and signs in ASCII.
    said = comparison["verdict"]["text"]["en"].replace("→", "->").replace("−", "-")
    assert said in result.stdout
    rows = read_jsonl(out / files.PER_QUESTION)
    ranks = [row["cross_validated"]["corpus"]["after"] for row in rows]
    mrr = next(part for part in crossed if part["source"] == "corpus")["after"]["mrr"]
    assert np.mean([1 / rank for rank in ranks]) == pytest.approx(mrr)
    record = json.loads((out / files.RUN).read_text())
    assert sum(fold["test"] for fold in record["folds"]) == 12
    assert record["split"]["overlaps"]["questions_sharing_a_chunk"] == 2
    assert not list(out.glob(".fold*"))
    assert "cross-validated" in (out / files.REPORT).read_text()


def test_equal_seeds_give_equal_folds(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    written = []
    for name in ("one", "two"):
        flags = [*FLAGS, "--split", "none", "--output-dir", tmp_path / name]
        stage2("run", "--model", model_dir, *data_flags(corpus), *flags)
        found = tree(tmp_path / name)
        written.append([found[file] for file in (files.COMPARISON, files.PER_QUESTION)])
    assert written[0] == written[1]


def test_the_reference_preset_has_the_cross_validated_table_beside_its_own(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--preset", "reference", "--topk", 1, "--epochs", 1, "--learning-rate", 1e-3]
    stage2("run", "--model", model_dir, *data_flags(corpus), *flags)
    sets = files.read_json(tmp_path / "out" / files.COMPARISON)["sets"]
    seen = {part["name"]: part["seen_in_training"] for part in sets}
    assert list(seen) == ["cross-validated", "all"]
    assert seen["cross-validated"] == 0 < seen["all"]
    report = (tmp_path / "out" / files.REPORT).read_text()
    assert "What the model remembers" in report


def test_folds_that_cannot_be_are_refused_and_nothing_is_written(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus), "--folds", 2]
    result = stage2("run", *flags, exit_code=2)
    assert "--folds 2" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_stopped_in_a_fold_goes_on_with_it(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    flags = ["--model", model_dir, *data_flags(corpus), *FLAGS, "--precision", "fp32"]
    stage2("run", *flags, "--output-dir", tmp_path / "whole")
    trained: list[Path] = []
    train = cross_validation.train

    def stopped_in_the_second(*arguments: Any) -> Any:
        folder = arguments[4]
        trained.append(folder)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(cross_validation, "train", stopped_in_the_second)
    stage2("run", *flags, exit_code=1)
    out = tmp_path / "out"
    assert (out / files.SHIPPED_MODEL).is_dir()
    trained_before = len(trained)
    result = stage2("run", *flags)
    assert "the training is done already" in result.stderr
    assert trained[trained_before] == trained[1], "the first fold is not trained again"
    expected, found = tree(tmp_path / "whole"), tree(out)
    assert expected.keys() == found.keys()
    # These files contain times or the folder.
    telling = {files.REPORT, files.PAGE, files.REPORT_JSON, files.RUN, files.SETTINGS,
               files.TRAINING_LOG}  # fmt: skip
    assert {name for name in expected if expected[name] != found[name]} <= telling


def test_questions_of_one_wording_stay_together(tmp_path: Path) -> None:
    rows = [
        {"qa_id": f"q{i}", "question": question, "ground_truth_contexts": [text],
         "gt_chunk_id": f"c{i}", "negative_contexts": ["something else altogether"]}
        for i, (question, text) in enumerate([
            ("Who sank the ship?", "A storm off the coast took the ship down in the night."),
            ("who SANK the ship", "Pirates of the southern isles burned it at anchor."),
            ("Who built the ship?", "Master Edmond laid the keel in the spring of that year."),
        ])
    ]  # fmt: skip
    path = write_jsonl(tmp_path / "data.jsonl", rows)
    names = group_questions(Samples.load_jsonl(path)).names
    assert names[0] == names[1] != names[2]
