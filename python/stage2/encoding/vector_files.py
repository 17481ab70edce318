"""Vectors that any system has made, read from files: one row for each id.

`NAME.npy` has the vectors, (n, d), and `NAME.ids.txt` beside it their ids, one a line. A Parquet
file has a column `id` and a column `vector`; it is read by pyarrow. Nothing is unpickled.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2.encoding.embeddings import Embeddings
from stage2.encoding.vectors import Similarity, distance_of
from stage2.utils.arrays import Floats
from stage2.utils.errors import BadInputError
from stage2.utils.files import check_regular

logger = logging.getLogger(__name__)

IDS_SUFFIX = ".ids.txt"
_COLUMNS = ("id", "vector")
_EXAMPLES = 3
# The vectors of so many rows are converted at a time.
_ROWS = 1 << 14
# A float32 vector of unit length has a norm so near 1. It is left as it is: dividing it by its norm
# would change its last bits, and with them a tie that its maker sees.
_UNIT = 1e-6


@dataclass(frozen=True)
class VectorFile:
    """The content of a file of vectors.

    Attributes:
        path: the file, for messages.
        ids: n ids, all different.
        vectors: floats (n, d). They may be mapped from the file.
    """

    path: str
    ids: list[str]
    vectors: npt.NDArray[np.floating[Any]]

    @property
    def width(self) -> int:
        """The width of the vectors, d."""
        return int(self.vectors.shape[1])

    def of(self, ids: Sequence[str], what: str, whole: bool, similarity: Similarity) -> Embeddings:
        """Return the vectors of some ids, in their order.

        Args:
            ids: the ids of the data.
            what: what the ids are of, for messages: "questions" or "chunks".
            whole: whether the data has every id that the file may have.
            similarity: `cosine` scales every vector to unit length; the others leave it as it is.

        Raises:
            BadInputError: an id of the data is not in the file; `whole` and an id of the file is
                not in the data; a vector is not finite, or has no direction for the cosine.
        """
        place = {found: row for row, found in enumerate(self.ids)}
        if missing := list(dict.fromkeys(wanted for wanted in ids if wanted not in place)):
            raise BadInputError(
                f"{self.path}: {len(missing)} of the {len(set(ids))} {what} have no vector: "
                f"{_examples(missing)}; expected one for each id of the data"
            )
        known = set(ids)
        if extra := [found for found in self.ids if found not in known]:
            told = (
                f"{self.path}: {len(extra)} of {len(self.ids)} ids are not among the {what} of the "
                f"data: {_examples(extra)}"
            )
            if whole:
                raise BadInputError(f"{told}; expected ids of the data alone")
            logger.info("%s; their vectors are not used", told)
        out = Embeddings.empty(len(ids), self.width, distance=distance_of(similarity))
        rows = np.fromiter((place[wanted] for wanted in ids), np.int64, len(ids))
        for start in range(0, len(rows), _ROWS):
            part = slice(start, start + _ROWS)
            out.mu[part] = self._checked(rows[part], similarity)
        # With no entities the vectors of entities are never read.
        return out

    def _checked(self, rows: npt.NDArray[np.int64], similarity: Similarity) -> Floats:
        with np.errstate(over="ignore"):
            found = self.vectors[rows].astype(np.float32)
        if not (finite := np.isfinite(found).all(axis=1)).all():
            bad = [self.ids[row] for row in rows[~finite]]
            raise BadInputError(
                f"{self.path}: the vectors of {_examples(bad)} hold NaN or infinity; expected "
                "finite float32 numbers"
            )
        if similarity != "cosine":
            return found
        if not (directed := found.any(axis=1)).all():
            bad = [self.ids[row] for row in rows[~directed]]
            raise BadInputError(
                f"{self.path}: the vectors of {_examples(bad)} are zero, and have no cosine; "
                "expected a direction, or --similarity dot"
            )
        return unit(found)


def unit(vectors: Floats) -> Floats:
    """Scale vectors to unit length, float32 (n, d), none of them zero."""
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    scale = np.where(np.abs(norms - 1) <= _UNIT, 1.0, norms)[:, None]
    return np.asarray(vectors / scale, np.float32)


def read_vectors(path: str | Path) -> VectorFile:
    """Read a file of vectors and its ids.

    Raises:
        BadInputError: the file, its ids or its columns are not as the module says, an id stands
            twice, or there are not as many ids as vectors.
    """
    if check_regular(path).is_dir():
        raise BadInputError(f"{path}: is a folder; expected {_expected()}")
    reader = _READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise BadInputError(f"{path}: is no file of vectors; expected {_expected()}")
    ids, vectors = reader(Path(path))
    if vectors.dtype.kind != "f":
        raise BadInputError(
            f"{path}: holds numbers of type {vectors.dtype}; expected float16, float32 or float64"
        )
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise BadInputError(
            f"{path}: is an array of shape {vectors.shape}; expected (n, d), a row for each id"
        )
    if len(ids) != len(vectors):
        raise BadInputError(
            f"{path}: {len(vectors)} vectors, but {len(ids)} ids; expected one id for each vector"
        )
    if len(set(ids)) < len(ids):
        doubles = [one for one, count in Counter(ids).items() if count > 1]
        raise BadInputError(
            f"{path}: {len(doubles)} ids stand there twice: {_examples(doubles)}; expected each id "
            "once"
        )
    return VectorFile(str(path), ids, vectors)


def ids_of(path: str | Path) -> Path | None:
    """Return the file with the ids of a file of vectors; None if it has them itself."""
    found = Path(path)
    return found.with_suffix(IDS_SUFFIX) if found.suffix.lower() == ".npy" else None


def _read_npy(path: Path) -> tuple[list[str], npt.NDArray[Any]]:
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OverflowError) as error:
        raise BadInputError(
            f"{path}: is no array that numpy reads without pickle ({error}); expected what "
            "numpy.save writes of an array of floats"
        ) from error
    if not isinstance(vectors, np.ndarray):
        vectors.close()
        raise BadInputError(f"{path}: is an archive of arrays; expected what numpy.save writes")
    beside = path.with_suffix(IDS_SUFFIX)
    try:
        text = check_regular(beside).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise BadInputError(
            f"{beside}: no such file; expected the ids of {path.name}, one a line"
        ) from None
    except UnicodeDecodeError as error:
        raise BadInputError(f"{beside}: not UTF-8 at byte {error.start}; expected ids") from None
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    if "" in lines:
        raise BadInputError(f"{beside}:{lines.index('') + 1}: is blank; expected an id a line")
    return lines, vectors


def _read_parquet(path: Path) -> tuple[list[str], npt.NDArray[Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise BadInputError(
            f"{path}: Parquet is read by pyarrow, which is not installed; install stage2[parquet], "
            "or give the vectors as .npy"
        ) from error
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInputError(f"{path}: is not read as Parquet: {error}") from error
    if not {*_COLUMNS} <= {*table.column_names}:
        raise BadInputError(
            f"{path}: has the columns {', '.join(table.column_names)}; expected id and vector"
        )
    ids, vectors = (table[name].combine_chunks() for name in _COLUMNS)
    for name, column in zip(_COLUMNS, (ids, vectors), strict=True):
        if column.null_count:
            raise BadInputError(
                f"{path}: {column.null_count} rows have no {name}; expected one in each row"
            )
    if not (pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type)
            or pa.types.is_integer(ids.type)):  # fmt: skip
        raise BadInputError(f"{path}: the ids are of type {ids.type}; expected text or integers")
    kind = vectors.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)
            or pa.types.is_fixed_size_list(kind)):  # fmt: skip
        raise BadInputError(f"{path}: the vectors are of type {kind}; expected lists of floats")
    flat = vectors.flatten()
    if flat.null_count or not pa.types.is_floating(kind.value_type):
        raise BadInputError(f"{path}: the vectors are of type {kind}; expected lists of floats")
    widths = np.asarray(vectors.value_lengths())
    if len(widths) and (widths != widths[0]).any():
        raise BadInputError(
            f"{path}: the vectors have widths from {widths.min()} to {widths.max()}; expected one "
            "width"
        )
    width = int(widths[0]) if len(widths) else 0
    numbers = flat.to_numpy(zero_copy_only=False)
    return [str(one) for one in ids.to_pylist()], numbers.reshape(len(ids), width)


_READERS: Mapping[str, Callable[[Path], tuple[list[str], npt.NDArray[Any]]]] = {
    ".npy": _read_npy,
    ".parquet": _read_parquet,
}


def _expected() -> str:
    return f"NAME.npy with its ids in NAME{IDS_SUFFIX}, or NAME.parquet"


def _examples(ids: Sequence[str]) -> str:
    """Show the first ids, and how many more there are."""
    shown = ", ".join(repr(one) for one in ids[:_EXAMPLES])
    return shown + (f" and {len(ids) - _EXAMPLES} more" if len(ids) > _EXAMPLES else "")
