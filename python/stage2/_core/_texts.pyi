"""Texts that are the same, or nearly the same."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from stage2._core._types import Ints

def near_duplicates(
    texts: Sequence[str],
    threshold: float,
    progress: Callable[[int, int], object] | None = None,
) -> Ints:
    """Group near-duplicate texts.

    A shingle is five characters in a row. It is rare if at most a hundredth of the distinct texts
    have it, or at most ten. Two texts are near-duplicates in three cases. First, of the rare
    shingles that either has, at least the share `threshold` is in both; if one has fewer than
    twenty, this must also hold for all shingles. Second, one text is a piece of the other: it has
    at least twenty rare shingles, these are at least half of all its shingles, and four fifths of
    them (or `threshold`, if that is more) are in the other. Third, they differ only in case, width
    and white space, which never count.

    Texts are compared only if sketches of them agree. Among more than 20,000 texts, 1 in 1,000
    pairs with an overlap of one half is missed, and 1 in 17 pieces that are a third of another
    text. Among fewer texts neither is missed. Time grows linearly, and memory by about 400 bytes
    for each text.

    Args:
        texts: n texts.
        threshold: from 0.5 to 1. The sketches do not find smaller overlaps.
        progress: called with the work done and all work. If it raises, the work ends.

    Returns:
        For each text the index of the first text in its group: int64 (n,). It does not depend on
        the number of threads.
    """

def shingles(text: str) -> npt.NDArray[np.uint64]:
    """Return the distinct runs of five characters of a text, as 64-bit hashes.

    Case, width and white space do not count.

    Returns:
        uint64 (s,), rising. A shorter text has one run, and a blank text none.
    """

def same_text(texts: Sequence[str]) -> Ints:
    """Find for each text the first text that is the same.

    Two texts are the same if they have the same `text_key`.

    Args:
        texts: n texts.

    Returns:
        The smallest index of a text with the same key: int64 (n,).
    """

def text_key(text: str) -> str:
    """Return the key of a text, which is equal for texts that are the same.

    In the key words have single spaces between them, code points are composed (Unicode NFC), each
    letter is in lower case, and full-width and half-width forms are replaced by usual ones.
    Punctuation and symbols stay, and so do compatibility forms such as "²".
    """
