"""Texts with the spans of entities."""

from collections.abc import Sequence
from typing import final

from stage2._core._loaded import Loaded, TextColumn
from stage2._core._types import Ints, OnError, Path

@final
class Annotations(Loaded):
    """Texts with the spans of the entities in them, in file order."""

    @staticmethod
    def load(
        path: Path, on_error: OnError = "strict", max_decompressed: int | None = None
    ) -> Annotations:
        """Read annotations: JSONL or a JSON array, plain, gzip or Zstandard."""
    def __len__(self) -> int: ...
    @property
    def texts(self) -> TextColumn: ...
    @property
    def spans(self) -> Ints:
        """Start and end (exclusive) in code points of the text: int64 (m, 2)."""
    @property
    def offsets(self) -> Ints:
        """Where each text's spans start in `spans`: int64 (n + 1,)."""
    def matched(self, texts: Sequence[str]) -> dict[str, int]:
        """Count the texts that have an annotation.

        Args:
            texts: n texts.

        Returns:
            `equal`, those whose annotation has an equal text, white space aside; `contained`, those
            whose annotation contains them or is contained in them; `with_entity`, those of both
            that have an entity by it; `if_composed`, those that have no annotation, but would if
            both texts were composed (Unicode's NFC).
        """
    def spans_for(self, texts: Sequence[str]) -> tuple[Ints, Ints]:
        """Find the annotation of each text and move its spans there.

        A text belongs to the annotation with the same text, white space aside, or else to the first
        that contains it or that it contains, if their lengths differ by less than a tenth.

        Args:
            texts: n texts.

        Returns:
            Spans, int64 (m, 2), in code points of the given texts, those that lie outside left
            out; offsets, int64 (n + 1,).
        """

def match_annotations(texts: Sequence[str], annotation_texts: Sequence[str]) -> Ints:
    """Find the annotation that belongs to each text, as `Annotations.spans_for` does.

    Args:
        texts: n texts.
        annotation_texts: texts with annotations; of equal ones, white space aside, the last is
            used, at the place of the first.

    Returns:
        Indices of `annotation_texts`, int64 (n,); -1 for none.
    """
