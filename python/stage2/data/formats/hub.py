"""A folder as data sets are on the Hugging Face Hub: tables in files named after splits.

The files are read by the formats that each of them is in. Where several splits are named after
sides (train, validation or dev, test), they are the sides. A data set of retrieval has a
configuration for the corpus, one for the questions, and one for the judgements.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from stage2.config import InputConfig
from stage2.data.formats import read_tables
from stage2.data.joined_tables import joined
from stage2.data.judged_tables import read_judged_tables
from stage2.data.tables import Tables
from stage2.utils.errors import BadInputError
from stage2.utils.hub_folder import (
    README,
    HubConfig,
    all_files,
    chosen_config,
    hub_configs,
    judged_configs,
)
from stage2.variants import FORMATS, SIDE_OF_FILE

_FORMAT = FORMATS["hub"]

# So many files are named in a sentence.
_NAMED = 3


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the files of all splits.

    Raises:
        BadInputError: README.md is damaged or names several configurations of which none is the
            default; a split is named after no side, beside others that are; or no column of a file
            is a question or a positive.
        InputError: what a file holds is wrong, or a question is in two splits.
    """
    try:
        configs = hub_configs(path, _FORMAT.tables)
    except ValueError as error:
        raise BadInputError(str(error)) from None
    if judged := judged_configs(configs):
        return _judged(path, judged, settings)
    config = _chosen(path, configs) if configs else None
    names = [name for name in _FORMAT.files(path) if name != README]
    if not names:
        raise BadInputError(f"{path}: has no files that are named after splits; {_expected()}")
    sides = _sides(path, names)
    if config is not None:
        _check_splits(path, config, sides)
    parts = (
        (path / name, sides.get(name), read_tables(_one_file(settings, path / name)))
        for name in names
    )
    made = joined(parts, settings, names if sides else ())
    return replace(made, notes=(*made.notes, *_unread(path, names)))


def _judged(path: Path, configs: list[HubConfig], settings: InputConfig) -> Tables:
    """Read the configurations of the corpus, the questions and the judgements."""
    for config in configs:
        _check_there(path, config)
    corpus, queries, qrels = configs
    sides = _sides(path, qrels.names) if len(qrels.splits) > 1 else {}
    _check_splits(path, qrels, sides)
    made = read_judged_tables(
        [path / name for name in corpus.names], [path / name for name in queries.names],
        {name: path / name for name in qrels.names}, sides, settings,
    )  # fmt: skip
    read = [name for config in configs for name in config.names]
    return replace(made, notes=(*made.notes, *_unread(path, read)))


def _check_there(path: Path, config: HubConfig) -> None:
    """Refuse a configuration whose files are not here."""
    if empty := [split for split, found in config.splits.items() if not found]:
        patterns = _listed(pattern for split in empty for pattern in config.patterns[split])
        raise BadInputError(
            f"{path}: {README} names the files {patterns}, and none of them is here; fetch all of "
            "the repository"
        )


def _chosen(path: Path, configs: list[HubConfig]) -> HubConfig:
    """Return the configuration that is read, whose files are here."""
    config = chosen_config(configs)
    names = [one.name for one in configs]
    if {"corpus", "queries"} <= {*names}:
        raise BadInputError(
            f"{path}: {README} has a corpus and questions as configurations of their own, beside "
            f"{_listed(name for name in names if name not in ('corpus', 'queries')) or 'none'}; "
            "expected one named qrels or default with the judgements"
        )
    if config is None:
        raise BadInputError(
            f"{path}: {README} has {len(names)} configurations, {_listed(names)}, and says of none "
            f"that it is the default; expected one: give the file or the folder of one as --data, "
            f"such as {_place(path, configs[0])}"
        )
    _check_there(path, config)
    return config


def _place(path: Path, config: HubConfig) -> str:
    found = [name for names in config.splits.values() for name in names]
    return str((path / found[0]).parent if found and "/" in found[0] else path / "FILE")


def _sides(path: Path, names: list[str]) -> dict[str, str]:
    """Return the side of each file; none where all are of one split."""
    sides = _FORMAT.sides(names)
    other = [name for name in names if name not in sides]
    if sides and other:
        raise BadInputError(
            f"{path / other[0]}: is named after no side of a split, and other files are; expected "
            f"{', '.join(SIDE_OF_FILE)} in its name; or give one file as --data"
        )
    return sides


def _check_splits(path: Path, config: HubConfig, sides: dict[str, str]) -> None:
    """Refuse files whose names tell other sides than README.md does."""
    told = {name: split for split, names in config.splits.items() for name in names}
    several = len(config.splits) > 1
    for name, split in told.items():
        side = SIDE_OF_FILE.get(split) if several else None
        if split and (several or sides) and sides.get(name) != side:
            raise BadInputError(
                f"{path / name}: is of the split {split!r} by {README}, which its name does not "
                f"say; sides are told by names: expected one of {', '.join(SIDE_OF_FILE)} in it "
                "that agrees"
            )


def _one_file(settings: InputConfig, path: Path) -> InputConfig:
    return replace(settings, data=str(path), format=None)


def _unread(path: Path, read: list[str]) -> list[str]:
    """Say which tables of the folder are not read."""
    others = [name for name in all_files(path, _FORMAT.tables) if name not in read]
    if not others:
        return []
    return [f"{path}: {len(others)} more files are not read: {_listed(others)}"]


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _expected() -> str:
    return f"expected {_FORMAT.text}"
