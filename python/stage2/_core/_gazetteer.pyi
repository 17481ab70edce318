"""Names of a list, found in texts, and the file of annotations that is made of them."""

from collections.abc import Sequence
from typing import Literal, final

from stage2._core._loaded import Loaded, TextColumn
from stage2._core._types import Ints, OnError, Path

@final
class Gazetteer(Loaded):
    """A list of names, each with a label and aliases where it has them."""

    @staticmethod
    def load(
        path: Path,
        *,
        ignore_case: bool = False,
        unicode_form: Literal["nfc", "nfkc", "none"] = "nfc",
        min_length: int = 1,
        on_error: OnError = "strict",
        max_decompressed: int | None = None,
    ) -> Gazetteer:
        """Read names, plain or compressed by gzip or Zstandard.

        A `.txt` file has a name on each line. A `.tsv` file has a first line that names the columns
        `name`, `label` or `type`, and `aliases`, with `|` between aliases. JSONL or a JSON array
        (`.jsonl`, `.json`) has these fields, where aliases are a list; or it is a file of
        annotations, whose names are the texts of its spans, sorted, without labels.

        White space at the ends of a name does not count, and any white space equals a single space.
        If a name stands twice, its first row is used. Warnings name such names, names with two
        labels, names of one character, and those that are too short.

        Args:
            path: the file.
            ignore_case: whether case does not count, by Unicode's simple case folding, which maps
                one character to one: "ß" equals "ẞ", and not "ss".
            unicode_form: the form of Unicode in which names and texts are compared.
            min_length: names and aliases of fewer characters, in that form, are left out.
            on_error: as in `Dataset.load`.
            max_decompressed: as in `Dataset.load`.
        """
    def __len__(self) -> int: ...
    @property
    def names(self) -> TextColumn:
        """The names as they are written, without aliases."""
    @property
    def labels(self) -> TextColumn:
        """The label of each name; "" if it has none."""
    def find(self, texts: Sequence[str]) -> tuple[Ints, Ints, Ints]:
        """Find the names in each text: the leftmost, of those that begin there the longest.

        A name begins and ends at a boundary. No boundary is inside what people see as one character
        (an extended grapheme cluster, UAX #29), nor between two letters, digits or "_" of scripts
        that put spaces between words. Chinese, Japanese, Korean, Thai and the like have a boundary
        between any two characters, and so has punctuation.

        Args:
            texts: n texts.

        Returns:
            Spans, int64 (m, 2), in code points of the given texts, the end exclusive; offsets,
            int64 (n + 1,); and the index of each span's name, int64 (m,).
        """

def write_annotations(
    path: Path, texts: Sequence[str], spans: Ints, offsets: Ints, labels: Sequence[str]
) -> str:
    """Write annotations as `Annotations.load` reads them, whole or not at all.

    Args:
        path: the file.
        texts: n texts, one row each.
        spans: int64 (m, 2), in code points.
        offsets: int64 (n + 1,), where the spans of each text start.
        labels: m labels; one that is "" is not written.

    Returns:
        The SHA-256 of the file as hexadecimal text.

    Raises:
        ValueError: a span is empty or lies outside its text, or the sizes do not fit.
    """
