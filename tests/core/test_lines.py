"""Lines that are read block by block are those of the whole file."""

from __future__ import annotations

import gzip
import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stage2._core import InputError, Lines, read_bytes

BYTES = st.binary(max_size=40) | st.text('{["\n\r ab\0é', max_size=40).map(str.encode)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=BYTES, begin=st.sampled_from([b"{", b"[", b"", b"\xef\xbb\xbf{", b" \n{"]))
def test_lines_are_those_of_the_whole_file(tmp_path: Path, content: bytes, begin: bytes) -> None:
    content = begin + content
    for name, packed in (("x", content), ("x.gz", gzip.compress(content))):
        path = tmp_path / name
        path.write_bytes(packed)
        try:
            whole = read_bytes(path).removeprefix(b"\xef\xbb\xbf")
        except InputError as error:
            with pytest.raises(InputError, match=f"^{re.escape(str(error))}$"):
                list(Lines(path))
            continue
        expected = whole.split(b"\n")
        assert list(Lines(path)) == (expected if expected[-1] else expected[:-1])
        assert Lines(path).read() == whole
        assert Lines(path).is_list == (whole.lstrip()[:1] == b"[")


def test_lines_are_given_while_a_file_of_several_blocks_is_read(tmp_path: Path) -> None:
    expected = [b"{" + b"x" * (i * 7919 % 5000) for i in range(2000)]
    path = tmp_path / "x"
    path.write_bytes(b"\n".join(expected))
    lines = Lines(path)
    assert [next(lines) for _ in range(100)] == expected[:100]
    assert lines.read() == b"\n".join(expected[100:])
    assert list(Lines(path)) == expected
    # A line that is longer than a block.
    path.write_bytes(b"{" + b"y" * (5 << 20) + b"\n{}\n")
    assert [len(line) for line in Lines(path)] == [(5 << 20) + 1, 2]


@pytest.mark.parametrize("number", range(20))
def test_a_pipe_is_opened_once(number: int, tmp_path: Path) -> None:
    """A writer that is quick has written and closed all before a second opening."""
    path = tmp_path / str(number)
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"{}\n[]\n",), daemon=True)
    writer.start()
    assert list(Lines(path)) == [b"{}", b"[]"]
    writer.join()


def test_a_file_that_is_missing_or_cut_short_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Lines(tmp_path / "no")
    path = tmp_path / "x"
    path.write_bytes(b"{}\n" * (1 << 20))
    lines = Lines(path)
    next(lines)
    os.truncate(path, 2 << 20)
    with pytest.raises(InputError, match="became shorter while it was read"):
        list(lines)
