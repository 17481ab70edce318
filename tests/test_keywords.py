"""The typed keywords are the settings, with their types."""

from __future__ import annotations

import re
from dataclasses import Field
from inspect import get_annotations
from typing import Any, get_args

from stage2.config import SETTINGS
from stage2.keywords import Keywords, LossName
from stage2.training.own_loss import loss_hashes
from stage2.variants import LOSSES

# A setting of text with one of these words in its value's name is a path.
_PATHS = {"DIR", "FILE", "PATH"}


def typed(item: Field[Any]) -> str:
    """Return the type of a setting's keyword."""
    meta = item.metadata
    words = re.split(r"[|,]", (meta["metavar"] or "").replace(".pt", ""))
    if meta["choices"]:
        written = f"Literal[{', '.join(map(repr, meta['choices']))}]"
    elif meta["kind"] is str and _PATHS & {*words}:
        written = "Path"
    else:
        written = meta["kind"].__name__
    return written if item.default is not None else f"{written} | None"


def test_every_setting_is_a_keyword_of_its_type() -> None:
    found = {
        name: kind.__forward_arg__.replace('"', "'")
        for name, kind in get_annotations(Keywords).items()
    }
    flat = {name: "".join(kind.split()).replace(",]", "]") for name, kind in found.items()}
    wanted = {name: "".join(typed(item).split()) for name, item in SETTINGS.items()}
    own = {"data": "Data|None", "loss": "LossName|Callable[...,Any]"}
    assert flat == wanted | own
    assert list(flat) == list(wanted)


def test_the_losses_are_named() -> None:
    names, text = get_args(LossName)
    # Another test, or a page that was run, may have added a loss of its own.
    assert get_args(names) == tuple(name for name in LOSSES if not loss_hashes(name))
    assert text is str


def test_every_keyword_is_optional() -> None:
    assert not Keywords.__required_keys__
