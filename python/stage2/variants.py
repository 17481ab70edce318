"""The variants that a setting names: what each of them needs.

Adding one is a row here and a function of its room. No other file names a variant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Literal


@dataclass(frozen=True)
class Loss:
    """The needs of a loss. Its function stands in `training.losses`.

    Attributes:
        text: what it compares, for help.
        settings: its parameters, which are settings.
        negatives: what a question's ground truths are to win against: the candidates of its own
            `list`, the ground truths of the other questions of its `batch`, or `both`.
        teacher: whether it learns from the scores of the model before training.
    """

    text: str
    settings: tuple[str, ...]
    negatives: Literal["list", "batch", "both"] = "list"
    teacher: bool = False


LOSSES: Mapping[str, Loss] = {
    "margin": Loss("the pairs of a list that --pairs names", ("margin", "pairs")),
    "in-batch": Loss(
        "with the other questions' ground truths as negatives and no others",
        ("temperature",),
        "batch",
    ),
    "infonce": Loss("with all of the batch's candidates", ("temperature",), "both"),
    "triplet": Loss("the hardest of each list", ("margin",)),
    "margin-mse": Loss("the margins of stage 1, the teacher", ("margin",), teacher=True),
    "distill-kl": Loss(
        "the softmax of stage 1's scores of each list, the teacher",
        ("margin", "temperature"),
        teacher=True,
    ),
    "listnet": Loss("the softmax of each list's relevance", ("temperature",)),
}


def losses_with(setting: str) -> str:
    """List the losses that have a setting for a parameter, for help and messages."""
    *others, last = (name for name, loss in LOSSES.items() if setting in loss.settings)
    return f"{', '.join(others)} or {last}" if others else last


@dataclass(frozen=True)
class Tracker:
    """A tool in which a training can be watched. Its module stands in `training.trackers`.

    Attributes:
        package: what must be installed for it.
        extra: of stage2, which brings the package.
    """

    package: str
    extra: str


TRACKERS: Mapping[str, Tracker] = {"tensorboard": Tracker("tensorboard", "tensorboard")}


# The tools in whose format a model can be written. Their modules stand in `models.export`.
EXPORTS: Mapping[str, str] = {
    "sentence-transformers": "a folder that SentenceTransformer reads without stage2",
}

# A file that is named so holds the judgements of this side of a split.
SIDE_OF_FILE: Mapping[str, str] = {
    "train": "train",
    "dev": "dev",
    "validation": "dev",
    "valid": "dev",
    "test": "test",
}

# The core unpacks these.
_PACKED = ("", ".gz", ".zst")


@dataclass(frozen=True)
class Format:
    """The form of a data set that one path names. Its module stands in `data.formats`.

    Attributes:
        text: what such a data set is, for help and messages.
        has_corpus: whether it has every chunk, or only the candidates of each question.
        parts: what its folder holds, as patterns of `fnmatch` of which each finds a file; none of
            a format that is one file.
        judgements: the part of which a folder may have several files, one for each side.
    """

    text: str
    has_corpus: bool
    parts: tuple[str, ...] = ()
    judgements: str | None = None

    def files(self, path: Path) -> dict[str, Path]:
        """Find the files of a data set in a folder, by their names below it; packed ones too."""
        names = {
            found.relative_to(path).as_posix()
            for part in self.parts
            for packed in _PACKED
            for found in path.glob(f"{part}{packed}")
            if not found.is_dir()
        }
        return {name: path / name for name in sorted(names)}

    def recognises(self, path: Path) -> bool:
        """Tell whether a path looks like a data set of this format."""
        if not self.parts:
            return not path.is_dir()
        return path.is_dir() and all(
            any(is_of(name, part) for name in self.files(path)) for part in self.parts
        )

    def sides(self, names: Iterable[str]) -> dict[str, str]:
        """Give the side that each file of judgements is for.

        Args:
            names: of the data set's files.

        Returns:
            Sides by the names of files; none where one file judges everything, whatever its name.
        """
        judging = [name for name in names if self.judgements and is_of(name, self.judgements)]
        if len(judging) < 2:
            return {}
        stems = {name: PurePosixPath(name).name.split(".", 1)[0].lower() for name in judging}
        return {name: SIDE_OF_FILE[stem] for name, stem in stems.items() if stem in SIDE_OF_FILE}


def is_of(name: str, part: str) -> bool:
    """Tell whether a file is of a part of a data set, packed or not."""
    return any(fnmatchcase(name, f"{part}{packed}") for packed in _PACKED)


FORMATS: Mapping[str, Format] = {
    "samples": Format(
        "constructed samples, a JSONL file such as hard_negatives.jsonl", has_corpus=False
    ),
    "beir": Format(
        "a BEIR folder with corpus.jsonl, queries.jsonl and qrels/*.tsv",
        has_corpus=True,
        parts=("corpus.jsonl", "queries.jsonl", "qrels/*.tsv"),
        judgements="qrels/*.tsv",
    ),
}


def format_of(path: Path, name: str | None) -> str | None:
    """Give the name of a data set's format: the one that is named, or the first that fits."""
    if name is not None:
        return name
    return next((each for each, kind in FORMATS.items() if kind.recognises(path)), None)
