"""Folders laid out as data sets are on the Hugging Face Hub: tables in files named after splits.

So are repositories that `hf download --repo-type dataset` fetched, and snapshots in the Hub's
cache. Which files there are is told without opening any but README.md, whose block of metadata may
name the files of each configuration:
https://huggingface.co/docs/hub/datasets-manual-configuration.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage2.utils import files

README = "README.md"

# These describe the tables, and are none.
_OTHERS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
# Judgements of BEIR and TREC, which have no texts.
_QRELS = "qrels"
_PACKED = (".gz", ".zst")
# Files are looked for so many folders deep, as in `default/train/0000.parquet`.
_DEPTH = 2
# One of the pieces that a table was cut into, such as train-00000-of-00002.parquet.
_PIECE = re.compile(r"-\d{5}-of-\d{5}")
# The block of metadata is read as YAML only if it has this.
_CONFIGS = re.compile(r"^configs\s*:", re.MULTILINE)


# A name of a data set on the Hub, as it stands alone, as fsspec has it, and as a browser does.
_NAME = re.compile(
    r"(?:hf://(?:datasets/)?|https?://(?:www\.)?(?:huggingface|hf)\.co/datasets/)?"
    r"([\w.-]+/([\w.-]+))(?:[/@?].*)?"
)


@dataclass(frozen=True)
class HubConfig:
    """A configuration that README.md names.

    Attributes:
        name: its name.
        is_default: whether README.md says that it is the one to read.
        patterns: the patterns of its files, by split; by `""` where the names of files tell the
            splits.
        splits: the names of the tables that are there, as `patterns`.
    """

    name: str
    is_default: bool
    patterns: dict[str, tuple[str, ...]]
    splits: dict[str, tuple[str, ...]]

    @property
    def names(self) -> list[str]:
        """The names of the tables that are there, sorted."""
        return sorted({name for found in self.splits.values() for name in found})


def fetching(name: str) -> str:
    """Return how a data set is fetched from the Hub, as a clause; "" if it cannot be a name there.

    Args:
        name: `owner/name`, also behind hf:// or as an address of the Hub.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return ""
    command = f"hf download {found[1]} --repo-type dataset --local-dir {found[2]}"
    return f"a data set of the Hub is fetched with: {command}; then give --data {found[2]}"


def hub_configs(path: Path, suffixes: Sequence[str]) -> list[HubConfig]:
    """Return the configurations that README.md names; none where it has no block that does.

    Args:
        path: the folder.
        suffixes: of tables.

    Raises:
        ValueError: the block is damaged. The message says how.
    """
    readme = path / README
    try:
        text = readme.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    if not text.startswith("---") or not _CONFIGS.search(text):
        return []
    from huggingface_hub import metadata_load

    try:
        metadata = metadata_load(readme) or {}
    except Exception as error:  # YAML's errors have no common class in its API
        reason = " ".join(str(error).split())
        raise ValueError(f"{readme}: the metadata are no YAML: {reason}") from None
    given = metadata.get("configs") or []
    try:
        return [_config(path, one, suffixes) for one in given]
    except (AttributeError, KeyError, TypeError):
        raise ValueError(
            f"{readme}: the metadata's configs are none; expected a list with config_name and "
            "data_files, as the Hub documents it"
        ) from None


def chosen_config(configs: list[HubConfig]) -> HubConfig | None:
    """Return the configuration that is read where none is named, or None if none stands out."""
    default = [one for one in configs if one.is_default]
    default = default or [one for one in configs if one.name == "default" or len(configs) == 1]
    return default[0] if default else None


def judged_configs(configs: list[HubConfig]) -> list[HubConfig]:
    """Return the configurations of the corpus, the questions and the judgements.

    The judgements are in the one named `qrels` or `default`, or in the only other one. The result
    is empty if there are no such configurations.
    """
    by_name = {one.name: one for one in configs}
    if not {"corpus", "queries"} <= by_name.keys():
        return []
    others = [one for one in configs if one.name not in ("corpus", "queries")]
    qrels = [by_name[name] for name in (_QRELS, "default") if name in by_name]
    qrels = qrels or (others if len(others) == 1 else [])
    return [by_name["corpus"], by_name["queries"], qrels[0]] if qrels else []


