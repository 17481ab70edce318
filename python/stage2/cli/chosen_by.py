"""The guards by which a model was chosen, as the folder of the run that made it says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stage2.cli import console
from stage2.utils import files
from stage2.utils.errors import BadInputError

# A run keeps in these folders what a training ships or could have shipped. Its stage 1 does
# not: no guard has chosen that.
_CHOSEN = (files.SHIPPED_MODEL, files.CHECKPOINTS)


def choices_of(models: Iterable[str], hashes: Mapping[str, str]) -> dict[str, int]:
    """Find the models that were chosen by a guard, half of whose questions then chose.

    A merged model counts if one of those that it was made of does.

    Args:
        models: the paths of models.
        hashes: the SHA-256 of the guard's files, by any names.

    Returns:
        For each run folder in which a model was so chosen, the seed that dealt the halves.
    """
    wanted = set(hashes.values())
    return {path: seed for model in models for path, seed in _choices(Path(model), wanted, set())}


def _choices(model: Path, wanted: set[str], seen: set[Path]) -> Iterator[tuple[str, int]]:
    folder = _run_of(model)
    if folder is None or folder in seen:
        return
    try:
        record = files.read_json(folder / files.RUN)
    except BadInputError as error:
        console.warn(f"{error.args[0]}. It is not known what chose {model}")
        return
    stages: Mapping[str, Any] = record.get("stages", {})
    if "merge" in stages and (folder / files.MERGE).is_file():
        for one in files.read_json(folder / files.MERGE).get("models", []):
            yield from _choices(Path(one), wanted, seen | {folder})
    known: Mapping[str, Any] = stages.get("train", {}).get("made_from", {})
    guards: dict[str, set[str]] = {}
    for name, sha in known.items():
        if name.startswith("guard_") and "/" in name:
            guards.setdefault(name.split("/")[0], set()).add(sha)
    candidates = record.get("shipped", {}).get("candidates", [])
    if wanted in guards.values() and any(one.get("guards") for one in candidates):
        yield os.fspath(folder), int(known["seed"])


def _run_of(model: Path) -> Path | None:
    """Return the folder of the run that trained or merged a model, if the model is in one."""
    path = Path(os.path.abspath(model))
    for folder in list(path.parents)[:2]:
        if (folder / files.RUN).is_file():
            return folder if path.relative_to(folder).parts[0] in _CHOSEN else None
    return None
