"""Near-duplicates, held against comparing all pairs of sets of Python strings."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2.near_duplicates import groups, jaccard, near_duplicates, normalised, shingles


def grams(text: str) -> set[str]:
    plain = normalised(text)
    return {plain[i : i + 5] for i in range(max(1, len(plain) - 4))} if plain else set()


def overlap(left: str, right: str) -> float:
    one, other = grams(left), grams(right)
    return len(one & other) / max(1, len(one | other))


# Few letters and lengths around the shingle's, so that overlaps of every size occur.
TEXTS = st.lists(st.text("ab B.é宝", max_size=16), max_size=12)


@given(TEXTS, st.sampled_from([0.2, 0.5, 0.7, 0.8, 1.0]))
def test_the_same_groups_as_comparing_all_pairs(texts: list[str], threshold: float) -> None:
    expected = [
        (i, j)
        for i, j in combinations(range(len(texts)), 2)
        if normalised(texts[i]) == normalised(texts[j]) or overlap(texts[i], texts[j]) >= threshold
    ]
    found = near_duplicates(texts, threshold)
    assert set(map(tuple, found.tolist())) <= set(expected)
    wanted = np.asarray(expected, np.int64).reshape(-1, 2)
    assert groups(len(texts), found).tolist() == groups(len(texts), wanted).tolist()


@given(st.text("ab B.é宝", max_size=20), st.text("ab B.é宝", max_size=20))
def test_jaccard_is_that_of_sets_of_strings(left: str, right: str) -> None:
    assert jaccard(shingles(left), shingles(right)) == overlap(left, right)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("The  Count,\nof Monte-Cristo!", "the count of monte cristo"),
        ("ＡＢＣ １２", "abc 12"),
        ("宝藏，在岛上。", "宝藏 在岛上"),
        ("हिन्दी", "हिन्दी"),
        ("…", ""),
    ],
)
def test_normalised_leaves_words(text: str, same: str) -> None:
    assert normalised(text) == same


def test_a_text_with_a_word_changed_is_a_near_duplicate() -> None:
    text = (
        "The Count of Monte Cristo sailed from Marseilles to Elba with a letter for the marshal, "
        "and came back rich: he had found the treasure that an abbot told him of in prison."
    )
    other = "An abbot told him in prison where a treasure lay, and when he was free he found it."
    pairs = near_duplicates([text, other, text.replace("letter", "parcel"), text.upper()], 0.8)
    assert pairs.tolist() == [[0, 2], [0, 3]]


def test_a_threshold_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold is 0"):
        near_duplicates(["a"], 0)
