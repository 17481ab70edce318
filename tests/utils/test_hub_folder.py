"""`utils.hub_folder`: which files hold the tables of a folder that is laid out as on the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets.data_files import DataFilesDict, get_data_patterns

from stage2.utils.hub_folder import (
    all_files,
    chosen_config,
    fetching,
    hub_configs,
    hub_files,
    side_word,
)
from stage2.variants import FORMATS, SIDE_OF_FILE

TABLES = FORMATS["hub"].tables


def write(folder: Path, *names: str, readme: str | None = None) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    if readme is not None:
        (folder / "README.md").write_text(f"---\n{readme}\n---\n# A data set\n")
    return folder


def found(folder: Path) -> list[str]:
    return hub_files(folder, TABLES, SIDE_OF_FILE)


@pytest.mark.parametrize(
    "names",
    [
        ["train.csv"],
        ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"],
        ["train.jsonl", "dev.jsonl", "test.jsonl"],
        ["train/0000.parquet", "validation/0000.parquet", "test/0000.parquet"],
        ["my_train_file.csv", "my-eval.csv"],
    ],
)
def test_files_named_after_splits_are_those_that_datasets_finds(
    tmp_path: Path, names: list[str]
) -> None:
    write(tmp_path, *names)
    given = DataFilesDict.from_patterns(get_data_patterns(str(tmp_path)), str(tmp_path))
    theirs = {
        Path(path).relative_to(tmp_path).as_posix(): str(split)
        for split, paths in given.items()
        for path in paths
    }
    assert found(tmp_path) == sorted(names) == sorted(theirs)
    sides = {"validation": "dev"}
    told = {name: SIDE_OF_FILE[side_word(name, SIDE_OF_FILE) or ""] for name in names}
    assert told == {name: sides.get(split, split) for name, split in theirs.items()}


def test_other_files_do_not_count(tmp_path: Path) -> None:
    write(
        tmp_path, "data/train.parquet", "data/test.parquet", "train.csv", "dataset_infos.json",
        ".cache/huggingface/train.parquet", "notes.txt", "data/extra.parquet",
    )  # fmt: skip
    assert found(tmp_path) == ["data/test.parquet", "data/train.parquet"]
    assert all_files(tmp_path, TABLES) == [
        "data/extra.parquet", "data/test.parquet", "data/train.parquet", "train.csv"
    ]  # fmt: skip
    # The names of such folders as stage2 writes tell no split.
    own = write(
        tmp_path / "run", "training_log.txt", "hard_negatives.jsonl", "corpus.jsonl",
        "qrels/train.tsv", "qrels.test.tsv",
    )  # fmt: skip
    assert found(own) == []
    assert found(write(own, "train.csv")) == ["train.csv"]
    assert found(write(own, "run.json")) == []
    assert found(tmp_path / "nowhere") == []
    pieces = write(tmp_path / "pieces", "pairs-00000-of-00001.parquet")
    assert found(pieces) == ["pairs-00000-of-00001.parquet"]


def test_the_configuration_that_is_read_names_the_files(tmp_path: Path) -> None:
    names = ["pair/train.parquet", "triplet/train.parquet", "triplet/test.parquet", "loose.csv"]
    one = "- config_name: {}\n  data_files:\n  - split: train\n    path: {}/train*"
    pair, triplet = one.format("pair", "pair"), one.format("triplet", "triplet")
    write(tmp_path, *names, readme=f"configs:\n{triplet}")
    assert found(tmp_path) == ["README.md", "triplet/train.parquet"]
    write(tmp_path, readme=f"configs:\n{pair}\n{triplet}\n  default: true")
    (first, second) = hub_configs(tmp_path, TABLES)
    assert (first.name, first.is_default, second.is_default) == ("pair", False, True)
    assert chosen_config([first, second]) == second
    assert chosen_config([first, first]) is None
    assert second.splits == {"train": ("triplet/train.parquet",)}
    assert found(tmp_path) == ["README.md", "triplet/train.parquet"]
    write(tmp_path, readme="configs:\n- config_name: default\n  data_dir: triplet")
    assert found(tmp_path) == ["README.md", "triplet/test.parquet", "triplet/train.parquet"]
    for files in ("loose.csv", "['loose.csv']", "{train: loose.csv}"):
        write(tmp_path, readme=f"configs:\n- data_files: {files}")
        assert hub_configs(tmp_path, TABLES)[0].splits == {"train": ("loose.csv",)}
    # Nothing outside the folder is read.
    for place in ("../*.csv", "/etc/*", "hf://a/b/*.csv", "~/x.csv"):
        write(tmp_path, readme=f"configs:\n- data_files: '{place}'")
        assert hub_configs(tmp_path, TABLES)[0].splits == {"train": ()}


@pytest.mark.parametrize(
    "readme", ["configs: 7", "configs: [7]", "configs: [", "configs:\n- a: [}"]
)
def test_damaged_metadata_are_named(tmp_path: Path, readme: str) -> None:
    write(tmp_path, "train.csv", readme=readme)
    with pytest.raises(ValueError, match=r"README\.md: the metadata"):
        hub_configs(tmp_path, TABLES)
    assert found(tmp_path) == ["README.md", "train.csv"]


def test_metadata_without_configurations_are_none(tmp_path: Path) -> None:
    write(tmp_path, "train.csv", readme="license: mit")
    assert hub_configs(tmp_path, TABLES) == []
    (tmp_path / "README.md").write_text("configs: of no metadata")
    assert hub_configs(tmp_path, TABLES) == []
    (tmp_path / "README.md").write_bytes(b"---\nconfigs: \xff")
    assert hub_configs(tmp_path, TABLES) == []


def test_how_a_data_set_is_fetched_is_told() -> None:
    said = (
        "a data set of the Hub is fetched with: hf download BeIR/nq-v2.1 --repo-type dataset "
        "--local-dir nq-v2.1; then give --data nq-v2.1"
    )
    for name in (
        "BeIR/nq-v2.1", "hf://BeIR/nq-v2.1", "hf://datasets/BeIR/nq-v2.1@main/data/x.parquet",
        "https://huggingface.co/datasets/BeIR/nq-v2.1/tree/main", "https://hf.co/datasets/BeIR/nq-v2.1",
    ):  # fmt: skip
        assert fetching(name) == said
    assert fetching("s3://bucket/key") == fetching("squad") == fetching("/a/b") == ""
