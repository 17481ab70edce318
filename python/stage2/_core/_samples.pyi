"""Questions with their candidates."""

from collections.abc import Sequence
from typing import final

from stage2._core._loaded import Loaded, TextColumn
from stage2._core._types import Floats, Ints, OnError, Path

@final
class Samples(Loaded):
    """Questions with their candidates, ground truths first."""

    @staticmethod
    def load_jsonl(
        path: Path, on_error: OnError = "strict", max_decompressed: int | None = None
    ) -> Samples:
        """Read what `write_jsonl` wrote, or the reference's files, which have fewer chunk ids.

        Samples whose questions are the same text get each other's ground truths behind their own,
        in place of negatives that are the same by id or text.
        """
    def __len__(self) -> int: ...
    @property
    def qa_ids(self) -> TextColumn: ...
    @property
    def questions(self) -> TextColumn: ...
    @property
    def answers(self) -> TextColumn:
        """The empty string where a question has none."""
    @property
    def contexts(self) -> TextColumn:
        """The texts that `candidates` index.

        The data set's chunks or, of a file, its contexts that differ in chunk id or text.
        """
    @property
    def context_ids(self) -> TextColumn:
        """The chunk id of each context; the empty string where it is not known."""
    @property
    def candidates(self) -> Ints:
        """Indices of each question's contexts, ground truths first: int64 (m,), read-only."""
    @property
    def offsets(self) -> Ints:
        """Where each question's candidates start in `candidates`: int64 (n + 1,), read-only."""
    @property
    def num_relevant(self) -> Ints:
        """How many of each question's candidates are ground truths: int64 (n,), read-only."""
    @property
    def grades(self) -> Floats | None:
        """The grades of each question's ground truths: float64 (sum of `num_relevant`,), above 0.

        None where all are 1.
        """
    def write_jsonl(self, path: Path, rows: Ints | None = None) -> None:
        """Write the samples, or those at `rows`, int64 (k,), in that order; whole or not at all.

        Samples read from a file are written as they stood there, but for the candidates of those
        that share a question.
        """

def sample_negatives(
    qa_ids: Sequence[str],
    n: int,
    total: int,
    excluded: Ints,
    excluded_offsets: Ints,
    seed: int = 0,
) -> Ints:
    """Draw n distinct chunks for each of Q questions, uniformly, without replacement.

    A draw depends on the seed and the question's id alone.

    Args:
        qa_ids: Q ids.
        n: how many to draw for each.
        total: the number of chunks.
        excluded: int64 (m,), the chunks that a question must not draw, one question's after
            another's.
        excluded_offsets: int64 (Q + 1,).
        seed: from 0 to 2**64 - 1.

    Returns:
        Chunk indices, int64 (Q, n), in the order drawn.

    Raises:
        ValueError: A question has fewer than n chunks to draw from.
    """
