"""Input that could take all memory or time is refused, or takes only its share."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stage2._core import Annotations, Dataset, InputError, Samples, load_chunks
from tests import reference
from tests.files import jsonl, zstd


def zstd_zeros(megabytes: int) -> bytes:
    """Make a frame of blocks. Each has four bytes and stands for 128 KB of zeros."""
    blocks = [(1 << 17 << 3 | 1 << 1).to_bytes(3, "little") + b"0"] * (megabytes * 8 - 1)
    last = (1 << 17 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"0"
    # The frame has no size, and its window is 128 KB.
    return b"\x28\xb5\x2f\xfd\x00" + bytes([(17 - 10) << 3]) + b"".join(blocks) + last


BOMBS = {"zstd": zstd_zeros(64), "gzip": gzip.compress(b"0" * (64 << 20), 9)}


@pytest.mark.parametrize("kind", BOMBS)
def test_what_is_decompressed_has_a_ceiling(tmp_path: Path, kind: str):
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[kind])
    for load in (load_chunks, Annotations.load, Samples.load_jsonl):
        with pytest.raises(InputError) as caught:
            load(path, max_decompressed=10 << 20)
        assert caught.value.reason == "too_large"
        assert str(caught.value) == (
            f"{path}:1:1: the {kind} data holds more than 10.0 MB; expected no more: if it is what "
            "you take it for, allow it with --max-decompressed SIZE, in Python max_decompressed"
        )
    with pytest.raises(InputError, match=r"more than 10\.0 MB"):
        Dataset.load(path, path, max_decompressed=10 << 20)


def test_a_ceiling_is_met_to_the_byte(tmp_path: Path):
    data = jsonl([{"id": 1, "text": "a text"}])
    for archive in (gzip.compress(data), zstd(data)):
        (tmp_path / "chunks").write_bytes(archive)
        texts, _ = load_chunks(tmp_path / "chunks", max_decompressed=len(data))
        assert list(texts) == ["a text"]
        with pytest.raises(InputError, match="holds more than"):
            load_chunks(tmp_path / "chunks", max_decompressed=len(data) - 1)
    # Files that are not compressed have no limit.
    (tmp_path / "chunks").write_bytes(data)
    assert len(load_chunks(tmp_path / "chunks", max_decompressed=1)[0]) == 1


def test_a_pipe_has_the_same_ceiling():
    with pytest.raises(InputError, match=r"the pipe's data holds more than 1\.0 MB"):
        load_chunks("/dev/zero", max_decompressed=1 << 20)


def test_the_program_has_an_option_for_it(stage2, corpus, tmp_path: Path):
    path = tmp_path / "chunks.jsonl.zst"
    path.write_bytes(BOMBS["zstd"])
    words = ("prepare", "--qa", corpus["qa"], "--chunks", path)
    result = stage2(*words, "--max-decompressed", "1MB", exit_code=2)
    assert "allow it with --max-decompressed SIZE" in result.output
    assert result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()
    path.write_bytes(gzip.compress(corpus["chunks"].read_bytes()))
    stage2(*words, "--max-decompressed", "1MB")


LIMITED = """
import resource, sys
from stage2 import _core
import numpy as np
from stage2._core import Dataset, Gazetteer, load_chunks, topk, sample_negatives
load_chunks(sys.argv[2])  # this starts the threads
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (96 << 20), resource.RLIM_INFINITY))
none = np.zeros(0, np.int64)
try:
    eval(sys.argv[1])
