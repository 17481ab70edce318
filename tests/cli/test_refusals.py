"""The messages that refuse a folder: what is wrong, where, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from stage2.cli import refusals
from stage2.utils import files


@pytest.mark.parametrize("record", [None, {}, {"working": None}, "damaged"])
def test_who_holds_a_folder_need_not_be_known(tmp_path: Path, record: object) -> None:
    if record is not None:
        (tmp_path / files.RUN).write_text(f"{record}".replace("'", '"').replace("None", "null"))
    said = str(refusals.held(tmp_path))
    assert f"--output-dir {tmp_path}: another command works in it: another process." in said
    assert "Wait for it to end" in said


def test_who_holds_a_folder_is_named(tmp_path: Path) -> None:
    working = {"command": "stage2 train", "process": 17, "machine": "m", "since": "noon"}
    files.write_json(tmp_path / files.RUN, {"working": working})
    assert "`stage2 train` (process 17 on m, since noon)" in str(refusals.held(tmp_path))


def test_each_says_where_and_what_to_do(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    for error, told in [
        (refusals.damaged(tmp_path, "split.json"), f"{tmp_path / 'split.json'}: damaged, changed"),
        (refusals.impossible(tmp_path, full), "no folder can be made there (No space left"),
        (refusals.impossible(tmp_path, OSError()), "no folder can be made there (OSError)"),
        (refusals.another_run(tmp_path, "topk was 3, is 2"), "(topk was 3, is 2)"),
    ]:
        assert told in str(error)
        assert str(tmp_path) in str(error)
        assert "ive another" in str(error)
