"""Questions and the chunks that answer them."""

from typing import SupportsIndex, final

from stage2._core._annotations import Annotations
from stage2._core._loaded import Loaded, TextColumn
from stage2._core._samples import Samples
from stage2._core._types import Column, Floats, Ints, OnError, Path

@final
class Dataset(Loaded):
    """Questions, the chunks that answer them, and entity annotations, all checked."""

    @staticmethod
    def load(
        qa: Path,
        chunks: Path,
        entities: Path | None = None,
        on_error: OnError = "strict",
        memory_map: bool = True,
        max_decompressed: int | None = None,
    ) -> Dataset:
        """Read a data set: JSONL or JSON arrays, plain, gzip or Zstandard.

        Args:
            qa: rows with `question`, `chunk_id` or `chunk_ids` (of both the chunk goes before the
                list), optional `qa_id` or `id`, `answer`, `grades`: a number for each element of
                `chunk_ids`, how relevant the chunk is. Chunks with a grade above 0 are the
                question's ground truths, the highest grade first. A chunk with 0 or less is not
                relevant, as in trec_eval: it counts as one that nobody judged.
            chunks: rows with `chunk_id`, `id` or `_id`; `text`, `chunk_text`, `input` or
                `content`; optional `title`.
            entities: rows with `text` and `targets` of `char_start`, `char_end` and optional
                `span_text`; None for none.
            on_error: stop at the first bad row, or leave bad rows out.
            memory_map: map questions and chunks instead of copying them to memory; twice as fast.
                A file must then not be cut short or rewritten in place while the data set is used
                (the system ends the process); that another takes its name, as it does where files
                are written whole, does no harm. False reads them, for what runs for long.
            max_decompressed: bytes that a file may have when it is decompressed, or comes from a
                pipe, at most; None: half of the memory. More is an InputError, `too_large`.
        """
    @staticmethod
    def from_columns(
        questions: Column,
        texts: Column,
        relevant: tuple[Ints, Ints] | tuple[Ints, Ints, Ints | Floats],
        *,
        qa_ids: Column | None = None,
        chunk_ids: Column | None = None,
        titles: Column | None = None,
        answers: Column | None = None,
        on_error: OnError = "strict",
    ) -> Dataset:
        """Make the data set that files with the same rows hold.

        The columns are copied. They are checked as files are; an InputError names the table,
        `questions` or `texts`, and the row, from 0, as `line`, and has 0 as `column`.

        Args:
            questions: n questions.
            texts: N texts, those of the chunks.
            relevant: what is relevant to each question: offsets, int64 (n + 1,), and chunks, int64
                (m,), those of question i being `chunks[offsets[i]:offsets[i + 1]]`, the most
                relevant first; and optional grades, int64 or float64 (m,), as in `load`.
            qa_ids: n ids; None: they are made from the questions and their chunks' ids.
            chunk_ids: N ids; None: the numbers of the rows, from 0.
            titles: N titles, null for none.
            answers: n answers, null for none.
            on_error: stop at the first bad row, or leave bad rows out.

        Raises:
            ValueError: columns of other lengths, offsets that do not fit, a chunk that is not
                there, or a grade that is not finite.
            TypeError: a column that holds neither texts nor whole numbers.
        """
    @property
    def num_qa(self) -> int: ...
    @property
    def num_questions(self) -> int:
        """Questions that differ; rows may ask one several times."""
    @property
    def num_chunks(self) -> int: ...
    @property
    def num_annotations(self) -> int: ...
    @property
    def chunk_ids(self) -> TextColumn: ...
    @property
    def chunk_texts(self) -> TextColumn: ...
    @property
    def chunk_titles(self) -> TextColumn:
        """The empty string where a chunk has none."""
    def chunk_text(self, i: SupportsIndex) -> str: ...
    @property
    def qa_ids(self) -> TextColumn:
        """As given, or made from the question and its chunks' ids where none was."""
    @property
    def questions(self) -> TextColumn: ...
    @property
    def answers(self) -> TextColumn:
        """The empty string where a question has none."""
    @property
    def relevant(self) -> Ints:
        """Indices of the chunks of each question in the given order: int64 (m,), read-only.

        Rows whose questions are the same text have each other's chunks behind their own.
        """
    @property
    def relevant_offsets(self) -> Ints:
        """Where each question's chunks start in `relevant`: int64 (num_qa + 1,), read-only."""
    @property
    def grades(self) -> Floats | None:
        """The grades of the chunks in `relevant`: float64 (m,), above 0; None where all are 1.

        A chunk without a grade has a 1.
        """
    @property
    def annotations(self) -> Annotations | None: ...
    def construct(self, negatives: int = 5, seed: int = 0) -> Samples:
        """Draw `negatives` distinct chunks for each question, none with the text of its own.

        A draw depends on the seed and the question's id alone.

        Raises:
            InputError: a question is left with fewer chunks than that.
        """
    def with_negatives(self, negatives: Ints, offsets: Ints) -> Samples:
        """Take given chunks as each question's negatives.

        Args:
            negatives: int64 (m,), chunk indices, one question's after another's.
            offsets: int64 (num_qa + 1,).
        """
    @property
    def first_of_text(self) -> Ints:
        """For each chunk the first with the same text (see `same_text`): int64 (num_chunks,)."""
