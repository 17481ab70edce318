"""Near-duplicates, compared with an all-pairs search in Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stage2._core import near_duplicates, shingles
from stage2.data.near_duplicates import groups, jaccard
from tests import reference
from tests.judgements import catalogue

# Texts have few letters and the length of a few shingles, so that all overlaps occur.
LETTERS = "ab B.é宝"
TEXTS = st.lists(st.text(LETTERS, max_size=16), max_size=12)
TEXT = (
    "The Count of Monte Cristo sailed from Marseilles to Elba with a letter for the marshal, "
    "and came back rich: he had found the treasure that an abbot told him of in prison."
)
OTHER = "An abbot told him in prison where a treasure lay, and when he was free he found it."


@given(TEXTS, st.sampled_from([0.5, 0.7, 0.8, 1.0]))
def test_the_same_groups_as_comparing_all_pairs(texts: list[str], threshold: float) -> None:
    found = near_duplicates(texts, threshold)
    assert found.dtype == np.int64
    assert found.tolist() == reference.near_duplicate_groups(texts, threshold)


@given(
    st.lists(st.tuples(st.text("abcdefgh", min_size=3, max_size=12), st.booleans()), max_size=30),
    st.sampled_from([0.5, 0.8]),
)
def test_pages_of_templates_are_grouped_as_by_comparing_all(
    pages: list[tuple[str, bool]], threshold: float
) -> None:
    # Templates are long, so that pages differ in little. Some pages are pieces of others.
    texts = [f"{TEXT if long else TEXT[:60]} {said}" for said, long in pages]
    assert near_duplicates(texts, threshold).tolist() == reference.near_duplicate_groups(
        texts, threshold
    )


@given(st.integers(0, 2**32), st.sampled_from([0.5, 0.8]))
def test_overlapping_cuts_are_grouped_as_by_comparing_all(seed: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    whole = "".join(random.choice([*"abcdefghij  "], 600))
    texts = []
    for _ in range(8):
        start, length = random.integers(0, 500), random.integers(20, 300)
        texts.append(whole[start : start + length])
    found = near_duplicates(texts, threshold).tolist()
    expected = reference.near_duplicate_groups(texts, threshold)
    # The sketches of a short piece and of a much longer text may agree in no slot.
    assert all(expected[first] == expected[i] for i, first in enumerate(found))
    longest = max(map(len, texts))
    if min(map(len, texts)) * 2 >= longest:
        assert found == expected


@given(st.text(LETTERS, max_size=20), st.text(LETTERS, max_size=20))
@example("ＡＢＣ　ｶﾞ １２", "abc ガ 12")
def test_jaccard_is_that_of_sets_of_strings(left: str, right: str) -> None:
    one, other = reference.shingles(left), reference.shingles(right)
    assert len(shingles(left)) == len(one)
    expected = len(one & other) / max(1, len(one | other))
    assert jaccard(shingles(left), shingles(right)) == expected


def test_a_text_with_a_word_changed_is_a_near_duplicate() -> None:
    found = near_duplicates([TEXT, OTHER, TEXT.replace("letter", "parcel"), TEXT.upper()], 0.8)
    assert found.tolist() == [0, 1, 0, 0]


def test_short_texts_are_not_alike_by_one_rare_word() -> None:
    texts = ["“Yes,” replied a gendarme", "“It is for you,” replied a gendarme"]
    others = [f"“{number * 7919}, then,” replied a" for number in range(20)]
    assert near_duplicates([*texts, *others], 0.5).tolist() == list(range(22))


def test_a_third_of_a_text_is_grouped_with_it() -> None:
    assert near_duplicates([TEXT, OTHER, TEXT[50:110]], 0.5).tolist() == [0, 1, 0]


def test_a_header_that_all_have_neither_joins_nor_parts() -> None:
    header = "This page was printed for members of the society; do not hand it on. " * 5
    random = np.random.default_rng(0)
    texts = ["".join(random.choice([*"abcdefghijklmnop "], 80)) for _ in range(40)]
    expected = [*range(40), 3, 3]
    # Copies have no header, or half of it.
    copies = [texts[3], header[:170] + texts[3]]
    assert near_duplicates([header + text for text in texts] + copies, 0.5).tolist() == expected


def test_a_catalogue_of_one_template_falls_apart_into_its_articles() -> None:
    texts = catalogue(10_000)
    copies = [texts[place].replace("kettle", "kettles") for place in range(0, 10_000, 100)]
    seen: list[tuple[int, int]] = []
    found = near_duplicates([*texts, *copies], 0.5, lambda *done: seen.append(done))
    assert found[10_000:].tolist() == list(range(0, 10_000, 100))
    assert np.unique(found[:10_000], return_counts=True)[1].max() <= 3
    assert seen == sorted(seen)
    assert seen[-1] == (30_300, 30_300)


def test_many_texts_are_compared_as_few() -> None:
    """With more than 20,000 texts two slots must agree, and copies are still found."""
    random = np.random.default_rng(3)
    letters = random.integers(97, 123, (21_000, 60), np.uint8)
    letters[20_000:] = letters[:1000]
    letters[20_000:, 30:33] = 120
    texts = [row.tobytes().decode() for row in letters]
    found = near_duplicates(texts, 0.5)
    assert found[:20_000].tolist() == list(range(20_000))
    assert np.mean(found[20_000:] == np.arange(1000)) == 1


def test_progress_that_raises_ends_the_work() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        near_duplicates([TEXT, OTHER], 0.5, stop)


def test_a_threshold_that_is_no_share_or_too_small_is_refused() -> None:
    for threshold in (0, 0.2, 0.49, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"threshold is .*; expected from 0\.5 to 1"):
            near_duplicates(["a"], threshold)


def test_groups_are_what_pairs_connect() -> None:
    assert groups(6, [(4, 1), (5, 3), (3, 1)]) == [0, 1, 2, 1, 1, 1]
