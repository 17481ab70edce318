"""Where negatives come from if nobody says it: from the corpus of the data, where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_command import resolved
from tests.conftest import data_flags
from tests.small import write_jsonl

MINED = ("corpus", 0.05)


def source_and_margin(name: str, *words: object) -> tuple[str, float | None]:
    settings = resolved(name, *words).settings
    return settings.source, settings.relative_margin


@pytest.mark.parametrize("name", ["mine", "run"])
def test_the_corpus_of_the_data_is_mined_with_a_margin(
    name: str, corpus: dict[str, Path]
) -> None:
    assert source_and_margin(name, *data_flags(corpus)) == MINED


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--source", "candidates"], ("candidates", None)),
        (["--corpus", "never"], ("candidates", None)),
        (["--preset", "reference"], ("candidates", None)),
        (["--source", "corpus"], MINED),
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
