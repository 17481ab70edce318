"""Scores of pairs on disk: a pair is asked about once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2.encoding.cache import EmbeddingCache
from stage2.models.kept_scores import KeptReranker, pair_keys

Floats = npt.NDArray[np.float32]


class Asked:
    """A reranker that remembers what it was asked; it likes long texts."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []

    def score(
        self, questions: Sequence[str], contexts: Sequence[str], *, precision: str = "auto",
        progress: Any = None,
    ) -> Floats:  # fmt: skip
        pairs = list(zip(questions, contexts, strict=True))
        self.pairs += pairs
        if progress is not None:
            for number in range(1, len(pairs) + 1):
                progress(number, len(pairs))
        return np.array([worth(*pair) for pair in pairs], np.float32)


def worth(question: str, context: str) -> float:
    return np.nan if context == "broken" else len(question) + 0.1 * len(context)


def kept(folder: Path, content: str = "c") -> tuple[Asked, KeptReranker]:
    asked = Asked()
    about = {"model": "scores of a model", "precision": "fp32"}
    return asked, KeptReranker(
        asked, EmbeddingCache(folder, 1, {"reranker": content}, about), "fp32"
    )


def test_a_pair_is_asked_about_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stage2.models.kept_scores._WINDOW", 2)
    questions, contexts = ["a", "a", "bb", "c"], ["x", "yy", "x", "zzz"]
    expected = [worth(*pair) for pair in zip(questions, contexts, strict=True)]
    asked, first = kept(tmp_path)
    assert list(first.unknown(questions, contexts)) == [0, 1, 2, 3]
    assert first.score(questions[:2], contexts[:2], precision="fp32") == pytest.approx(expected[:2])
    done: list[tuple[int, int]] = []
    found = first.score(
        questions, contexts, precision="fp32", progress=lambda *count: done.append(count[:2])
    )
    assert found == pytest.approx(expected)
    assert asked.pairs == list(zip(questions, contexts, strict=True))
    assert done == [(3, 4), (4, 4)]
    # Another process, and another run.
    later, second = kept(tmp_path)
    done.clear()
    again = second.score(
        questions[::-1], contexts[::-1], precision="fp32",
        progress=lambda *count: done.append(count[:2]),
    )  # fmt: skip
    assert again.tolist() == found[::-1].tolist()
    assert later.pairs == []
    assert done == [(4, 4)]
    assert list(second.unknown(["c", "c"], ["zzz", "x"])) == [1]


def test_another_model_or_precision_meets_no_old_score(tmp_path: Path) -> None:
    kept(tmp_path)[1].score(["a"], ["x"], precision="fp32")
    for content, precision in (("other", "fp32"), ("c", "bf16")):
        asked, other = kept(tmp_path, content)
        other.score(["a"], ["x"], precision=precision)
        assert asked.pairs == [("a", "x")]


def test_what_is_no_number_is_not_kept(tmp_path: Path) -> None:
    asked, one = kept(tmp_path)
    for _ in range(2):
        found = one.score(["a", "a"], ["broken", "x"], precision="fp32")
        assert list(np.isfinite(found)) == [False, True]
    assert asked.pairs == [("a", "broken"), ("a", "x"), ("a", "broken")]


def test_nothing_is_nothing(tmp_path: Path) -> None:
    asked, one = kept(tmp_path)
    assert one.score([], [], precision="fp32").shape == (0,)
    assert asked.pairs == []


@given(st.lists(st.tuples(st.text(), st.text())))
def test_keys_are_equal_where_pairs_are(pairs: list[tuple[str, str]]) -> None:
    pairs = [*pairs, ("a", "bc"), ("ab", "c"), ("bc", "a")]
    found = [key.tobytes() for key in pair_keys(*map(list, zip(*pairs, strict=True)))]
    assert len(set(found)) == len(set(pairs))
    of = dict(zip(pairs, found, strict=True))
    assert [of[pair] for pair in pairs] == found
