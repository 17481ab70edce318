"""The bytes of files in every form that the core reads."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any


def jsonl(rows: Sequence[Any]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def zstd(data: bytes) -> bytes:
    """Make a Zstandard frame of raw blocks, because Python before 3.14 cannot compress to one."""
    frame = b"\x28\xb5\x2f\xfd" + b"\xa0" + len(data).to_bytes(4, "little")
    blocks = [data[i : i + 100_000] for i in range(0, len(data), 100_000)] or [b""]
    for i, block in enumerate(blocks):
        is_last = i == len(blocks) - 1
        frame += (len(block) << 3 | is_last).to_bytes(3, "little") + block
    return frame


def gzip_members(data: bytes) -> bytes:
    """Make an archive of two members, as if one archive was appended to another."""
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(data[half:])


def zstd_frames(data: bytes) -> bytes:
    half = len(data) // 2
    return zstd(data[:half]) + zstd(data[half:])


FORMS = {"plain": bytes, "gzip": gzip_members, "zstd": zstd_frames}
