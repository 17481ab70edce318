"""Samples whose candidates a model mined from a corpus, told by the folder that holds them.

A model that chooses the candidates by its own scores also decides its own rank among them: with a
margin it is always the first. So these questions are ranked among all texts of the file.
"""

from __future__ import annotations

import json
from pathlib import Path

from stage2.cli import console
from stage2.utils import files

_WRITTEN = (files.CONSTRUCTED, files.HARD)


def were_mined(samples: str | Path | None) -> bool:
    """Return whether a file of samples is what `stage2 mine` wrote of a corpus that it mined."""
    if samples is None or Path(samples).name not in _WRITTEN:
        return False
    summary = Path(samples).parent / files.MINING_SUMMARY
    try:
        found = json.loads(summary.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("source") == "corpus"


def tell_mined(samples: str | Path | None, texts: int) -> None:
    """Say that the questions of mined samples are ranked among all texts of their file."""
    console.say(
        f"{samples}: a model has mined the candidates, and ranks among them would be its own "
        f"choice: each question is ranked among all {texts:,} texts of the file"
    )
