"""The checks of the values of settings."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pytest

from stage2.utils.errors import BadInputError
from stage2.utils.setting import Group, check, setting, size_of


@dataclass(frozen=True)
class Some(Group):
    count: int = setting(3, "How many.", kind=int, low=1)
    share: float = setting(0.5, "How much.", kind=float, low=0, high=1)
    way: str = setting("up", "Where to.", choices=("up", "down"))
    is_on: bool = setting(False, "Whether.", kind=bool)
    limit: int | None = setting(None, "The most.", kind=int, low=1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"count": 0}, "--count is 0; expected a whole number, 1 or more"),
        ({"count": True}, "--count is True; expected a whole number"),
        ({"count": 2.0}, "--count is 2.0; expected a whole number"),
        ({"count": None}, "--count is None; expected a whole number"),
        ({"count": 2**31}, "--count is 2147483648; expected a whole number, 1 or more, at most"),
        ({"share": 1.5}, "--share is 1.5; expected a number, 0 or more, at most 1"),
        ({"share": float("nan")}, "--share is nan; expected a finite number"),
        ({"share": "1"}, "--share is '1'; expected a number"),
        ({"way": "left"}, "--way is 'left'; expected up or down"),
        ({"is_on": 1}, "--is-on is 1; expected true or false"),
        ({"limit": 0}, "--limit is 0; expected a whole number, 1 or more"),
    ],
)
def test_what_is_of_another_type_or_out_of_range_gets_in_nowhere(
    values: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInputError) as refused:
        Some(**values)
    assert str(refused.value).startswith(said)


def test_bounds_are_allowed_and_whole_numbers_are_numbers() -> None:
    for values in ({"count": 1}, {"share": 1}, {"share": 0.0}, {"limit": None}, {"is_on": True}):
        for item in fields(Some):
            if item.name in values:
                check(item, values[item.name])
    assert Some(share=1, limit=2).limit == 2


@pytest.mark.parametrize(
    ("text", "size"),
    [("512", 512), ("1KB", 1024), ("3 mb", 3 << 20), ("4G", 4 << 30), ("2TB", 2 << 40)],
)
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert size_of("--max-size", text) == size


@pytest.mark.parametrize("text", ["", "lots", "-1", "1.5GB", "1XB", "GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match=r"--max-size is .*; expected a size such as 512MB"):
        size_of("--max-size", text)
