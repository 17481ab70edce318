"""Files appear whole or not at all, and files left by killed processes are removed."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from stage2.utils import files
from stage2.utils.errors import BadInputError


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    files.write_text(path, "old")

    def half() -> None:
        with files.atomic(path) as temporary:
            temporary.write_text("half")
            assert temporary.parent == path.parent
            assert files.is_temporary(temporary)
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert [inner.name for inner in path.parent.iterdir()] == ["file"]
    assert path.read_text() == "old"
    files.write_text(path, "new")
    assert path.read_text() == "new"


def test_a_result_is_as_readable_as_any_other_file(tmp_path: Path) -> None:
    files.write_text(tmp_path / "ours", "")
    (tmp_path / "theirs").touch()
    ours, theirs = ((tmp_path / name).stat().st_mode for name in ("ours", "theirs"))
    assert ours == theirs


def test_a_write_that_fails_says_of_which_file(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def full() -> None:
        with files.atomic(path):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        full()
    assert caught.value.filename == str(path)


def test_what_killed_processes_were_writing_is_removed(tmp_path: Path) -> None:
    for name in (".report.md.17-ab.tmp", "report.md", ".hidden"):
        (tmp_path / name).touch()
    inner = tmp_path / "model"
    inner.mkdir()
    (inner / ".weights.17-ab.tmp").touch()
    other = tmp_path / "other"
    other.mkdir()
    (other / ".weights.17-ab.tmp").touch()
    files.remove_left(tmp_path, inside=["model"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".hidden", "model", "other", "report.md"
    ]  # fmt: skip
    assert not list(inner.iterdir())
    assert list(other.iterdir())


def test_a_folder_between_two_renamings_is_put_back(tmp_path: Path) -> None:
    retired = tmp_path / ".model.17-ab.tmp"
    (retired / "model").mkdir(parents=True)
    (retired / "model" / "config.json").write_text("{}")
    files.remove_left(tmp_path)
    assert (tmp_path / "model" / "config.json").read_text() == "{}"
    assert not retired.exists()


def test_a_folder_and_a_link_to_one_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").touch()
    (tmp_path / "link").symlink_to(folder)
    files.remove(tmp_path / "link")
    assert (folder / "file").is_file()
    files.remove(folder)
    files.remove(tmp_path / "none")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("new", "new.told"),
        ("new/", "new.told"),
        ("new//", "new.told"),
        ("new/.", "new.told"),
        ("a/new.csv", "a/new.csv.told"),
        (".hidden/", ".hidden.told"),
        ("../b/", "../b.told"),
    ],
)
def test_a_file_about_an_output_is_beside_it(output: str, found: str) -> None:
    assert files.told_beside(output, "told") == Path(found)
    assert files.told_beside(Path(output), "told") == Path(found)


def test_a_file_about_the_working_folder_is_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    assert files.told_beside(".", "told") == tmp_path / "in.told"
    assert files.told_beside("../", "told") == Path(f"{tmp_path}.told")


def test_a_pipe_is_no_file_to_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInputError, match="is no regular file"):
        files.check_regular(tmp_path / "pipe")
    assert files.check_regular(tmp_path) == tmp_path
    with pytest.raises(FileNotFoundError):
        files.check_regular(tmp_path / "none")


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "file", {"loss": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        files.write_jsonl(tmp_path / "file", [{"loss": float("inf")}])
    assert not list(tmp_path.iterdir())
    rows = [{"question": "où ?\u2028"}, 1]
    files.write_jsonl(tmp_path / "file", rows)
    assert files.read_jsonl(tmp_path / "file") == rows


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": 1}\n{"a"', "no JSON at line 2, column 5"),
        (b'{"a": 1}\n\n"\xff"', "no UTF-8 at byte 1 from line 3 on"),
    ],
)
def test_a_damaged_line_is_told_by_its_place(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(data)
    with pytest.raises(BadInputError, match=said):
        files.read_jsonl(path)


def test_hashes_are_those_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (1 << 20) + b"y")
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    found = files.Hashes({"qa": path})
    assert dict(found) == {"qa": expected}
    with pytest.raises(FileNotFoundError):
        files.Hashes({"qa": tmp_path / "none"})["qa"]
