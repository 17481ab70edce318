"""Answers past the limit are found as the slow version finds them; their cost is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from stage2.evaluation.past_limit import past_limit
from stage2.models.sentence_transformers.static import PlainTokenizer
from tests.reference.past_limit import is_past

WORDS = list("abcdefgh")


@dataclass
class Texts:
    """Texts of which some are taken."""

    texts: Sequence[str]

    def take(self, rows: Any) -> list[str]:
        return [self.texts[row] for row in rows]


class Made:
    """Questions with their ground truths among contexts, as `Samples` has them."""

    def __init__(self, contexts: list[str], truths: list[list[int]], answers: list[str]) -> None:
        self.contexts, self.answers = Texts(contexts), answers
        self.candidates = np.array([one for own in truths for one in own], np.int64)
        self.num_relevant = np.array([len(own) for own in truths])
        self.offsets = np.cumsum([0, *self.num_relevant])

    def __len__(self) -> int:
        return len(self.answers)


class Reads:
    """A model that reads so many words of a text."""

    def __init__(self, limit: int, side: str = "right") -> None:
        words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "a"))
        words.pre_tokenizer = pre_tokenizers.Whitespace()
        words.enable_truncation(limit, direction=side)
        self.tokenizer, self.max_length = PlainTokenizer(words), limit


def of(limit: int, made: Made, ranks: Any = None, groups: Any = None, side: str = "right") -> Any:
    ranks = np.ones(len(made)) if ranks is None else np.asarray(ranks, np.float64)
    groups = np.arange(len(made)) if groups is None else np.asarray(groups)
    return past_limit(Reads(limit, side), made, ranks, groups, 0)  # type: ignore[arg-type]


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9)


@given(st.lists(texts, min_size=1, max_size=5), st.integers(1, 9), st.data())
def test_answers_past_the_limit_are_those_of_the_slow_version(
    contexts: list[list[str]], limit: int, data: st.DataObject
) -> None:
    places = st.lists(st.integers(0, len(contexts) - 1), min_size=1, max_size=3, unique=True)
    asked = data.draw(
        st.lists(st.tuples(places, st.lists(st.sampled_from(WORDS), max_size=2)), min_size=1)
    )
    truths = [own for own, _ in asked]
    made = Made(list(map(" ".join, contexts)), truths, [" ".join(words) for _, words in asked])
    used = {place for own in truths for place in own}
    found = of(limit, made)
    if all(len(contexts[place]) <= limit for place in used):
        assert found is None
        return
    assert found["limit"] == limit
    slow = [is_past(words, [contexts[one] for one in own], limit) for own, words in asked]
    known = [one for one in slow if one is not None]
    if known:
        assert (found["by"], found["questions"]) == ("answers", len(known))
        assert found["share"] == pytest.approx(sum(known) / len(known))
    else:
        assert (found["by"], found["questions"]) == ("tokens", len(asked))
        lost = {one: max(0, len(contexts[one]) - limit) / len(contexts[one]) for one in used}
        expected = [min(lost[one] for one in own) for own in truths]
        assert found["share"] == pytest.approx(sum(expected) / len(expected))


def test_the_cost_is_what_unread_answers_rank_lower_by_in_the_same_chunks() -> None:
    # Each of 40 chunks has a question about its first word and one about its last; the second
    # ranks lower by 0.5. Of 20 other questions all answers are read, and nothing is compared.
    contexts = ["b c d e"] * 40 + ["f"] * 20
    truths = [[i] for i in range(40) for _ in range(2)] + [[40 + i] for i in range(20)]
    made = Made(contexts, truths, ["b", "e"] * 40 + ["f"] * 20)
    ranks, groups = [1.0, 0.5] * 40 + [0.1] * 20, [own[0] for own in truths]
    found = of(2, made, ranks, groups)
    assert (found["by"], found["questions"], found["groups"]) == ("answers", 100, 40)
    assert found["share"] == 0.4
    assert found["difference"] == found["low"] == found["high"] == pytest.approx(-0.5)
    assert found["p"] < 0.001
    assert found["cost"] == pytest.approx(0.4 * 0.5)
    # A cut costs nothing where the questions rank alike. Without a pair its cost is not known.
    even = of(2, made, np.full(100, 0.7), groups)
    assert (even["difference"], even["cost"], even["p"]) == (0, 0, 1)
    alone = of(2, made, ranks)
    assert (alone["groups"], alone["difference"], alone["cost"]) == (0, None, None)


def test_what_is_cut_at_the_beginning_is_not_read_either() -> None:
    made = Made(["b c d e"], [[0], [0]], ["b", "e"])
    assert of(2, made, groups=[0, 0])["share"] == 0.5
    assert of(2, made, ranks=[0.2, 1.0], groups=[0, 0], side="left")["difference"] < 0


def test_an_answer_that_the_limit_cuts_is_read_in_part() -> None:
    made = Made(["b c d e"], [[0], [0]], ["c d", "d e"])
    assert of(2, made)["share"] == 0.5


def test_without_places_of_tokens_only_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    made, reads = Made(["b c d e"], [[0]], ["b"]), Reads(3)

    class Nowhere:
        ids, offsets = [1, 2, 3, 4], [(0, 0)] * 4

    class Backend:
        def encode_batch(self, texts: list[str], **_: Any) -> list[Nowhere]:
            return [Nowhere()] * len(texts)

    monkeypatch.setattr("stage2.encoding.truncation._uncut", lambda *_: (Backend(), 3))
    found = past_limit(reads, made, np.ones(1), np.zeros(1, np.int64), 0)  # type: ignore[arg-type]
    assert found is not None
    assert (found["by"], found["share"], found["cost"]) == ("tokens", 0.25, None)
