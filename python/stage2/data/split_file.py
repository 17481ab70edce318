"""A split that is given as a file: which question stands on which side, and what it saw."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stage2.data.contents import SIDES, Sides
from stage2.utils.errors import BadInputError
from stage2.utils.files import check_regular

# The `split.json` of a run has more keys: the questions that were trained on, and, where groups
# were cut, the chunks that held-out questions share with them.
_IGNORED = ("trained_on",)
SEEN_CHUNKS = "seen_chunks"
_SEEN_BY = ("dev", "test")


@dataclass(frozen=True)
class GivenSplit:
    """A split that is given.

    Attributes:
        sides: the ids of the questions of each side.
        seen_chunks: for `dev` and `test`, the ids of the chunks that do not count as their ground
            truths; see `data.unseen`.
    """

    sides: Sides
    seen_chunks: Sides = field(default_factory=dict)


def read_split_file(path: str | Path) -> GivenSplit:
    """Read a JSON object with `train`, `dev` and `test`, each a list of question ids.

    That is the form of the `split.json` that a run writes, whose `trained_on` is ignored. It may
    have `seen_chunks`, an object with `dev` and `test`, each a list of chunk ids. Ids are compared
    as texts: 7 and "7" are one id.

    Raises:
        BadInputError: it is no such object, or names a question twice.
    """
    try:
        text = check_regular(path).read_text(encoding="utf-8-sig")
        value = json.loads(text, object_pairs_hook=_members)
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path}: not UTF-8 at byte {error.start}; expected JSON") from error
    except json.JSONDecodeError as error:
        raise BadInputError(
            f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}; expected {_FORM}"
        ) from error
    except (RecursionError, ValueError) as error:
        # Nested too deep, or a number of more digits than Python reads.
        raise BadInputError(f"{path}: not read as JSON: {error}; expected {_FORM}") from error
    if not isinstance(value, _Members):
        raise BadInputError(f"{path}: is {_short(value)}; expected {_FORM}")
    lists = _dict(path, value, (*SIDES, *_IGNORED, SEEN_CHUNKS), _FORM)
    for side in SIDES:
        if side not in lists:
            raise BadInputError(f"{path}: has no {side!r}; expected {_FORM}")
    sides = _checked(path, {side: _ids(path, side, lists[side], "question") for side in SIDES})
    seen = lists.get(SEEN_CHUNKS, _Members())
    if not isinstance(seen, _Members):
        raise BadInputError(f"{path}: {SEEN_CHUNKS!r} is {_short(seen)}; expected {_SEEN_FORM}")
    chunks = _dict(path, seen, _SEEN_BY, _SEEN_FORM)
    return GivenSplit(
        sides,
        {side: _ids(path, f"{SEEN_CHUNKS}.{side}", ids, "chunk") for side, ids in chunks.items()},
    )


_SEEN_FORM = "an object with dev and test, each a list of chunk ids"
_FORM = "an object with train, dev and test, each a list of question ids"


class _Members(list[tuple[str, Any]]):
    """The members of an object, those included whose name comes again."""


def _members(pairs: list[tuple[str, Any]]) -> _Members:
    return _Members(pairs)


def _dict(path: str | Path, members: _Members, known: tuple[str, ...], form: str) -> dict[str, Any]:
    """Return the members by name, each of which is known and there once."""
    names = [name for name, _ in members]
    for name in names:
        if name not in known:
            raise BadInputError(f"{path}: {name!r} is no side; expected {form}")
        if names.count(name) > 1:
            raise BadInputError(f"{path}: {name!r} is there twice; expected {form}")
    return dict(members)


def _ids(path: str | Path, side: str, value: Any, of: str) -> list[str]:
    if not isinstance(value, list) or isinstance(value, _Members):
        raise BadInputError(f"{path}: {side!r} is {_short(value)}; expected a list of {of} ids")
    for place, item in enumerate(value):
        if isinstance(item, bool) or not isinstance(item, (str, int)) or item == "":
            raise BadInputError(
                f"{path}: {side}[{place}] is {_short(item)}; expected the id of a {of}"
            )
    return [str(item) for item in value]


def _checked(path: str | Path, sides: dict[str, list[str]]) -> Sides:
    """The sides, each question on one of them and named once."""
    seen: dict[str, str] = {}
    for side, ids in sides.items():
        for qa_id in ids:
            other = seen.get(qa_id)
            if other == side:
                raise BadInputError(f"{path}: {side} names the question {qa_id!r} twice")
            if other is not None:
                raise BadInputError(
                    f"{path}: the question {qa_id!r} is on two sides, {other} and {side}; expected "
                    "each on one"
                )
            seen[qa_id] = side
    return sides


def _short(value: Any) -> str:
    if isinstance(value, _Members):
        return "an object"
    return f"{json.dumps(value, ensure_ascii=False, default=str):.60}"
