"""The memory that work may use besides its input."""

from __future__ import annotations

import os


def default_budget() -> int:
    """Return the bytes that a search may use besides the vectors: a quarter of the memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
