"""The description of a setting, and the check of its values."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import Field, dataclass, field, fields
from typing import Any

from stage2.utils.errors import BadInputError


def setting(
    default: Any,
    text: str,
    *,
    kind: type = str,
    choices: Collection[str] = (),
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
    row: int | None = None,
) -> Any:
    """Return a field of a `Group` that describes a setting.

    Args:
        default: the value unless the user gives one.
        text: the help text.
        kind: the type of the values: str, int, float or bool.
        choices: the allowed values, which may become more; empty if all values of the type are
            allowed.
        low: the smallest allowed value.
        high: the largest allowed value.
        metavar: the name of the value in the help text. One with a comma in it, such as `K,K`, is
            that of a list, and all values of a flag that is given again are in the list.
        row: the row in the report's table of training settings, or None if it has no row there.
    """
    metadata = {
        "help": text,
        "kind": kind,
        "choices": choices,
        "low": low,
        "high": high,
        "metavar": metavar,
        "row": row,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Group:
    """Settings that belong together. A value of a wrong type or out of range is refused."""

    def __post_init__(self) -> None:
        for item in fields(self):
            if item.metadata:
                check(item, getattr(self, item.name))


def size_of(flag: str, text: str) -> int:
    """Convert a size such as 512MB or 4GB to bytes. K, M, G and T are powers of 1,024.

    Raises:
        BadInputError: the text is not a size. The message names the flag.
    """
    found = re.fullmatch(r"(\d+)\s*([KMGT]?)B?", text.strip().upper())
    if found is None:
        raise BadInputError(f"{flag} is {text!r}; expected a size such as 512MB or 4GB")
    return int(found[1]) << 10 * " KMGT".index(found[2] or " ")


def numbers_of(flag: str, text: str) -> tuple[int, ...]:
    """Parse different whole numbers from 1, with commas between them, such as 10,100.

    Raises:
        BadInputError: the text is not a list of such numbers. The message names the flag.
    """
    # Numbers of more than nine digits are refused too: no count is so large.
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if re.fullmatch(r"0*[1-9][0-9]{0,8}", part)]
    if len(set(numbers)) < len(parts):
        raise BadInputError(
            f"{flag} is {text!r}; expected different whole numbers from 1 with commas between "
            "them, such as 10,100"
        )
    return tuple(numbers)


def names_of(flag: str, text: str, known: Collection[str]) -> tuple[str, ...]:
    """Parse different names with commas between them, each of which is known.

    Raises:
        BadInputError: a name is unknown or there twice. The message names the flag.
    """
    names = tuple(part.strip() for part in text.split(","))
    if len(set(names)) < len(names) or not set(names) <= set(known):
        raise BadInputError(
            f"{flag} is {text!r}; expected {' or '.join(known)}, or several with commas between "
            "them"
        )
    return names


def check(item: Field[Any], value: Any) -> None:
    """Check a value against the type, the choices and the range of its setting.

    Raises:
        BadInputError: the value is not allowed. The message names the flag.
    """
    if value is None and item.default is None:
        return
    meta = item.metadata
    kind, low, high = meta["kind"], meta["low"], meta["high"]
    flag = f"--{item.name.replace('_', '-')}"
    if kind is int and high is None:
        # No machine holds more, and the core can count so far.
        high = 2**31 - 1
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise BadInputError(f"{flag} is {value!r}; expected {_KINDS[kind]}")
    if meta["choices"] and value not in meta["choices"]:
        raise BadInputError(f"{flag} is {value!r}; expected {' or '.join(meta['choices'])}")
    if kind in (int, float) and not (
        math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)
    ):
        bounds = [f"{low:g} or more"] if low is not None else []
        # The bound of all whole numbers is mentioned only if the value is beyond it.
        if high is not None and (meta["high"] is not None or value > high):
            bounds.append(f"at most {high}")
        wanted = _KINDS[kind] if math.isfinite(value) else "a finite number"
        raise BadInputError(f"{flag} is {value}; expected {wanted}, {', '.join(bounds)}")


_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
