"""Samples: questions with their candidates."""

from collections.abc import Sequence
from typing import final

from stage2._core._loaded import Loaded, TextColumn
from stage2._core._types import Floats, Ints, OnError, Path

@final
class Samples(Loaded):
    """Questions with their candidates. The ground truths of a question come first."""

    @staticmethod
    def load_jsonl(
        path: Path, on_error: OnError = "strict", max_decompressed: int | None = None
    ) -> Samples:
        """Read a file of `write_jsonl`, or one of the reference, which has fewer chunk ids.

        If samples have the same question, each gets the ground truths of the others after its own.
        Negatives with the same id or text as one of these are removed.
        """
    def __len__(self) -> int: ...
    @property
    def qa_ids(self) -> TextColumn: ...
    @property
    def questions(self) -> TextColumn: ...
    @property
    def answers(self) -> TextColumn:
        """The answers to the questions; "" for a question without an answer."""
    @property
    def contexts(self) -> TextColumn:
        """The texts that `candidates` point to.

        They are the chunks of the data set or, for a file, its different contexts, by id and text.
        """
    @property
    def context_ids(self) -> TextColumn:
        """The chunk id of each context; "" if it is not known."""
    @property
    def candidates(self) -> Ints:
        """The indices of each question's contexts, ground truths first: int64 (m,), read-only."""
    @property
    def offsets(self) -> Ints:
        """Where each question's candidates start in `candidates`: int64 (n + 1,), read-only."""
    @property
    def num_relevant(self) -> Ints:
        """The number of ground truths of each question: int64 (n,), read-only."""
    @property
    def grades(self) -> Floats | None:
        """The grades of each question's ground truths: float64 (sum of `num_relevant`,), above 0.

        None if all are 1.
        """
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give the samples to another library by Arrow, under the names that a file of them has.

        `gt_grades` is 1 where the data have no grades. What is missing is null. Texts are string
        views of the file's own bytes, as `TextColumn` gives them; in lists they are copied to large
        strings unless `requested_schema` asks for views.
        """
    def __arrow_c_schema__(self) -> object:
        """Return a capsule with the names and types of the columns."""
    def take(self, rows: Ints) -> Samples:
        """Give the samples at `rows`, int64 (k,) and rising.

        Of samples from a file the result is what a file with these rows alone holds, except for
        what was found wrong in the file.
        """
    def write_jsonl(self, path: Path, rows: Ints | None = None) -> str:
        """Write the samples as JSONL, whole or not at all.

        Samples that were read from a file are written as they are there, except for the candidates
        of samples that share a question.

        Args:
            path: the file.
            rows: int64 (k,), the samples to write, in this order; None means all.

        Returns:
            The SHA-256 of the file as hexadecimal text.
        """

def sample_negatives(
    qa_ids: Sequence[str],
    n: int,
    total: int,
    excluded: Ints,
    excluded_offsets: Ints,
    seed: int = 0,
) -> Ints:
    """Draw n distinct chunks for each of Q questions, uniformly and without replacement.

    A draw depends only on the seed and the id of the question.

    Args:
        qa_ids: Q ids.
        n: the number of chunks for each question.
        total: the number of all chunks.
        excluded: int64 (m,), the chunks that a question must not draw, question after question.
        excluded_offsets: int64 (Q + 1,), where the excluded chunks of each question start.
        seed: from 0 to 2**64 - 1.

    Returns:
        The indices of chunks, int64 (Q, n), in the order of the draw.

    Raises:
        ValueError: a question has fewer than n chunks to draw from.
    """
