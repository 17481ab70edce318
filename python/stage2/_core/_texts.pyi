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
    """Group the texts that are the same but for a little.

    A shingle, five characters in a row, is rare where at most a hundredth of the distinct texts
    have it, or ten of them. Two texts are near-duplicates when they have at least `threshold` of
    the rare shingles that either has in common, and where one has fewer than twenty that share of
    all their shingles too; or when four fifths of the rare shingles of one are in the other (or
    `threshold` of them, if that is more), if the one has at least twenty of them and they are half
    of all that it has. Case, width and white space count for nothing, and texts
    that differ in them alone are near-duplicates whatever they have.

    The texts are compared where sketches of them agree. Of more than 20,000, a pair with an overlap
    of a half is missed once in 1,000 times, and a piece that is a third of another text once in 17;
    of fewer neither is. Time grows as the texts do, and memory by some 400 bytes for each.

    Args:
        texts: n texts.
        threshold: from 0.5 to 1; sketches are made for no smaller overlap.
        progress: called with how much is done of how much; what it raises ends the work.

    Returns:
        For each text the first that it is connected to, itself where there is none: int64 (n,). It
        does not depend on the number of threads.
    """

def shingles(text: str) -> npt.NDArray[np.uint64]:
    """Give the distinct runs of five characters of a text, as 64-bit hashes.

    Case, width and white space aside.

    Returns:
        uint64 (s,), rising; of a text below five characters one, of a blank one none.
    """

def same_text(texts: Sequence[str]) -> Ints:
    """Find for each text the first that is the same: white space, composition, case, width aside.

    Args:
        texts: n texts.

    Returns:
        int64 (n,): the least index of a text with an equal `text_key`.
    """

def text_key(text: str) -> str:
    """Give what a text says; equal for texts that are the same.

    Words are joined by one space, code points composed (Unicode's NFC), letters made small one by
    one, full-width and half-width forms replaced by the usual ones. Punctuation and symbols stay,
    and so do forms that only compatibility equates, such as "²".
    """
