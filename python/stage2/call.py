"""A call of a command, with all that decides which of its settings count."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stage2.config import InputConfig, OutputConfig, Settings
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.variants import BUILTIN_GUARD, FORMATS, Format, builtin_guard, format_of

# A path with one of these suffixes counts as a file of weights even if no file is there.
_WEIGHTS = (".pt", ".pth")

# These commands make a stage-1 model if none is given.
MAKERS = ("init", "mine", "train", "run", "sweep")

_WRITTEN = (files.CONSTRUCTED, files.HARD)

# The hash of a file of a data set is recorded under this prefix and the name of the file.
_OF_DATA = "data/"


@dataclass(frozen=True)
class Call:
    """A call of a command, with all that decides which of its settings count.

    Attributes:
        settings: the settings of the call.
        command: the name of the command; None if it is not known, as in a call from Python.
        models: the models of a command that takes several.
        data_files: the names of the files in the data set of --data, if they are known; None means
            that they are looked for.
    """

    settings: Settings
    command: str | None = None
    models: tuple[str, ...] = ()
    data_files: tuple[str, ...] | None = None

    @property
    def all_models(self) -> tuple[str, ...]:
        """All models that the call names."""
        one = (self.settings.model,) if self.settings.model is not None else ()
        return (*one, *self.models)

    @property
    def embeds(self) -> bool:
        """True if a model or a server embeds texts during the call."""
        settings = self.settings
        served = settings.endpoint is not None or settings.before_endpoint is not None
        return served or self.has_model

    @property
    def has_model(self) -> bool:
        """True if a model is read or made. This is so unless only another system is named."""
        settings = self.settings
        others = (settings.question_vectors, settings.corpus_vectors, settings.run)
        if self.all_models or settings.before_model is not None:
            return True
        return settings.endpoint is None and all(path is None for path in others)

    @property
    def has_vectors(self) -> bool:
        """True if a system is measured by vectors that no model of ours made."""
        settings = self.settings
        paths = (settings.question_vectors, settings.endpoint)
        before = (settings.before_question_vectors, settings.before_endpoint)
        return any(path is not None for path in (*paths, *before))

    @property
    def data_format(self) -> Format | None:
        """The format of --data; None if there is no --data or its format is not recognised."""
        return format_named(self.settings)

    @property
    def has_corpus(self) -> bool:
        """Whether the data has a corpus.

        Data in a format that is not recognised counts as if it had one. It is refused when it is
        read.
        """
        kind = self.data_format
        return kind is None or kind.has_corpus

    @property
    def given_sides(self) -> set[str]:
        """The sides of the split that are given by --split-file or by the files of the data."""
        if self.settings.split == "none":
            return set()
        if self.settings.split_file is not None:
            return {"train", "dev", "test"}
        if self.data_files is not None:
            names = self.data_files
            fits = [kind for kind in FORMATS.values() if kind.fits(names)]
            given = self.settings.format
            kinds = fits[:1] if given is None else [FORMATS[given]]
            return {side for kind in kinds for side in kind.sides(names).values()}
        kind, path = self.data_format, self.settings.data
        if kind is None or path is None:
            return set()
        return set(kind.sides(kind.files(Path(path))).values())

    @property
    def makes_stage1(self) -> bool:
        """Whether the call works on a stage-1 model that it makes, or that was made before."""
        if self.command == "init":
            return True
        asked = self.settings.init or self.settings.backbone is not None
        maker = self.command is None or self.command in MAKERS
        return asked and maker and self.settings.model is None

    @property
    def reads_weights(self) -> bool:
        """Whether a model is a file of weights, which does not name its encoder."""
        paths = map(Path, self.all_models)
        return any(path.is_file() or path.suffix in _WEIGHTS for path in paths)


def data_files(settings: InputConfig) -> dict[str, Path]:
    """Return the files of --data by the names under which their hashes are recorded."""
    if settings.data is None:
        return {}
    kind, path = format_named(settings), Path(settings.data)
    found = {} if kind is None else kind.files(path)
    return {f"{_OF_DATA}{name}": file for name, file in found.items()} or {"data": path}


def were_mined(samples: str | Path | None) -> bool:
    """Return whether a file of samples is what `stage2 mine` wrote of a corpus that it mined.

    A model that chooses the candidates by its own scores also decides its own rank among them: with
    a margin it is always the first. So these questions are ranked among all texts of the file.
    """
    if samples is None or Path(samples).name not in _WRITTEN:
        return False
    summary = Path(samples).parent / files.MINING_SUMMARY
    try:
        found = json.loads(summary.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("source") == "corpus"


def guards_named(settings: OutputConfig) -> list[str]:
    """Return the names of the guards, each a path or `builtin`.

    A path that has commas in it is taken as a whole if something is there.
    """
    parts = [] if settings.guard is None else settings.guard.split(",")
    found = list[str]()
    while parts:
        sizes = range(len(parts), 1, -1)
        size = next((n for n in sizes if os.path.exists(",".join(parts[:n]))), 1)
        found.append(",".join(parts[:size]) if size > 1 else parts[0].strip())
        parts = parts[size:]
    return found


def of_guard(number: int, name: str) -> InputConfig:
    """Return the settings that read a guard, whose format is told by what is there.

    Args:
        number: its place among the guards, from 1, for messages.
        name: a path, or `builtin`.

    Raises:
        BadInputError: the name is empty.
    """
    if not name:
        raise BadInputError(
            f"--guard: the {number}. of its names is empty; expected paths with a comma between "
            f"two, or {BUILTIN_GUARD}"
        )
    if name == BUILTIN_GUARD:
        paths = builtin_guard()
        return InputConfig(qa=str(paths["qa"]), chunks=str(paths["chunks"]))
    return InputConfig(data=name)


def guard_files(settings: Settings) -> dict[str, Path]:
    """Return the files of the guards by the names under which their hashes are recorded."""
    found = dict[str, Path]()
    for number, name in enumerate(guards_named(settings), 1):
        paths = builtin_guard() if name == BUILTIN_GUARD else data_files(of_guard(number, name))
        found |= {f"guard_{number}/{kind}": path for kind, path in paths.items()}
    return found


def reads_data(known: Iterable[str]) -> bool:
    """Return whether questions are among the inputs that a stage was made from."""
    return any(name in ("qa", "data") or name.startswith(_OF_DATA) for name in known)


def names_of_data(known: Iterable[str]) -> tuple[str, ...]:
    """Return the names of a data set's files, from the names under which hashes are recorded."""
    return tuple(name.removeprefix(_OF_DATA) for name in known if name.startswith(_OF_DATA))


def format_named(settings: InputConfig) -> Format | None:
    """Return the format of --data, or None if there is no --data or it is not recognised."""
    if settings.data is None:
        return None
    name = format_of(Path(settings.data), settings.format)
    return None if name is None else FORMATS[name]
