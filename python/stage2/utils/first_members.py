"""The names of the members of a JSON file's first object, by which formats are told apart."""

from __future__ import annotations

import gzip
import os
import re
import stat
import zlib
from functools import lru_cache
from pathlib import Path

# So much of a file is looked at. A member that starts behind it is not found.
_LOOKED_AT = 1 << 20

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|[{}\[\]:,]', re.DOTALL)


def first_members(path: Path) -> frozenset[str]:
    """Return the names of the members of the first object, as far as they are soon found.

    The file may be a JSON object, a list of objects, or objects one after another, and may be
    compressed. The result is empty if it is none of these or cannot be read, or is no regular file,
    because reading a pipe would take from it.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return frozenset()
        return _members(str(path), found.st_mtime_ns, found.st_size)
    except (OSError, ValueError, EOFError, zlib.error):
        return frozenset()


@lru_cache(maxsize=64)
def _members(path: str, _changed: int, _size: int) -> frozenset[str]:
    # The time and the size are in the key, so that a file that has changed is read again.
    text = _beginning(path).decode("utf-8", "replace").lstrip("\ufeff \t\r\n[")
    if not text.startswith("{"):
        return frozenset()
    names, depth, last = set(), 0, None
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
            if depth == 0:
                break
        elif mark == ":" and depth == 1 and last is not None:
            names.add(last)
        last = token[1]
    return frozenset(names)


def _beginning(path: str) -> bytes:
    with open(path, "rb") as file:
        start = file.read(_LOOKED_AT)
    if start.startswith(b"\x1f\x8b"):
        with gzip.open(path) as packed:
            return packed.read(_LOOKED_AT)
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        from stage2._core import Lines  # the core alone has Zstandard

        begin = bytearray()
        for line in Lines(path):
            begin += line + b"\n"
            if len(begin) >= _LOOKED_AT:
                break
        return bytes(begin[:_LOOKED_AT])
    return start
