"""Data sets: questions and the chunks that answer them."""

from collections.abc import Sequence
from typing import SupportsIndex, final

from stage2._core._annotations import Annotations
from stage2._core._arrow import Table
from stage2._core._loaded import Loaded, TextColumn
from stage2._core._samples import Samples
from stage2._core._types import Column, Floats, Ints, OnError, Path

@final
class Dataset(Loaded):
    """Questions, the chunks that answer them, and entity annotations. All are checked."""

    @staticmethod
    def load(
        qa: Path,
        chunks: Path,
        entities: Path | None = None,
        on_error: OnError = "strict",
        memory_map: bool = True,
        max_decompressed: int | None = None,
        *,
        join_titles: bool = False,
    ) -> Dataset:
        """Read a data set from JSONL or JSON arrays, plain or compressed by gzip or Zstandard.

        Args:
            qa: rows with `question`; `chunk_id`, `chunk_ids` or both (then `chunk_id` comes first);
                and optionally `qa_id` or `id`, `answer`, and `grades`. `grades` has the relevance
                of each element of `chunk_ids`. Chunks with a grade above 0 are the ground truths,
                the highest grade first. A chunk with a grade of 0 or less is not relevant, as if
                nobody had judged it, as in trec_eval.
            chunks: rows with `chunk_id`, `id` or `_id`; `text`, `chunk_text`, `input` or
                `content`; and optionally `title`.
            entities: rows with `text` and `targets` of `char_start`, `char_end` and optionally
                `span_text`; None for no annotations.
            on_error: `strict` stops at the first bad row, `skip` leaves bad rows out.
            memory_map: map questions and chunks instead of copying them to memory, which is twice
                as fast. A file must then not be truncated or rewritten in place while the data set
                is in use, or the system ends the process. A file may be replaced by another of the
                same name. Use False in a process that runs for long.
            max_decompressed: the largest number of bytes of a file after decompression, or from a
                pipe; None means half of the memory. More raises InputError, `too_large`.
            join_titles: read a chunk's title before its text, with a space between the two; a
                title of white space is none, and a chunk may then have a title alone. Annotations
                are found by the texts that result, so that those of the texts alone are lost.
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
        entities: Path | None = None,
        join_titles: bool = False,
        on_error: OnError = "strict",
        max_decompressed: int | None = None,
    ) -> Dataset:
        """Make a data set from columns in memory. It equals one from files with the same rows.

        The columns are checked like files, and copied; a TextColumn that stands in no file is
        shared. InputError has the table, `questions` or `texts`, as `file`, the row from 0 as
        `line`, and 0 as `column`.

        Args:
            questions: n questions.
            texts: N texts of chunks.
            relevant: offsets, int64 (n + 1,), and chunks, int64 (m,). The chunks relevant to
                question i are `chunks[offsets[i]:offsets[i + 1]]`, the most relevant first. A third
                array may have grades, int64 or float64 (m,), as in `load`.
            qa_ids: n ids; None makes ids from the questions and the ids of their chunks.
            chunk_ids: N ids; None means the numbers of the rows, from 0.
            titles: N titles, null for no title.
            answers: n answers, null for no answer.
            entities: a file of annotations, as in `load`.
            join_titles: as in `load`.
            on_error: `strict` stops at the first bad row, `skip` leaves bad rows out.
            max_decompressed: as in `load`, of the annotations.

        Raises:
            ValueError: the lengths of columns differ, the offsets do not fit, a chunk does not
                exist, or a grade is not finite.
            TypeError: a column holds neither texts nor whole numbers.
        """
    @property
    def num_qa(self) -> int: ...
    @property
    def num_questions(self) -> int:
        """The number of different questions. Several rows may have the same question."""
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
        """The titles of the chunks; "" for a chunk without a title."""
    def chunk_text(self, i: SupportsIndex) -> str: ...
    @property
    def qa_ids(self) -> TextColumn:
        """The given ids of the questions, or ids made from the question and its chunks' ids."""
    @property
    def questions(self) -> TextColumn: ...
    @property
    def answers(self) -> TextColumn:
        """The answers to the questions; "" for a question without an answer."""
    @property
    def relevant(self) -> Ints:
        """The indices of each question's ground truths in the given order: int64 (m,), read-only.

        If rows have the same question, each has its own ground truths and then those of the others.
        """
    @property
    def relevant_offsets(self) -> Ints:
        """Where each question starts in `relevant`: int64 (num_qa + 1,), read-only."""
    @property
    def grades(self) -> Floats | None:
        """The grades of the chunks in `relevant`: float64 (m,), above 0; None if all are 1.

        A chunk without a grade has grade 1.
        """
    @property
    def annotations(self) -> Annotations | None: ...
    @property
    def chunks(self) -> Table:
        """The chunks as a table of `chunk_id`, `title` and `text`; a missing title is null."""
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give the questions to another library by Arrow, under the names that a file has.

        The columns are `qa_id`, `question`, `answer` (null if there is none), and the lists
        `chunk_ids` and `grades`. Texts are string views of the file's own bytes, as
        `TextColumn` gives them; in lists they are copied to large strings unless
        `requested_schema` asks for views.
        """
    def __arrow_c_schema__(self) -> object:
        """Return a capsule with the names and types of the columns."""
    def construct(self, negatives: int = 5, seed: int = 0) -> Samples:
        """Draw distinct chunks as the negatives of each question.

        No negative has the same text as a ground truth of its question. A draw depends only on the
        seed and the id of the question.

        Args:
            negatives: the number of negatives for each question.
            seed: the seed of the draw.

        Raises:
            InputError: there are too few chunks for a question.
        """
    def with_negatives(self, negatives: Ints, offsets: Ints) -> Samples:
        """Use given chunks as the negatives of each question.

        Args:
            negatives: int64 (m,), the indices of chunks, question after question.
            offsets: int64 (num_qa + 1,), where the negatives of each question start.
        """
    def take(self, rows: Ints) -> Dataset:
        """Give the questions at `rows`, int64 (k,) and rising, over the same chunks.

        What was found wrong in the files stays with them.
        """
    @property
    def first_of_text(self) -> Ints:
        """For each chunk the first with the same text (see `same_text`): int64 (num_chunks,)."""

def load_qrels(
    queries: Path,
    corpus: Path,
    qrels: Sequence[Path],
    entities: Path | None = None,
    *,
    join_titles: bool = True,
    on_error: OnError = "strict",
    memory_map: bool = True,
    max_decompressed: int | None = None,
) -> tuple[Dataset, Ints]:
    """Read a data set whose questions, chunks and judgements stand apart, as BEIR has them.

    Questions without a relevant chunk are left out, with a warning that counts them.

    Args:
        queries: rows with `_id` or `id`, and `text`.
        corpus: chunks, as `Dataset.load` reads them.
        qrels: files of lines with a question's id, a chunk's id and a grade, tabs between them.
            A first line `query-id corpus-id score` is a header. A grade is a whole number; with 0
            the chunk is not relevant. A question may stand in one of the files alone. The ground
            truths of a question come by falling grade, equal ones as the file has them.
        entities: as in `Dataset.load`.
        join_titles: as in `Dataset.load`.
        on_error: as in `Dataset.load`.
        memory_map: as in `Dataset.load`, of questions and chunks.
        max_decompressed: as in `Dataset.load`.

    Returns:
        The data set, and for each question the number of the file that judges it, int64 (num_qa,).
    """
