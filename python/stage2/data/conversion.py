"""A data set from one format to another, with a count of all that the other has no place for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stage2.config import InputConfig
from stage2.data.formats import module_of, read_tables
from stage2.data.tables import Tables, made_id, texts_of
from stage2.utils.errors import BadInputError
from stage2.variants import FORMATS, HELD, WRITTEN, Format

# The format of a target without a suffix, which is to be a folder.
_FOLDER = "beir"


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion: the data that it read, and a count of what it left out.

    Attributes:
        tables: what was read.
        left: how often what was left out occurs, by its name.
        notes: sentences for people.
    """

    tables: Tables
    left: Counter[str]
    notes: tuple[str, ...]


def target_format(path: Path, name: str | None) -> str:
    """Return the format that is written: the given one, or that of the suffix or folder.

    Raises:
        BadInputError: the suffix tells none, or no format that is written has the name.
    """
    if name is not None:
        if name not in WRITTEN:
            raise BadInputError(f"--to is {name!r}; expected {' or '.join(WRITTEN)}")
        return name
    if not path.suffix:
        return _FOLDER
    found = [each for each in WRITTEN if path.suffix.lower() in FORMATS[each].suffixes]
    if found:
        return found[0]
    raise BadInputError(
        f"{path}: the suffix {path.suffix!r} tells no format; expected --to {' or '.join(WRITTEN)}"
    )


def check_target(target: Path) -> None:
    """Refuse a target that exists already.

    Raises:
        BadInputError: it does.
    """
    if target.exists() or target.is_symlink():
        raise BadInputError(f"{target}: is there already; expected a name that nothing has yet")


def convert(settings: InputConfig, target: Path, to: str) -> Conversion:
    """Read --data, and write it in another format; see `write`.

    Args:
        settings: data, format, columns, title, on_error, max_decompressed.
        target: the file or folder that is made; nothing may be there yet.
        to: the name of the format.

    Raises:
        InputError: the data are wrong.
    """
    check_target(target)
    return write(read_tables(settings), target, to, settings.title == "join")


def write(tables: Tables, target: Path, to: str, join_titles: bool) -> Conversion:
    """Write what was read in another format.

    Args:
        tables: what was read.
        target: the file or folder that is made; nothing may be there yet.
        to: the name of the format.
        join_titles: whether a title stands before its text where the format has no titles.

    Raises:
        BadInputError: something is at the target already, or the format has no place for something
            without which the rest would be wrong.
    """
    check_target(target)
    kind = FORMATS[to]
    written, notes = tables, list(tables.notes)
    if not _holds(kind, "titles") and tables.titles is not None and join_titles:
        written = with_titles_joined(tables)
        count = _filled(tables.titles)
        notes.append(f"{count} titles are joined to their texts: {to} has no place for titles")
    lost = module_of(to).write(written, target)
    left = Counter(tables.unused) + counts(written, kind) + lost
    return Conversion(tables, left, tuple(notes))


def counts(tables: Tables, kind: Format) -> Counter[str]:
    """Count what a format has no place for, by the words of `variants.HELD`."""
    relevant, negatives = tables.relevant, tables.negatives
    num_chunks = len(tables.chunk_ids)
    scores = [
        int(np.count_nonzero(~np.isnan(lists.scores)))
        for lists in (relevant, negatives)
        if lists.scores is not None
    ]
    # In qrels a negative is a grade; one that nobody graded is in no place.
    graded = 0 if negatives.grades is None else int(np.count_nonzero(~np.isnan(negatives.grades)))
    used = np.zeros(num_chunks, bool)
    used[relevant.chunks] = True
    if _holds(kind, "negatives"):
        used[negatives.chunks] = True
    found = {
        "question_ids": 0 if "questions" in tables.made_ids else len(tables.question_ids),
        "chunk_ids": 0 if "chunks" in tables.made_ids else num_chunks,
        "titles": _filled(tables.titles),
        "answers": _filled(tables.answers),
        "prompts": _filled(tables.prompts),
        "grades": relevant.graded(1) + negatives.graded(0),
        "scores": sum(scores),
        "negatives": len(negatives.chunks) - (graded if _holds(kind, "grades") else 0),
        "unanswered": int(np.count_nonzero(np.diff(relevant.offsets) == 0)),
        "other_chunks": int(np.count_nonzero(~used)),
        "sides": sum(map(len, (tables.sides or {}).values())),
    }
    return Counter({
        HELD[name]: count for name, count in found.items() if count and not _holds(kind, name)
    })  # fmt: skip


def with_titles_joined(tables: Tables) -> Tables:
    """Return tables whose texts begin with their titles, as --title join reads them."""
    if tables.titles is None:
        return tables
    titles, texts = texts_of(tables.titles), texts_of(tables.texts)
    joined = [
        f"{title} {text}".strip(" ") if title.strip() else text
        for title, text in zip(titles, texts, strict=True)
    ]
    ids = list(tables.chunk_ids)
    if "chunks" in tables.made_ids:
        ids = [made_id("", text) for text in joined]
    return replace(tables, texts=joined, titles=None, chunk_ids=ids)


def _holds(kind: Format, name: str) -> bool:
    return kind.holds is not None and name in kind.holds


def _filled(column: object) -> int:
    return 0 if column is None else sum(map(bool, texts_of(column)))  # type: ignore[arg-type]
