"""Columns get their roles by their names."""

from __future__ import annotations

import pytest

from stage2.data.column_roles import roles_of
from stage2.utils.errors import BadInputError


def test_the_first_name_that_is_there_counts() -> None:
    roles = roles_of(["answer", "context", "query", "negative_10", "negative_9", "more"], None, "f")
    assert (roles.question, roles.positive, roles.answer) == ("query", "context", "answer")
    assert roles.negatives == ("negative_9", "negative_10")
    assert roles_of(["query", "answer"], None, "f").positive == "answer"
    assert roles.sentence("f") == (
        "f: questions from 'query', positives from 'context', negatives from 'negative_9', "
        "'negative_10', answer from 'answer'"
    )


def test_names_are_given() -> None:
    names = ["a", "b", "c", "d", "question"]
    roles = roles_of(names, "question=a, positive=b,negative=d,negative=c", "f")
    assert (roles.question, roles.positive, roles.negatives) == ("a", "b", ("d", "c"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("positive", "--columns has 'positive'; expected ROLE=NAME"),
        ("quesion=a", r"did you mean 'question' by 'quesion'\?"),
        ("positive=z", "--columns positive=z: f has no column 'z'; expected one of 'a', 'query'"),
        ("positive=a,positive=query", "--columns names positive twice"),
        (None, "f: no column is a positive: there are 'a', 'query'; expected one of positive"),
    ],
)
def test_what_is_wrong_is_said(given: str | None, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        roles_of(["a", "query"], given, "f")
