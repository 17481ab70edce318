"""Entity annotations: texts with the spans of their entities."""

from collections.abc import Sequence
from typing import final

from stage2._core._loaded import Loaded, TextColumn
from stage2._core._types import Ints, OnError, Path

@final
class Annotations(Loaded):
    """Texts with the spans of their entities, in the order of the file."""

    @staticmethod
    def load(
        path: Path, on_error: OnError = "strict", max_decompressed: int | None = None
    ) -> Annotations:
        """Read annotations from JSONL or a JSON array, plain or compressed by gzip or Zstandard."""
    def __len__(self) -> int: ...
    @property
    def texts(self) -> TextColumn: ...
    @property
    def spans(self) -> Ints:
        """The start and the end (exclusive) of each span in code points: int64 (m, 2)."""
    @property
    def offsets(self) -> Ints:
        """Where the spans of each text start in `spans`: int64 (n + 1,)."""
    def matched(self, texts: Sequence[str]) -> dict[str, int]:
        """Count the texts that have an annotation.

        Args:
            texts: n texts.

        Returns:
            `equal`: texts that equal their annotation except for white space; `contained`: texts
            that contain their annotation or are contained in it; `with_entity`: texts of both kinds
            that get an entity; `if_composed`: texts without an annotation that would have one if
            both texts were normalised to Unicode NFC.
        """
    def spans_for(self, texts: Sequence[str]) -> tuple[Ints, Ints]:
        """Find the annotation of each text, and move its spans to the text.

        The annotation of a text is the one with the same text except for white space. If there is
        none, it is the first that contains the text or is contained in it, if their lengths differ
        by less than a tenth.

        Args:
            texts: n texts.

        Returns:
            Spans, int64 (m, 2), in code points of the given texts, without spans that lie outside;
            and offsets, int64 (n + 1,).
        """

def match_annotations(texts: Sequence[str], annotation_texts: Sequence[str]) -> Ints:
    """Find the annotation of each text, as `Annotations.spans_for` does.

    Args:
        texts: n texts.
        annotation_texts: the texts of the annotations. Of texts that are equal except for white
            space the last is used, but it has the place of the first in the order.

    Returns:
        Indices in `annotation_texts`, int64 (n,); -1 if a text has no annotation.
    """
