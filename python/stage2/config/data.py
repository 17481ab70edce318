"""The settings of a command's folder, of its data, of its entities and of the split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from stage2.utils.errors import BadInputError
from stage2.utils.hub_folder import fetching
from stage2.utils.setting import Group, setting, size_of
from stage2.variants import COLUMNS, FORMATS

OnError = Literal["strict", "skip"]

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True)
class RunConfig(Group):
    """The folder, the seed and the device of a command."""

    output_dir: str = setting("stage2-run", "Folder that results go to.", metavar="DIR")
    seed: int = setting(
        0, "Seed of everything random.", kind=int, low=0, high=2**63 - 1, metavar="N", row=14
    )
    device: str = setting(
        "auto", "Where the model runs: auto, cpu, cuda, cuda:N or mps.", metavar="NAME"
    )


@dataclass(frozen=True)
class DataConfig(Group):
    """The files that a data set is read from."""

    qa: str | None = setting(None, "Questions and their chunk ids: JSON or JSONL.", metavar="FILE")
    chunks: str | None = setting(None, "The corpus: JSONL or a JSON array.", metavar="FILE")
    entities: str | None = setting(None, "Entity annotations: JSONL.", metavar="FILE")
    on_error: OnError = setting(
        "strict",
        "At a bad row: strict stops, skip goes on and writes rejected.jsonl.",
        choices=("strict", "skip"),
    )
    max_decompressed: str | None = setting(
        None,
        "The most that a .gz or .zst file may hold when it is decompressed, such as 512MB or 4GB. "
        "Default: half of the machine's memory.",
        metavar="SIZE",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decompressed == 0:
            raise BadInputError("--max-decompressed is 0; expected a size such as 4GB")

    @property
    def decompressed(self) -> int | None:
        """`max_decompressed` in bytes."""
        if self.max_decompressed is None:
            return None
        return size_of("--max-decompressed", self.max_decompressed)


@dataclass(frozen=True)
class SamplesConfig(Group):
    """A data set that one path names."""

    data: str | None = setting(
        None,
        f"A data set: {'; or '.join(kind.text for kind in FORMATS.values())}.",
        metavar="PATH",
    )
    format: str | None = setting(
        None,
        "Format of --data. Default: told by what is there.",
        choices=tuple(FORMATS),
    )
    columns: str | None = setting(
        None,
        "Which column of --data is what, where its name does not say: "
        f"ROLE=NAME with commas between them. Roles: {', '.join(COLUMNS)}.",
        metavar="ROLE=NAME,...",
    )
    title: str = setting(
        "join",
        "A chunk's title: join reads it before the text, with a space between the two; ignore "
        "leaves it out, as --entities does for --chunks: its annotations are of the texts alone.",
        choices=("join", "ignore"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data is None or not _ADDRESS.match(self.data):
            return
        remedy = fetching(self.data) or "fetch it first"
        raise BadInputError(
            f"--data {self.data}: is an address, and nothing is fetched; expected the path of a "
            f"file or a folder here; {remedy}"
        )


@dataclass(frozen=True)
class InputConfig(DataConfig, SamplesConfig):
    """The settings that reading a data set needs."""


@dataclass(frozen=True)
class AnnotationConfig(Group):
    """Who finds the entities, and what does not count when a name is compared with a text."""

    gazetteer: str | None = setting(
        None,
        "Names to look for: .txt with a name on each line; .tsv or .jsonl with name, and label and "
        "aliases where there are some; or a file of annotations, whose spans are the names.",
        metavar="FILE",
    )
    spacy: str | None = setting(
        None,
        "A spaCy pipeline that finds the entities: an installed package or a folder. Nothing is "
        "downloaded, and no code of the pipeline's own is run.",
        metavar="MODEL",
    )
    ignore_case: bool = setting(False, "Find names in any case.", kind=bool)
    unicode_form: str = setting(
        "nfc",
        "Form of Unicode in which names and texts are compared: nfc, an accent may stand in its "
        "letter or after it; nfkc, wide and other forms of a character are equal too; none, as "
        "written.",
        choices=("nfc", "nfkc", "none"),
    )
    min_length: int = setting(
        1, "Leave out names of fewer characters.", kind=int, low=1, metavar="N"
    )


@dataclass(frozen=True)
class CheckConfig(Group):
    """The settings of the look at the data before anything is trained."""

    gain: float = setting(
        0.02,
        "The gain in MRR that training should bring at least, and that held-out questions should "
        "be able to show.",
        kind=float, low=0.001, high=1, metavar="X",
    )  # fmt: skip


@dataclass(frozen=True)
class SplitConfig(RunConfig):
    """The settings that hold questions out, and say which of them choose among the epochs."""

    dev_data: str | None = setting(
        None,
        "Constructed samples that choose among the epochs. Default: a part of --data.",
        metavar="FILE",
    )
    split: str = setting(
        "chunk",
        "chunk: hold out dev and test questions that share no chunk, nor a near-duplicate of one, "
        "with the training questions; "
        "none: train and measure on all, as the reference does.",
        choices=("chunk", "none"),
        row=11,
    )
    split_file: str | None = setting(
        None,
        "The sides of the split: a JSON object with train, dev and test, each a list of question "
        "ids, such as a run's split.json. Questions on no side are left out, and chunks of its "
        "seen_chunks do not count as ground truths.",
        metavar="FILE",
    )
    dev_share: float = setting(
        0.2, "Share of questions that choose among the epochs.", kind=float, low=0.01, high=0.9,
        metavar="X", row=12,
    )  # fmt: skip
    test_share: float = setting(
        0.3, "Share of questions that only measure.", kind=float, low=0, high=0.9, metavar="X",
        row=13,
    )  # fmt: skip
    folds: int | None = setting(
        None,
        "Cross-validate: train once for each of so many folds, so that every question is scored by "
        "a model that did not see it; 0: do not. Default: 5 for fewer than 200 questions.",
        kind=int, low=0, metavar="K",
    )  # fmt: skip
