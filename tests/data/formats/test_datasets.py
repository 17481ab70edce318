"""The folder of a saved data set, as datasets itself writes it where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest

from stage2._core import InputError
from stage2.variants import format_of
from tests.formats import questions_of, read_file

ROWS = {"anchor": ["a", "b"], "positive": ["x", "y"]}


def save(folder: Path, columns: dict[str, Any], names: tuple[str, ...] = ("data.arrow",)) -> Path:
    """Write what `Dataset.save_to_disk` writes, as far as it is read."""
    folder.mkdir(parents=True)
    table = pa.table(columns)
    for name in names:
        with (
            pa.OSFile(str(folder / name), "wb") as sink,
            pa.ipc.new_stream(sink, table.schema) as to,
        ):
            to.write_table(table)
    state = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(state))
    return folder


def test_the_files_of_its_state_are_read(tmp_path: Path) -> None:
    folder = save(tmp_path / "saved", ROWS)
    assert format_of(folder, None) == "datasets"
    assert [one.text for one in questions_of(read_file(folder))] == ["a", "b"]
    (folder / "state.json").write_text('{"_data_files": [{"filename": "../x.arrow"}]}')
    with pytest.raises(InputError, match=r'state.json:1:31: "filename" is no name of a file'):
        read_file(folder)


def test_what_datasets_saves_is_read(tmp_path: Path) -> None:
    datasets.Dataset.from_dict(ROWS).save_to_disk(tmp_path / "saved")
    assert [one.text for one in questions_of(read_file(tmp_path / "saved"))] == ["a", "b"]
