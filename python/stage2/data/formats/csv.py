"""CSV with a first line of column names."""

from __future__ import annotations

from pathlib import Path

from stage2.config import InputConfig
from stage2.data.delimited import read_delimited
from stage2.data.tables import Tables


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the file."""
    return read_delimited(path, settings, ",", quotes=True)
