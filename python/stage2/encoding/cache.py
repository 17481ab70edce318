"""The cache of vectors on disk, so that a model does not embed a text twice.

A file holds the vectors of one model at one precision: a header, and then records of one size, each
with its own checksum. Records are only appended, by one process at a time, so that other processes
can read in the meantime. An incomplete or damaged record counts as absent, and its text is embedded
again. If a text has two records, the later one counts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs
from filelock import FileLock, Timeout

from stage2.encoding.embeddings import Embeddings
from stage2.encoding.tokens import Role
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError

logger = logging.getLogger(__name__)

FORMAT = "stage2 embeddings 2"
SUFFIX = ".vectors"
# All files of a folder share one lock, as writing is short. It is never deleted, to avoid races.
LOCK = ".lock"
# A process waits so many seconds for the lock, first without a message and then with one. Then it
# continues without keeping vectors. It need not wait longer, since writing takes almost no time.
QUIET, PATIENCE = 1.0, 10.0
# The header is a line of JSON, padded with spaces. It has what `stage2 cache info` shows, and the
# width of the vectors, from which the size of a record follows.
HEADER_BYTES = 1024
KEY_BYTES = 16
# The largest width that a header may state. A header with a larger one is damaged.
MOST_WIDE = 1 << 20

Keys = npt.NDArray[np.void]
Bytes = npt.NDArray[np.uint8]


def folder_of(setting: str) -> Path | None:
    """Return the folder that `--embedding-cache` names, or None for `off`.

    Raises:
        BadInputError: the path is that of a file.
    """
    if setting == "off":
        return None
    if setting == "auto":
        return platformdirs.user_cache_path("stage2") / "embeddings"
    if Path(setting).exists() and not Path(setting).is_dir():
        raise BadInputError(
            f"--embedding-cache {setting} is a file; expected auto, off or a folder"
        )
    return Path(setting)


def keys_of(texts: Sequence[str], spans: Sequence[Any], roles: Sequence[Role]) -> Keys:
    """Return the key of each text: a hash of text, role and entities, `KEY_BYTES` long.

    Args:
        texts: n texts.
        spans: the entities of each text, as (char_start, char_end) pairs.
        roles: the role of each text.

    Returns:
        void (n,).
    """
    digests = bytearray()
    for text, targets, role in zip(texts, spans, roles, strict=True):
        ends = np.asarray(targets, np.int64).tobytes()
        # The size of the entities comes first, so that a text cannot be mistaken for entities.
        digest = hashlib.blake2b(len(ends).to_bytes(8, "little") + ends, digest_size=KEY_BYTES)
        digest.update(role.encode() + b"\0")
        digest.update(text.encode("utf-8", "surrogatepass"))
        digests += digest.digest()
    return np.frombuffer(bytes(digests), f"V{KEY_BYTES}")


class EmbeddingCache:
    """The vectors of one model, in one file."""

    def __init__(
        self, folder: Path, width: int, depends_on: Mapping[str, str], about: Mapping[str, str]
    ) -> None:
        """Find the file of a model. Nothing is written before `put`.

        Args:
            folder: the folder with the files of all models.
            width: d, the embedding dimension.
            depends_on: all that the vectors depend on beside text and entities: the hashes of
                weights and tokenizer, and the precision. Its hash is the name of the file.
            about: `model` and `precision`, for people to read.
        """
        canonical = json.dumps([FORMAT, width, dict(depends_on)], sort_keys=True)
        fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
        self.path = folder / f"{fingerprint[:32]}{SUFFIX}"
        self.width = width
        self._header = {"format": FORMAT, "width": width, **about}
        self._record = record_type(width)
        self._index = _Index.of(np.empty(0, f"V{KEY_BYTES}"))
        self._closed = False

    def __len__(self) -> int:
        """Return the number of records in the file, including damaged ones."""
        if not self.path.is_file():
            return 0
        return max(0, self.path.stat().st_size - HEADER_BYTES) // self._record.itemsize

    def get(self, keys: Keys) -> tuple[Embeddings, Ints]:
        """Look up the vectors of texts.

        Returns:
            The vectors, with zeros for texts that are not in the file; and the rows of these texts,
            int64, rising.
        """
        found, absent = Embeddings.empty(len(keys), self.width), np.arange(len(keys))
        try:
            count = len(self)
            if not count or not len(keys):
                return found, absent
            records = np.memmap(self.path, self._record, "r", HEADER_BYTES, (count,))
        except FileNotFoundError:
            return found, absent  # Another process has just deleted the file.
        except OSError as error:
            logger.warning(
                "vectors kept earlier cannot be read: %s. They are computed again", error
            )
            return found, absent
        if len(self._index.order) != count:
            self._index = _Index.of(records["key"])
        places = self._index.find(keys)
        rows = np.flatnonzero(places >= 0)
        here = records[places[rows]]
        whole = (here["key"] == keys[rows]) & (here["checksum"] == _checksums(here))
        rows, here = rows[whole], here[whole]
        # `prune` goes by this time, and keeps the files that were used last.
        with suppress(OSError):
            os.utime(self.path)
        found.put(rows, _embeddings(here))
        return found, np.setdiff1d(np.arange(len(keys)), rows)

    def put(self, keys: Keys, vectors: Embeddings) -> None:
        """Append the vectors of texts. If the file cannot be written, warn and write no more."""
        if self._closed:
            return
        try:
            self._append(keys, vectors)
        except OSError as error:
            self._closed = True
            logger.warning(
                "vectors are not kept: %s. Give another --embedding-cache, or off", error
            )

    def _append(self, keys: Keys, vectors: Embeddings) -> None:
        records = np.zeros(len(keys), self._record)
        records["key"] = keys
        for name in ("mu", "kappa", "entity", "entity_count"):
            records[name] = getattr(vectors, name)
        records["checksum"] = _checksums(records)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and not self.path.is_file():
            raise OSError(f"{self.path} is no regular file")
        with _locked(self.path.parent / LOCK), open(self.path, "ab") as file:
            size = file.tell()
            if size < HEADER_BYTES:
                file.truncate(0)
                file.write(_header_line(self._header))
            else:
                # A writer that was killed may have left a part of a record.
                file.truncate(size - (size - HEADER_BYTES) % self._record.itemsize)
            file.write(records.tobytes())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes inside the context, and log a longer wait for it.

    Raises:
        TimeoutError: another process does not release the lock in time.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=QUIET)
    except Timeout:
        logger.info("waiting up to %g s for %s, which another process holds", PATIENCE, path)
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise TimeoutError(f"another process holds {path}") from None
    try:
        yield
    finally:
        lock.release()


def _header_line(header: Mapping[str, Any]) -> bytes:
    """Return the header of a file. A long model name is cut to its end, as it is for people."""
    line = json.dumps(header).encode()
    if len(line) >= HEADER_BYTES:
        # The longest escape of a character has twelve bytes, so 70 characters always fit.
        line = json.dumps({**header, "model": f"…{header['model'][-70:]}"}).encode()
    return line.ljust(HEADER_BYTES - 1) + b"\n"


def record_type(width: int) -> np.dtype[np.void]:
    """Return the layout of a record, which is little-endian and without gaps.

    The checksum covers all fields before it.
    """
    return np.dtype(
        [
            ("key", f"V{KEY_BYTES}"),
            ("mu", "<f4", (width,)),
            ("entity", "<f4", (width,)),
            ("kappa", "<f4"),
            ("entity_count", "<i4"),
            ("checksum", "<u4"),
        ]
    )


@dataclass(frozen=True)
class CacheFile:
    """The file of one model, as `stage2 cache` shows it.

    Attributes:
        path: the path of the file.
        model: the name of the model when the file was made.
        precision: the precision in which the vectors were computed.
        entries: the number of records.
        size: the size of the file in bytes.
        used: the time when it was last read or written, in seconds since the epoch.
    """

    path: Path
    model: str
    precision: str
    entries: int
    size: int
    used: float

    @property
    def age(self) -> float:
        """The number of days since the file was last read or written."""
        return (time.time() - self.used) / 86_400


def cache_files(folder: Path) -> list[CacheFile]:
    """Return all files of vectors in a folder, the last used first. Other files are ignored."""
    found = [_cache_file(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return sorted((item for item in found if item is not None), key=lambda item: -item.used)


def prune(folder: Path, older_than: float | None, max_size: int | None) -> list[CacheFile]:
    """Delete the files that `outdated` returns, and return those that were deleted."""
    gone = []
    for item in outdated(folder, older_than, max_size):
        try:
            item.path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("%s cannot be deleted: %s", item.path, error.strerror or error)
            continue
        gone.append(item)
    return gone


def outdated(folder: Path, older_than: float | None, max_size: int | None) -> list[CacheFile]:
    """Return the files of vectors that are too old, or too many.

    Args:
        folder: the folder of the cache.
        older_than: the age in days above which files are deleted; None means no limit.
        max_size: the largest size in bytes of all files that are kept; None means no limit. Files
            that were used last are kept first.
    """
    gone: list[CacheFile] = []
    kept = 0
    for item in cache_files(folder):
        too_old = older_than is not None and item.age > older_than
        if too_old or (max_size is not None and kept + item.size > max_size):
            gone.append(item)
        else:
            kept += item.size
    return gone


@dataclass(frozen=True)
class _Index:
    """An index for finding the record of a key.

    It has only the first half of each key. The other half must be compared with the record.

    Attributes:
        halves: uint64 (n,), the first halves of the keys, rising.
        order: int64 (n,), the record of each half; for equal halves the last record comes first.
    """

    halves: npt.NDArray[np.uint64]
    order: Ints

    @classmethod
    def of(cls, keys: Keys) -> _Index:
        backwards = _halves(keys)[::-1]
        order = np.argsort(backwards, kind="stable")
        return cls(backwards[order], len(keys) - 1 - order)

    def find(self, keys: Keys) -> Ints:
        """Return the last record that may belong to each key, or -1: int64 (n,)."""
        wanted = _halves(keys)
        nearest = np.minimum(np.searchsorted(self.halves, wanted), len(self.order) - 1)
        return np.where(self.halves[nearest] == wanted, self.order[nearest], -1)


def _halves(keys: Keys) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(keys).view(np.uint64)[::2]


def _checksums(records: npt.NDArray[np.void]) -> npt.NDArray[np.uint32]:
    rows = np.ascontiguousarray(records).view(np.uint8).reshape(len(records), records.itemsize)
    end = records.dtype.fields["checksum"][1] if records.dtype.fields else 0
    return np.fromiter((zlib.crc32(row[:end].data) for row in rows), np.uint32, len(rows))


def _embeddings(records: npt.NDArray[np.void]) -> Embeddings:
    count = records["entity_count"].astype(np.int64)
    return Embeddings(records["mu"], records["entity"], count > 0, records["kappa"], count)


def _cache_file(path: Path) -> CacheFile | None:
    """Read the header of a file, or return None if stage2 did not write the file.

    stage2's files are known by their names or headers. A file that has such a name, but no usable
    header, is shown as damaged.
    """
    if not path.is_file():
        return None  # Opening a pipe could wait forever.
    try:
        with open(path, "rb") as file:
            start = file.read(HEADER_BYTES)
        known = path.stat()
    except OSError:
        return None
    try:
        header = json.loads(start)
    except (ValueError, RecursionError):
        header = None
    about = header if isinstance(header, dict) else {}
    named_as_ours = re.fullmatch(r"[0-9a-f]{32}", path.stem) is not None
    if not named_as_ours and about.get("format") != FORMAT:
        return None
    width, model, precision = (about.get(name) for name in ("width", "model", "precision"))
    if (
        about.get("format") == FORMAT
        and type(width) is int
        and 1 <= width <= MOST_WIDE
        and isinstance(model, str)
        and isinstance(precision, str)
    ):
        entries = max(0, known.st_size - HEADER_BYTES) // record_type(width).itemsize
        return CacheFile(path, model, precision, entries, known.st_size, known.st_mtime)
    return CacheFile(path, "damaged", "–", 0, known.st_size, known.st_mtime)