def hub_files(path: Path, suffixes: Sequence[str], words: Collection[str]) -> list[str]:
    """Return the names of the files that hold the tables of a folder, sorted.

    Those of the configuration that is read, with README.md; without one the files of the most
    frequent suffix that have the name of a split in their own or in that of their folder, or that
    are pieces of a table. The result is empty if the folder is not laid out so.

    Args:
        path: the folder.
        suffixes: of tables, the most usual one first; compressed ones count too.
        words: the names of splits.
    """
    if (path / files.RUN).is_file():
        return []  # What a run writes has such names too, and is no data set.
    try:
        configs = hub_configs(path, suffixes)
    except ValueError:
        # The reader says what is wrong.
        return [README, *all_files(path, suffixes)]
    if configs:
        chosen = chosen_config(configs)
        read = judged_configs(configs) or ([] if chosen is None else [chosen])
        if not read:
            return [README, *all_files(path, suffixes)]
        return [README, *sorted({name for one in read for name in one.names})]
    found = all_files(path, suffixes)
    told = [name for name in found if side_word(name, words) or _PIECE.search(name)]
    counts = Counter(_suffix(name, suffixes) for name in told)
    # The first suffix of equal counts is taken.
    most = max(suffixes, key=lambda suffix: counts[suffix])
    return [name for name in told if _suffix(name, suffixes) == most]


def all_files(path: Path, suffixes: Sequence[str]) -> list[str]:
    """Return the names of all files in a folder that may be tables, sorted."""
    names = []
    # A folder that cannot be read, or is gone, has no files.
    for place, folders, here in os.walk(path, followlinks=True):
        inside = Path(place).relative_to(path)
        folders[:] = [
            name
            for name in folders
            if len(inside.parts) < _DEPTH and not name.startswith((".", _QRELS))
        ]
        names += [
            (inside / name).as_posix()
            for name in here
            if _suffix(name, suffixes) is not None
            and name not in _OTHERS
            and not name.startswith((".", _QRELS))
        ]
    return sorted(names)


def side_word(name: str, words: Collection[str]) -> str | None:
    """Return the word in the name of a file, or else of its folders, that is one of `words`.

    A word is a run of letters.
    """
    for part in reversed(name.lower().split("/")):
        for word in re.findall(r"[^\W\d_]+", part):
            if word in words:
                return str(word)
    return None


def _suffix(name: str, suffixes: Sequence[str]) -> str | None:
    lower = name.lower()
    for packed in _PACKED:
        lower = lower.removesuffix(packed)
    return next((suffix for suffix in suffixes if lower.endswith(suffix)), None)


def _config(path: Path, given: dict[str, Any], suffixes: Sequence[str]) -> HubConfig:
    """Read a configuration, and look for its files."""
    rows = given.get("data_files")
    by_split: dict[str, Any]
    if rows is None:
        by_split = {"": "**/*"}
    elif isinstance(rows, dict):
        by_split = rows
    elif isinstance(rows, str) or all(isinstance(row, str) for row in rows):
        by_split = {"train": rows}
    else:
        by_split = {row["split"]: row["path"] for row in rows}
    inside = f"{given['data_dir']}/" if given.get("data_dir") else ""
    patterns = {
        split: tuple(f"{inside}{one}" for one in ([asked] if isinstance(asked, str) else asked))
        for split, asked in by_split.items()
    }
    splits = {
        split: tuple(sorted({name for one in asked for name in _found(path, one, suffixes)}))
        for split, asked in patterns.items()
    }
    is_default = given.get("default") is True
    return HubConfig(str(given.get("config_name", "default")), is_default, patterns, splits)


def _found(path: Path, pattern: str, suffixes: Sequence[str]) -> list[str]:
    """Return the names of the tables that fit a pattern, which must stay in the folder."""
    parts = pattern.split("/")
    if parts[0] in ("", "~") or ".." in parts or ":" in parts[0]:
        return []
    return [
        found.relative_to(path).as_posix()
        for found in path.glob(pattern)
        if _suffix(found.name, suffixes) is not None
        and found.name not in _OTHERS
        and found.is_file()
    ]
