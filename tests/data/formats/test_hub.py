"""A folder as data sets are on the Hub: its files are read by their formats, splits are sides."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stage2.call import Call, data_files, names_of_data
from stage2.config import InputConfig, Settings
from stage2.data.formats import read
from stage2.utils.errors import BadInputError
from stage2.variants import format_of
from tests.formats import questions_of, read_file


def rows_of(*questions: str) -> list[dict[str, Any]]:
    return [{"anchor": one, "positive": f"text of {one}"} for one in questions]


def write(folder: Path, **files: list[str]) -> Path:
    """Write a table for each name, in which `__` stands for a slash, by its suffix."""
    for given, questions in files.items():
        *place, suffix = given.replace("__", "/").split("_")
        path = folder / f"{'_'.join(place)}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = rows_of(*questions)
        if suffix == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        elif suffix == "csv":
            lines = [",".join(row.values()) for row in rows]
            path.write_text("\n".join(["anchor,positive", *lines]))
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def with_readme(folder: Path, metadata: str) -> Path:
    (folder / "README.md").write_text(f"---\n{metadata}\n---\n")
    return folder


def sides_of(folder: Path) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for one in questions_of(read_file(folder)):
        found.setdefault(one.side, []).append(one.text)
    return found


def test_splits_are_sides_by_the_names_of_their_files(tmp_path: Path) -> None:
    folders = (
        write(tmp_path / "a", data__train_parquet=["a", "b"], data__validation_parquet=["c"],
              data__test_parquet=["d"]),
        write(tmp_path / "b", train_csv=["a", "b"], val_csv=["c"], test_csv=["d"]),
        write(tmp_path / "c", train__0_jsonl=["a"], train__1_jsonl=["b"], dev__0_jsonl=["c"],
              eval__0_jsonl=["d"]),
    )  # fmt: skip
    for folder in folders:
        assert format_of(folder, None) == "hub"
        assert sides_of(folder) == {"train": ["a", "b"], "dev": ["c"], "test": ["d"]}
    packed = folders[1] / "train.csv"
    (folders[1] / "train.csv.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    settings = Settings(data=str(folders[1]))
    contents = read(settings, False)
    assert contents.judgements == ("test.csv", "train.csv.gz", "val.csv")
    assert contents.sides is not None
    assert contents.sides.keys() == {"train", "dev", "test"}
    # A call tells the same sides beforehand, and an earlier one by the names of its files.
    known = names_of_data(data_files(settings))
    assert Call(settings).given_sides == {"train", "dev", "test"}
    assert Call(settings, data_files=known).given_sides == {"train", "dev", "test"}


def test_files_of_one_split_are_one_data_set_without_sides(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", **{
        "data__train-00000-of-00002_parquet": ["a"], "data__train-00001-of-00002_parquet": ["b"]
    })  # fmt: skip
    assert sides_of(folder) == {None: ["a", "b"]}
    assert Call(Settings(data=str(folder))).given_sides == set()
    assert sides_of(write(tmp_path / "b", test_csv=["a"])) == {None: ["a"]}
    names = {"pairs-00000-of-00001_parquet": ["a"]}
    assert sides_of(write(tmp_path / "c", **names)) == {None: ["a"]}


def test_the_configuration_of_the_metadata_is_read_and_the_rest_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", pair__train_parquet=["a"], pair__test_parquet=["b"],
                   hard__train_parquet=["c"], more_csv=["d"])  # fmt: skip
    pair = "- config_name: pair\n  data_files:\n  - {split: train, path: 'pair/train*'}"
    pair += "\n  - {split: test, path: ['pair/test*']}"
    hard = "- config_name: hard\n  data_files: hard/*.parquet"
    with_readme(folder, f"license: mit\nconfigs:\n{pair}\n  default: true\n{hard}")
    assert sides_of(folder) == {"train": ["a"], "test": ["b"]}
    assert set(data_files(InputConfig(data=str(folder)))) == {
        "data/README.md", "data/pair/test.parquet", "data/pair/train.parquet"
    }  # fmt: skip
    notes = read_file(folder).notes
    assert f"{folder}: 2 more files are not read: hard/train.parquet, more.csv" in notes
    with_readme(folder, f"configs:\n{pair}\n{hard}")
    said = f"2 configurations, pair, hard, .* such as {folder / 'pair'}$"
    with pytest.raises(BadInputError, match=said):
        read_file(folder)
    assert sides_of(folder / "pair") == {"train": ["a"], "test": ["b"]}


def refused(folder: Path, said: str, **settings: Any) -> None:
    with pytest.raises(BadInputError, match=said):
        read_file(folder, **settings)


def test_what_cannot_be_read_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", train_csv=["a"], test_csv=["b"])
    with_readme(folder, "configs: 7")
    refused(folder, "README.md: the metadata's configs are none; expected a list")
    with_readme(folder, "configs:\n- data_files: gone/*.parquet\n  config_name: x")
    assert format_of(folder, None) is None
    refused(folder, "names the files gone/.*, and none of them is here; fetch", format="hub")
    with_readme(folder, "configs:\n- data_files: {test: train.csv, train: test.csv}")
    refused(folder, "train.csv: is of the split 'test' by README.md, which its name does not say")
    with_readme(folder, "configs:\n- data_files: '*.csv'")
    refused(folder, "is of the split 'train' by README.md")
    names = "\n".join(f"- {{config_name: {name}, data_files: train.csv}}"
                      for name in ("corpus", "queries", "a", "b"))  # fmt: skip
    with_readme(folder, f"configs:\n{names}")
    refused(folder, "beside a, b; expected one named qrels or default with the judgements")
    (folder / "README.md").unlink()
    write(folder, **{"rest-00000-of-00001_csv": ["c"]})
    refused(folder, "rest-00000-of-00001.csv: is named after no side of a split, and other files")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty, "a data set of no format that is known")
    refused(empty, "has no files that are named after splits", format="hub")
    twice = write(tmp_path / "b", train_csv=["a"], test_csv=["a"])
    refused(twice, r"train.csv: the question '\w+' is on two sides of the split, test and train")
