"""The flags of an export that are no settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stage2.models.push import check_repository
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.variants import EXPORTS, FORMATS, format_of

DEPTH = 1000
QUESTIONS = ("hard", "all")


@dataclass(frozen=True)
class Options:
    """The flags of an export; None where one is not given.

    Attributes:
        to: the name of the format.
        kind: the kind of files, `--as`.
        questions: which questions of a mined set: those that are `hard`, or `all`.
        depth: how many chunks of the corpus a run has for each question; 0 for no such run.
        push_to_hub: the repository of the hub that the folder is sent to.
    """

    to: str
    kind: str | None = None
    questions: str | None = None
    depth: int | None = None
    push_to_hub: str | None = None

    def check(self) -> None:
        """Refuse a flag that the format does not take, and a repository that has no such name.

        Raises:
            BadInputError: a flag would have no effect, or the name is none.
        """
        export = EXPORTS[self.to]
        if self.kind is not None and self.kind not in export.kinds:
            able = " or ".join(name for name, one in EXPORTS.items() if self.kind in one.kinds)
            raise BadInputError(f"--as {self.kind} has no effect here: it works with --to {able}")
        for name in ("questions", "depth", "push_to_hub"):
            value = getattr(self, name)
            if value is not None and name not in export.options:
                able = " or ".join(to for to, one in EXPORTS.items() if name in one.options)
                flag = f"--{name.replace('_', '-')} {value}"
                raise BadInputError(f"{flag} has no effect here: it works with --to {able}")
        if self.push_to_hub is not None:
            check_repository(self.push_to_hub)

    @property
    def file_kind(self) -> str:
        """The kind of files that is written."""
        return self.kind or (*EXPORTS[self.to].kinds, "jsonl")[0]


def refuse_data(_context: object, _parameter: object, path: str | None) -> None:
    """Refuse --data, which is for another command.

    Raises:
        BadInputError: it is given.
    """
    if path is not None:
        raise BadInputError(f"--data {path}: export writes models and runs; {_convert(path)}")


def check_run(path: str) -> None:
    """Refuse a data set, or any other file, in the place of a run's folder.

    Raises:
        BadInputError: it is one.
    """
    place = Path(path)
    if not place.exists() or (place / files.RUN).exists():
        return
    kind = format_of(place, None)
    if kind is not None:
        raise BadInputError(
            f"{path}: is {FORMATS[kind].text}; expected the folder of a run; {_convert(path)}"
        )
    if not place.is_dir():
        raise BadInputError(f"{path}: is a file; expected the folder of a run")


def _convert(path: str) -> str:
    return f"stage2 convert {path} OUT --to FORMAT writes a data set in another format"
