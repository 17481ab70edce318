"""A call of a command: what must be known of it to tell which settings count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stage2.config import InputConfig, Settings
from stage2.variants import FORMATS, Format, format_of

# A model that is not there yet, or not here, is a file of weights by its name.
_WEIGHTS = (".pt", ".pth")

# Commands that make a stage-1 model where none is given.
MAKERS = ("init", "mine", "train", "run", "sweep")

# A file of a data set is known by its name behind this.
_OF_DATA = "data/"


@dataclass(frozen=True)
class Call:
    """A call: all that must be known to tell which settings count.

    Attributes:
        settings: of the call.
        command: its name; None where it is not known, as from Python.
        models: those of a command that takes several.
        data_files: names of the files that the data set of --data has, where they are known; None:
            they are looked for.
    """

    settings: Settings
    command: str | None = None
    models: tuple[str, ...] = ()
    data_files: tuple[str, ...] | None = None

    @property
    def all_models(self) -> tuple[str, ...]:
        """Every model that the call names."""
        one = (self.settings.model,) if self.settings.model is not None else ()
        return (*one, *self.models)

    @property
    def data_format(self) -> Format | None:
        """The format of --data; None where there is none, or none is recognised."""
        return format_named(self.settings)

    @property
    def has_corpus(self) -> bool:
        """Tell whether the data has a corpus.

        What is not recognised counts as if it had: it is refused where it is read.
        """
        kind = self.data_format
        return kind is None or kind.has_corpus

    @property
    def given_sides(self) -> set[str]:
        """The sides of the split that are given: by a file, or by the files of the data."""
        if self.settings.split == "none":
            return set()
        if self.settings.split_file is not None:
            return {"train", "dev", "test"}
        if self.data_files is not None:
            kinds = FORMATS.values()
            return {side for kind in kinds for side in kind.sides(self.data_files).values()}
        kind, path = self.data_format, self.settings.data
        if kind is None or path is None:
            return set()
        return set(kind.sides(kind.files(Path(path))).values())

    @property
    def makes_stage1(self) -> bool:
        """Tell whether the call works on a stage-1 model that is made, or that was made before."""
        if self.command == "init":
            return True
        asked = self.settings.init or self.settings.backbone is not None
        maker = self.command is None or self.command in MAKERS
        return asked and maker and self.settings.model is None

    @property
    def reads_weights(self) -> bool:
        """Tell whether a model is a file of weights, which says nothing of its encoder."""
        paths = map(Path, self.all_models)
        return any(path.is_file() or path.suffix in _WEIGHTS for path in paths)


def data_files(settings: InputConfig) -> dict[str, Path]:
    """The files of --data, each by the name that its hash is recorded under."""
    if settings.data is None:
        return {}
    kind, path = format_named(settings), Path(settings.data)
    found = {} if kind is None else kind.files(path)
    return {f"{_OF_DATA}{name}": file for name, file in found.items()} or {"data": path}


def reads_data(known: Iterable[str]) -> bool:
    """Tell whether questions are among what a stage was made from."""
    return any(name in ("qa", "data") or name.startswith(_OF_DATA) for name in known)


def names_of_data(known: Iterable[str]) -> tuple[str, ...]:
    """The files of a data set, of the names that hashes are recorded under."""
    return tuple(name.removeprefix(_OF_DATA) for name in known if name.startswith(_OF_DATA))


def format_named(settings: InputConfig) -> Format | None:
    """The format of --data; None where there is none, or none is recognised."""
    if settings.data is None:
        return None
    name = format_of(Path(settings.data), settings.format)
    return None if name is None else FORMATS[name]
