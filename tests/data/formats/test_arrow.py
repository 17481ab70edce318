"""Arrow's IPC format, as a file and as a stream."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from stage2._core import InputError
from tests.formats import questions_of, read_file

TABLE = pa.table(
    {"anchor": ["a", "b", "c"], "positive": ["x", "y", "x"], "negative": ["y", "z", "w"]}
)


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_both_forms_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.arrow"
    with pa.OSFile(str(path), "wb") as sink:
        make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        with make(sink, TABLE.schema) as writer:
            for batch in TABLE.to_batches(max_chunksize=2):
                writer.write_batch(batch)
    found = questions_of(read_file(path))
    assert [one.relevant[0].chunk.text for one in found] == ["x", "y", "x"]
    assert [one.negatives[0].chunk.text for one in found] == ["y", "z", "w"]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="expected a whole Arrow file"):
        read_file(path)