except (ValueError, MemoryError) as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux does")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("load_chunks(FILE + '.zst', max_decompressed=2**40)", "InputError: FILE.zst:1:1: the "),
        ("load_chunks(FILE + '.gz', max_decompressed=2**40)", "InputError: FILE.gz:1:1: the "),
        ("load_chunks(FILE)", "InputError: FILE:1:1: the file has 400.0 MB, and there is no"),
        ("load_chunks(FILE + '.rows', 'skip')", "MemoryError: no memory for what is read"),
        ("Gazetteer.load(FILE + '.txt')", "MemoryError: no memory for what is read or made"),
        ("sample_negatives(['a'] * 9, 10**7, 10**8, none, np.zeros(10, np.int64))",
         "MemoryError: no memory for the negatives, 686.6 MB"),
        ("topk(np.ones((9000, 1), np.float32), np.ones((9000, 1), np.float32), 9000)",
         "MemoryError: no memory for the rows found, 618.0 MB"),
    ],
)  # fmt: skip
def test_memory_that_is_refused_is_an_error(tmp_path: Path, call: str, message: str):
    path = tmp_path / "chunks"
    with path.open("wb") as file:
        file.truncate(400 << 20)
    Path(f"{path}.zst").write_bytes(zstd_zeros(400))
    Path(f"{path}.gz").write_bytes(gzip.compress(bytes(64 << 20), 1) * 6)
    # Bad rows take more memory than they take in the file.
    Path(f"{path}.rows").write_bytes(b"{}\n" * 2_000_000)
    # An automaton takes more memory than its names.
    Path(f"{path}.txt").write_text("\n".join(map(str, range(400_000))))
    (tmp_path / "good").write_bytes(jsonl([{"id": 1, "text": "a"}]))
    call = call.replace("FILE", repr(str(path)))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, call, str(tmp_path / "good")],
        capture_output=True, text=True, timeout=60, check=False,
        env={"RAYON_NUM_THREADS": "2", "OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(message.replace("FILE", str(path))), done.stdout


def test_rejected_rows_of_one_line_are_counted_on(tmp_path: Path):
    """Otherwise the three megabytes before a row would be read again for each of 20,000 rows."""
    rows = [{"question": f"Wer ist {i}? äöü", "chunk_id": f"c{i % 2}"} for i in range(40_000)]
    text = json.dumps(rows, ensure_ascii=False)
    (tmp_path / "qa").write_text(text, encoding="utf-8")
    (tmp_path / "chunks").write_bytes(jsonl([{"id": "c0", "text": "one"}]))
    data = Dataset.load(tmp_path / "qa", tmp_path / "chunks", on_error="skip")
    assert data.num_qa == 20_000
    rejected = data.rejected
    assert len(rejected) == 20_000
    for at in (0, 1, 777, 19_999):
        row = rejected[at]
        assert row.line == 1
        assert text[row.column - 1 :].startswith('c1"')
        assert json.loads(row.row) == rows[2 * at + 1]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=1),
    gaps=st.lists(st.sampled_from(["", " ", "\n", "\r\n", "\n\n\t"]), min_size=1),
    mark=st.booleans(),
)
def test_places_of_rejected_rows_are_those_of_the_twin(tmp_path: Path, words, gaps, mark):
    """Rows of an array, some of them on one line, are all wrong because of their chunk."""
    rows = [json.dumps({"chunk_id": 7, "question": f"{i} {word}"}, ensure_ascii=False)
            for i, word in enumerate(words)]  # fmt: skip
    parts = [gaps[i % len(gaps)] + row for i, row in enumerate(rows)]
    data = (b"\xef\xbb\xbf" if mark else b"") + f"[{','.join(parts)}]".encode()
    (tmp_path / "chunks").write_bytes(jsonl([{"id": 1, "text": "a"}]))
    good = b'{"question": "good", "chunk_id": 1}'
    (tmp_path / "qa").write_bytes(data[:-1] + b"," + good + b"]")
    found = Dataset.load(tmp_path / "qa", tmp_path / "chunks", on_error="skip").rejected
    at = -1
    for rejected in found:
        at = data.index(b'"chunk_id": 7', at + 1)
        place = reference.place_of(data, at + len(b'"chunk_id": '))
        assert (rejected.line, rejected.column) == place
    assert len(found) == len(words)


def test_long_ids_are_cut_in_messages(tmp_path: Path):
    long = "x" * 1_000_000
    chunks = [{"id": long, "text": "one"}, {"id": long, "text": "two"}]
    (tmp_path / "chunks").write_bytes(jsonl(chunks))
    with pytest.raises(InputError) as caught:
        load_chunks(tmp_path / "chunks")
    assert len(str(caught.value)) < 500 + len(str(tmp_path))
    assert f'"{"x" * 100}"… (cut here, 976.6 KB in all) has been given' in str(caught.value)
    (tmp_path / "chunks").write_bytes(jsonl(chunks[:1]))
    qa = [{"question": "a?", "chunk_id": long[1:]}, {"question": "b?", "chunk_ids": [long, long]}]
    qa += [{"question": "c?", "chunk_id": long, "id": long}] * 2
    (tmp_path / "qa").write_bytes(jsonl(qa))
    data = Dataset.load(tmp_path / "qa", tmp_path / "chunks", on_error="skip")
    assert [len(row.message) < 500 + len(str(tmp_path)) for row in data.rejected] == [True] * 3
    with pytest.raises(InputError) as few:
        data.construct(3)
    assert len(str(few.value)) < 500 + len(str(tmp_path))


def test_a_file_of_which_no_row_is_left_says_why(stage2, corpus, tmp_path: Path):
    rows = [{"question": f"{i}?", "chunk_id": f"other-{i}"} for i in range(40)]
    rows[3] = {"question": "no chunk"}
    qa = tmp_path / "qa.jsonl"
    qa.write_bytes(jsonl(rows))
    words = ("prepare", "--qa", qa, "--chunks", corpus["chunks"], "--on-error", "skip")
    result = stage2(*words, exit_code=2)
    expected = (
        f"error: {qa}:1:33: every row of the file was rejected: 1 missing_field, 39 unknown_chunk; "
        f'the first, here: the chunk "other-0" is not in {corpus["chunks"]}; expected the id of a '
        "chunk there; expected at least one row to use: check that this is the right file and that "
        "it belongs to the others\n"
    )
    assert result.output == expected
