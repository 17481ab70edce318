"""Where negatives come from if nobody says it: from the corpus of the data, where there is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2.cli.mining_defaults import RELATIVE_MARGIN
from stage2.cli.sweep_grid import trials
from stage2.config import Settings
from stage2.utils import files
from tests.cli.test_command import resolved
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.small import write_jsonl
from tests.teaching import write_mined

MINED = ("corpus", RELATIVE_MARGIN)


def source_and_margin(name: str, *words: object) -> tuple[str, float | None]:
    settings = resolved(name, *words).settings
    return settings.source, settings.relative_margin


@pytest.mark.parametrize("name", ["mine", "run"])
def test_the_corpus_of_the_data_is_mined_with_a_margin(name: str, corpus: dict[str, Path]) -> None:
    assert source_and_margin(name, *data_flags(corpus)) == MINED


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--source", "candidates"], ("candidates", None)),
        (["--corpus", "never"], ("candidates", None)),
        (["--preset", "reference"], ("candidates", None)),
        (["--source", "corpus"], ("corpus", None)),
        (["--relative-margin", "0.2"], ("corpus", 0.2)),
        (["--absolute-margin", "0.1"], ("corpus", None)),
        (["--max-score", "0.9"], ("corpus", None)),
        (["--min-score", "0.1"], ("corpus", None)),
    ],
)
def test_what_is_stated_stays(
    words: list[str], expected: tuple[str, float | None], corpus: dict[str, Path]
) -> None:
    assert source_and_margin("run", *data_flags(corpus), *words) == expected


def test_a_settings_file_states_too(corpus: dict[str, Path], tmp_path: Path) -> None:
    config = tmp_path / "a.toml"
    config.write_text('source = "candidates"\n')
    assert source_and_margin("run", *data_flags(corpus), "--config", config) == (
        "candidates", None,
    )  # fmt: skip


def test_the_sample_keeps_the_candidates_of_the_reference() -> None:
    assert source_and_margin("run") == ("candidates", None)


def test_samples_keep_the_candidates_that_they_list(tmp_path: Path) -> None:
    row = {
        "question": "where", "ground_truth_contexts": ["elba"], "negative_contexts": ["ship"],
        "qa_id": "q", "gt_chunk_id": "c",
    }  # fmt: skip
    data = write_jsonl(tmp_path / "samples.jsonl", [row])
    assert source_and_margin("mine", "--data", data) == ("candidates", None)


def test_rounds_of_a_training_keep_the_margin_too(corpus: dict[str, Path]) -> None:
    words = ["--data", corpus["qa"].parent, "--loss", "infonce", "--epochs", "2"]
    assert resolved("train", *words, "--rounds", "2").settings.relative_margin == 0.05
    assert resolved("train", *words).settings.relative_margin is None


def candidates_of(folder: Path) -> set[int]:
    return {len(row["negative_contexts"]) for row in read_jsonl(folder / files.CONSTRUCTED)}


def test_negatives_of_the_data_are_taken_unless_mining_is_spoken_of(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    call = ["mine", "--model", model_dir, "--data", write_mined(tmp_path / "listed.jsonl")]
    out = tmp_path / "out"
    assert "the data list negatives" in stage2(*call).stderr
    assert candidates_of(out) == {3}
    assert json.loads((out / files.MINING_SUMMARY).read_text())["source"] == "candidates"
    for number, words in enumerate((["--source", "corpus"], ["--range-max", 30])):
        out = tmp_path / str(number)
        result = stage2(*call, *words, "--max-score", 2, "--output-dir", out)
        assert "the data list negatives" not in result.stderr
        assert candidates_of(out) == {5}
    stage2(*call, "--max-score", 2, "--negatives", 4, "--overwrite")
    assert candidates_of(tmp_path / "out") == {4}
    refused = stage2(*call, "--memory-budget", "1GB", exit_code=2)
    assert "--memory-budget 1GB has no effect here" in refused.stderr
    assert "has its own negatives" in stage2(*call, "--negatives", 4, exit_code=2).stderr


def test_a_sweep_takes_the_negatives_of_the_data_too(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    data = ["--data", write_mined(tmp_path / "listed.jsonl"), "--model", model_dir]
    recipe = ["--loss", "infonce", "--epochs", 1, "--split", "chunk"]
    stage2("sweep", *data, *recipe, "--grid", "learning_rate=1e-3")
    for name, grid in (("mined", "source=corpus"), ("rules", "range_max=30")):
        stage2("sweep", *data, *recipe, "--grid", grid, "--output-dir", tmp_path / name)
    for name, expected in (("out", "candidates"), ("mined", "corpus"), ("rules", "corpus")):
        (summary,) = (tmp_path / name).glob(f"trials/*/{files.MINING_SUMMARY}")
        assert json.loads(summary.read_text())["source"] == expected


def test_a_trial_that_names_a_rule_of_scores_has_no_other() -> None:
    base = Settings(source="corpus", relative_margin=RELATIVE_MARGIN)
    for grid, expected in (
        ({"max_score": [0.8]}, None),
        ({"source": ["corpus"]}, None),
        ({"relative_margin": [0.2]}, 0.2),
        ({"epochs": [3]}, RELATIVE_MARGIN),
    ):
        (trial,) = trials(base, grid, None, None)
        assert trial.settings.relative_margin == expected


def test_a_run_of_an_engine_has_no_margin(corpus: dict[str, Path], tmp_path: Path) -> None:
    run = ["--run", tmp_path / "engine.trec"]
    assert source_and_margin("mine", *data_flags(corpus)[:4], *run) == ("corpus", None)


def test_rounds_are_kept_where_the_data_list_negatives(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    call = ["run", "--model", model_dir, "--data", write_mined(tmp_path / "listed.jsonl")]
    recipe = ["--loss", "infonce", "--epochs", 2, "--rounds", 2, "--folds", 0]
    assert "the data list negatives" not in stage2(*call, *recipe).stderr
    assert (tmp_path / "out" / files.ROUNDS / "round_2.jsonl").is_file()
