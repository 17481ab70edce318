"""Each variant of a setting names settings and functions that exist."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from stage2.config import SETTINGS
from stage2.data.formats import module_of
from stage2.training.losses import FUNCTIONS
from stage2.variants import FORMATS, LOSSES, TRACKERS, WRITTEN, format_of
from tests.beir import one_file


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_its_function_and_its_settings(name: str) -> None:
    assert name in FUNCTIONS
    assert LOSSES[name].settings or LOSSES[name].teacher
    assert set(LOSSES[name].untouched) <= set(LOSSES[name].settings)
    assert set(LOSSES[name].settings) <= SETTINGS.keys()


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_has_its_module(name: str) -> None:
    assert callable(import_module(f"stage2.training.trackers.{name}").track)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_has_its_module_and_says_what_it_is(name: str) -> None:
    module, kind = module_of(name), FORMATS[name]
    assert callable(module.tables)
    assert kind.text
    assert kind.judgements is None or kind.judgements in kind.parts
    assert hasattr(module, "write") == (kind.holds is not None) == (name in WRITTEN)
    ways = (kind.parts, kind.suffixes, kind.members, kind.tables)
    assert sum(map(bool, ways)) == 1


def test_formats_are_told_by_what_is_there(tmp_path: Path) -> None:
    folder = one_file(tmp_path)
    assert format_of(folder, None) == "beir"
    assert format_of(folder / "corpus.jsonl", None) is None
    assert format_of(tmp_path / "none.jsonl", None) == "samples"
    assert format_of(tmp_path / "none.JSON.gz", None) == "samples"
    assert format_of(tmp_path / "none.txt", None) is None
    assert format_of(tmp_path / "a.CSV.zst", None) == "csv"
    assert format_of(tmp_path, None) is None
    assert format_of(tmp_path, "beir") == "beir"
    (folder / "qrels" / "all.tsv").rename(folder / "qrels" / "all.tsv.gz")
    assert format_of(folder, None) == "beir"
    (folder / "qrels" / "all.tsv.gz").rename(folder / "qrels" / "all.txt")
    assert format_of(folder, None) is None


def test_several_files_of_judgements_are_sides_by_their_names() -> None:
    kind = FORMATS["beir"]
    names = ["corpus.jsonl", "queries.jsonl", "qrels/Train.tsv", "qrels/validation.tsv.gz"]
    assert kind.sides(names) == {"qrels/Train.tsv": "train", "qrels/validation.tsv.gz": "dev"}
    assert kind.sides([*names, "qrels/all.tsv"]).keys() == {*names[2:]}
    assert kind.sides(names[:3]) == {}
    assert FORMATS["samples"].sides(["train.jsonl", "test.jsonl"]) == {}
    assert FORMATS["trec"].sides(["qrels.train.txt", "qrels.dev.v2.txt", "topics.train.tsv"]) == {
        "qrels.train.txt": "train",
        "qrels.dev.v2.txt": "dev",
    }
    assert FORMATS["datasetdict"].sides(["train/state.json", "valid/state.json"]) == {
        "train/state.json": "train",
        "valid/state.json": "dev",
    }


def test_they_are_the_choices_of_their_settings() -> None:
    assert set(SETTINGS["format"].metadata["choices"]) == FORMATS.keys()
    assert set(SETTINGS["loss"].metadata["choices"]) == LOSSES.keys() == FUNCTIONS.keys()
    assert all(name in SETTINGS["report_to"].metadata["help"] for name in TRACKERS)
