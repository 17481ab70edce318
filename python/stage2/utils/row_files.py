"""Files of rows: JSON lines, or Parquet by pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from stage2.utils.arrays import Floats
from stage2.utils.errors import BadInputError


def check_kind(kind: str | None) -> None:
    """Refuse to write a kind of file for which a package is missing.

    Raises:
        BadInputError: the kind is `parquet`, and pyarrow is not installed.
    """
    if kind == "parquet" and find_spec("pyarrow") is None:
        raise BadInputError(
            "--as parquet needs pyarrow, which is not installed; pip install 'stage2[parquet]', or "
            "give another --as"
        )


def write_rows(path: Path, rows: Iterable[dict[str, Any]], kind: str) -> int:
    """Write rows that all have the same keys.

    Args:
        path: the file, which should be a temporary one, or in a folder that is not in place yet.
        rows: the rows; there is at least one.
        kind: `jsonl` or `parquet`.

    Returns:
        The number of rows.
    """
    if kind == "parquet":
        import pyarrow
        import pyarrow.parquet

        listed = list(rows)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(listed), path)
        return len(listed)
    count = 0
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def write_vectors(path: Path, ids: Sequence[str], vectors: Floats) -> None:
    """Write vectors with their ids as Parquet: `id`, and `embedding`, lists of one length.

    Args:
        path: the file.
        ids: n ids.
        vectors: float32 (n, d).
    """
    import pyarrow
    import pyarrow.parquet

    flat = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1))
    lists = pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    table = pyarrow.table({"id": pyarrow.array(ids, pyarrow.string()), "embedding": lists})
    pyarrow.parquet.write_table(table, path)
