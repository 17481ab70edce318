"""What a folder holds after a disturbance, and what is wrong with it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open

from stage2.utils import files
from tests.torture.place import Case, Place

# Only the presence of these files is compared, because they contain times.
TIMED = (files.REPORT, files.PAGE, files.REPORT_JSON, *files.CHARTS)


@dataclass
class Tally:
    """The number of attempts of one kind, and how many of them went wrong in which way."""

    tried: int = 0
    damaged: int = 0
    refused: int = 0
    different: int = 0
    left_behind: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add the attempts of another tally to this one."""
        for name in ("tried", "damaged", "refused", "different", "left_behind"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.notes += other.notes

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.damaged or self.refused or self.different or self.left_behind)


def content(folder: Path) -> dict[str, Any]:
    """Return the contents of every file below a folder, by path, without what holds times."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder).as_posix()
        if not path.is_file():
            continue
        if path.name in TIMED or path.name.endswith(".log"):
            found[place] = "there"
        elif path.name in (files.TRAINING_LOG, files.SWEEP):
            rows = files.read_jsonl(path)
            found[place] = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
        elif path.name == files.RUN:
            record = files.read_json(path)
            stages = record.get("stages", {})
            found[place] = {
                "made_from": {name: stage["made_from"] for name, stage in stages.items()},
                **{name: record.get(name) for name in ("begun", "ended", "replaced", "shipped")},
                "files": sorted(record.get("files", {})),
            }
        else:
            found[place] = path.read_bytes()
    return found


def damaged(folder: Path) -> list[str]:
    """Return the files below a folder that are not whole."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.endswith(".tmp"):
            continue
        if any(files.is_temporary(parent) for parent in path.relative_to(folder).parents):
            continue
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".jsonl":
                text = path.read_text()
                [json.loads(line) for line in text.splitlines()]
                if text and not text.endswith("\n"):
                    found.append(path.name)
            elif path.suffix == ".pt":
                with zipfile.ZipFile(path) as archive:
                    if archive.testzip() is not None:
                        found.append(path.name)
            elif path.suffix == ".safetensors":
                with safe_open(path, "pt") as weights:
                    weights.keys()
        except Exception as error:  # a damaged file can raise anything
            found.append(f"{path.relative_to(folder)}: {error}")
    return found


def left_behind(folder: Path, wanted: dict[str, Any]) -> list[str]:
    """Return the files and folders that an undisturbed command does not leave."""
    places = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    known = {
        parent.as_posix() for place in wanted for parent in (Path(place), *Path(place).parents)
    }
    return sorted(places - known)


def compare(place: Place, case: Case, wanted: dict[str, Any], code: int, what: str) -> Tally:
    """Count what is wrong after the same command ran again with this exit code."""
    found = Tally(tried=1)
    if code:
        found.refused = 1
        found.notes.append(f"{case.name}, {what}: ended with {code}: {place.said()[-400:]}")
        return found
    if left := left_behind(place.out, wanted):
        found.left_behind = 1
        found.notes.append(f"{case.name}, {what}: left behind {left[:5]}")
    now = content(place.out)
    if differing := [name for name in wanted if now.get(name) != wanted[name]]:
        found.different = 1
        found.notes.append(f"{case.name}, {what}: different {differing[:5]}")
    return found
