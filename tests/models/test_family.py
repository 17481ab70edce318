"""Each family of encoders gives all the information that is needed."""

from __future__ import annotations

import inspect

import pytest

from stage2.models.auto import FAMILIES
from stage2.models.family import Family

ASKED = [name for name, part in vars(Family).items() if inspect.isfunction(part) and name[0] != "_"]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
@pytest.mark.parametrize("name", ASKED)
def test_each_answers_what_is_asked_of_a_family(family: Family, name: str) -> None:
    asked = inspect.signature(getattr(Family, name)).parameters
    answered = inspect.signature(getattr(type(family), name)).parameters
    assert list(answered) == list(asked)
