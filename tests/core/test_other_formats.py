"""Archives in all forms that programs write, and files of other formats, which are named."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stage2._core import InputError, Samples, load_chunks
from tests import reference
from tests.files import jsonl, zstd

ROWS = [{"id": f"c{i}", "text": f"text {i} of some"} for i in range(50)]
LINES = jsonl(ROWS)
SKIPPABLE = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
OTHER_SKIPPABLE = b"\x5f\x2a\x4d\x18" + bytes(4)


def frames(*places: str) -> bytes:
    """Make two frames with skippable frames `before`, `between` or `after` them."""
    half = len(LINES) // 2
    part = {"first": zstd(LINES[:half]), "second": zstd(LINES[half:])}
    skip = SKIPPABLE + OTHER_SKIPPABLE
    order = ["before", "first", "between", "second", "after"]
    return b"".join(part.get(name, skip if name in places else b"") for name in order)


@pytest.mark.parametrize(
    "archive",
    [
        frames("before"),
        frames("between"),
        frames("after"),
        frames("before", "between", "after"),
        gzip.compress(LINES[:100]) + gzip.compress(b"") + gzip.compress(LINES[100:]),
    ],
    ids=["before", "between", "after", "everywhere", "gzip members"],
)
def test_archives_of_several_parts_are_read_whole(tmp_path: Path, archive: bytes):
    (tmp_path / "chunks").write_bytes(archive)
    texts, _ = load_chunks(tmp_path / "chunks")
    assert list(texts) == [row["text"] for row in ROWS]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    notes=st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=9)), max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_frames_without_text_may_stand_anywhere(tmp_path: Path, notes, order):
    skippable = [bytes([0x50 + kind]) + b"\x2a\x4d\x18" + len(note).to_bytes(4, "little") + note
                 for kind, note in notes]  # fmt: skip
    cuts = range(0, len(LINES), 300)
    parts = [zstd(LINES[cut : cut + 300]) for cut in cuts]
    for frame in skippable:
        parts.insert(order.randint(0, len(parts)), frame)
    (tmp_path / "chunks").write_bytes(b"".join(parts))
    (tmp_path / "twin").write_bytes(reference.without_skippable_frames(b"".join(parts)))
    found, twin = (list(load_chunks(tmp_path / name)[0]) for name in ("chunks", "twin"))
    assert found == twin == [row["text"] for row in ROWS]


def database() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table chunks (id text)")
    return connection.serialize()


def npy() -> bytes:
    with io.BytesIO() as file:
        np.save(file, np.zeros(3))
        return file.getvalue()


def zipped() -> bytes:
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("chunks.jsonl", LINES)
        return file.getvalue()


def tar() -> bytes:
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("chunks.jsonl"))
        return file.getvalue()


TEXT = json.dumps(ROWS)
SQUAD = {"data": [{"title": "t", "paragraphs": [{"context": "c", "qas": []}]}]}
PRETTY = "\n".join(json.dumps(row, indent=2) for row in ROWS)

# The bytes of files in other formats, and words of the advice in the message.
OTHERS: dict[str, tuple[str, bytes | Callable[[], bytes], str]] = {
    "parquet": ("a Parquet file", b"PAR1\x15\x04\x15 " + bytes(80) + b"PAR1", "read_parquet"),
    "feather": ("an Arrow IPC (Feather) file", b"ARROW1\0\0\xff\xff\xff\xff", "read_feather"),
    "arrow": ("an Arrow IPC stream", b"\xff\xff\xff\xff\x10\0\0\0", "open_stream"),
    "orc": ("an ORC file", b"ORC\x0a\x0b" + bytes(30) + b"ORC\x17", "read_orc"),
    "zip": ("a zip archive", zipped, "unpack"),
    "xz": ("an xz archive", lzma.compress(LINES), "xz -d"),
    "bz2": ("a bzip2 archive", bz2.compress(LINES), "bzip2 -d"),
    "7z": ("a 7z archive", b"7z\xbc\xaf\x27\x1c\0\x04", "7z x"),
    "lz4": ("an LZ4 archive", SKIPPABLE + b"\x04\x22\x4d\x18\x64\x40", "lz4 -d"),
    "tar": ("a tar archive", tar, "tar -xf"),
    "tar.gz": ("a tar archive", lambda: gzip.compress(tar()), "tar -xf"),
    "pickle": ("a Python pickle", pickle.dumps(ROWS), "can run any code"),
    "npy": ("a numpy array", npy, "JSONL"),
    "sqlite": ("an SQLite database", database, "sqlite3 -json"),
    "safetensors": ("weights (.safetensors)", b'\x08' + bytes(7) + b'{"a":{} }', "rows"),
    "lfs": (
        "a pointer of Git LFS",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "git lfs pull",
    ),
    "html": ("an HTML page", b"\n<!DOCTYPE html>\n<title>404</title>", "fetch the file"),
    "xml": ("XML", b"<?xml version='1.0'?><DOC/>", "one a line"),
    "utf-16": ("UTF-16 text", TEXT.encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
    "utf-16-le": ("UTF-16 text", TEXT.encode("utf-16-le"), "iconv -f UTF-16LE"),
    "utf-16-be": ("UTF-16 text", TEXT.encode("utf-16-be"), "iconv -f UTF-16BE"),
    "utf-32": ("UTF-32 text", TEXT.encode("utf-32"), "iconv -f UTF-32 -t UTF-8"),
    "utf-32-le": ("UTF-32 text", TEXT.encode("utf-32-le"), "iconv -f UTF-32LE"),
    "squad": ("SQuAD JSON", json.dumps(SQUAD).encode(), '"qas"'),
    "squad in lines": ("SQuAD JSON", json.dumps(SQUAD, indent=1).encode(), '"qas"'),
    "squad articles": ("SQuAD JSON", jsonl(SQUAD["data"] * 3), '"qas"'),
    "by name": (
        "one JSON object that holds objects by name",
        json.dumps({row["id"]: row for row in ROWS}).encode(),
        "to_entries",
    ),
    "columns": (
        "one JSON object of columns",
        b'{"id": ["a", "b"], "text": ["c", "d"]}',
        "read_json",
    ),
    "a list": ("one JSON object with a list", json.dumps({"rows": ROWS}).encode(), '.["rows"][]'),
    "pretty": ("JSON objects that are written over several lines", PRETTY.encode(), "jq -c ."),
    "tsv": ("tab-separated values (TSV)", b"id\ttext\nc1\ta text\n", "sep='\\t'"),
    "csv": ("comma-separated values (CSV)", b'"id","text"\nc1,"a, b"\n', "sep=','"),
    "csv with a mark": (
        "comma-separated values (CSV)",
        b"\xef\xbb\xbfquestion,chunk_id\r\nwho?,c1\r\n",
        "sep=','",
    ),
    "qrels": ("TREC judgements (qrels)", b"q1 0 c1 1\nq1 0 c2 0\n", "chunk_ids"),
}  # fmt: skip


@pytest.mark.parametrize("on_error", ["strict", "skip"])
@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_another_format_is_told_by_name(tmp_path: Path, kind: str, on_error):
    name, contents, remedy = OTHERS[kind]
    path = tmp_path / "file"
    path.write_bytes(contents() if callable(contents) else contents)
    for load in (load_chunks, Samples.load_jsonl):
        with pytest.raises(InputError) as caught:
            load(path, on_error)
        assert caught.value.reason == "other_format"
        message = str(caught.value)
        assert message.startswith(f"{path}:1:1: this looks like {name}")
        assert "; expected JSONL, a JSON object a line, or a JSON array of objects" in message
        assert remedy in message


@pytest.mark.parametrize("kind", ["parquet", "tsv", "utf-16", "squad", "sqlite"])
def test_the_program_ends_with_2_and_one_line(stage2, corpus, tmp_path: Path, kind: str):
    _, contents, _ = OTHERS[kind]
    (tmp_path / "qa").write_bytes(contents() if callable(contents) else contents)
    words = ("prepare", "--qa", tmp_path / "qa", "--chunks", corpus["chunks"])
    result = stage2(*words, exit_code=2)
    assert result.output.startswith("error: ")
    assert result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "lines",
    [
        b'question,chunk_id\n{"id": 1, "text": "good"}\n',
        b'ORC\n{"id": 1, "text": "good"}\n',
        b'{"id": 0, "text":\n{"id": 1, "text": "good"}\n',
        b'{"x": {}, "y": {}}\n{"id": 1, "text": "good"}\n',
        b'{"id": 1, "text": "good", "data": [{"paragraphs": []}]}',
        b'a,b\nc,d\ne,f\ng,h\n{"id": 1, "text": "good"}\n',
        b'ORC\n{"id": 1, "text": "good"}\nORC',
        b'<html>\n  {"id": 1, "t\\u0065xt": "good"} \r\n',
        b'RIFF\n{"id": 1, "text": "good"}\n',
        b'{"paragraphs": [{"qas": []}]}\n{"id": 1, "text": "good"}\n',
        b'[{"paragraphs": [{"qas": []}]},\n{"id": 1, "text": "good"}]',
        b'{"x":\n{"id": 1, "text": "good"}\n}\n',
    ],
)
def test_a_file_with_a_good_row_is_not_refused_for_its_first(tmp_path: Path, lines: bytes):
    (tmp_path / "chunks").write_bytes(lines)
    texts, _ = load_chunks(tmp_path / "chunks", "skip")
    assert list(texts) == ["good"]


def test_a_word_that_ends_in_a_mark_is_no_mark(tmp_path: Path):
    """A row may contain the word that a tar archive has at its 258th byte."""
    start = '{"id": 1, "text": "'
    text = "m" * (257 - len(start)) + "ustard"
    (tmp_path / "chunks").write_text(f'{start}{text}"}}\n')
    assert list(load_chunks(tmp_path / "chunks")[0]) == [text]


@pytest.mark.parametrize("contents", [b"\x0c", b"\x0c\n", b"\x0b", b"\xef\xbb\xbf\x0c\r\n\x0c"])
def test_white_space_that_json_does_not_know_is_no_row(tmp_path: Path, contents: bytes):
    (tmp_path / "chunks").write_bytes(contents)
    with pytest.raises(InputError) as caught:
        load_chunks(tmp_path / "chunks")
    assert caught.value.reason == "invalid_json"


def zstd_blank(megabytes: int, row: bytes, window: int | None) -> bytes:
    """Make a frame of white space and a row. Its window has so many bits, or all of it for None."""
    size = (megabytes << 20) + len(row)
    head = b"\xa0" + size.to_bytes(4, "little") if window is None else bytes([0, window - 10 << 3])
    blank = (1 << 17 << 3 | 1 << 1).to_bytes(3, "little") + b" "
    return b"\x28\xb5\x2f\xfd" + head + blank * (megabytes * 8) + raw_block(row)


def raw_block(contents: bytes) -> bytes:
    return (len(contents) << 3 | 1).to_bytes(3, "little") + contents


@pytest.mark.parametrize(
    ("megabytes", "window"),
    [(0, 23), (0, 27), (5, None), (5, 23), (129, None)],
    ids=["a wide window", "the widest that is usual", "one segment", "both", "a large segment"],
)
def test_an_intact_archive_is_read_under_any_ceiling(tmp_path: Path, megabytes: int, window):
    row = b'{"id": 1, "text": "good"}\n'
    (tmp_path / "chunks").write_bytes(zstd_blank(megabytes, row, window))
    size = (megabytes << 20) + len(row)
    texts, _ = load_chunks(tmp_path / "chunks", max_decompressed=size)
    assert list(texts) == ["good"]
