"""What is said of samples whose candidates a model mined."""

from __future__ import annotations

from pathlib import Path

from stage2.cli import console


def tell_mined(samples: str | Path | None, texts: int) -> None:
    """Say that the questions of mined samples are ranked among all texts of their file."""
    console.say(
        f"{samples}: a model has mined the candidates, and ranks among them would be its own "
        f"choice: each question is ranked among all {texts:,} texts of the file"
    )
