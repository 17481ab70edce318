"""How much memory work may take beside what it is given."""

from __future__ import annotations

import os


def default_budget() -> int:
    """Bytes that a search may use beside the vectors: a quarter of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
