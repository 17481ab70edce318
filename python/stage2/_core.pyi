"""The core: everything that is bytes, ids, offsets and ranks.

Text crosses this border only when it is asked for; all else crosses as numpy arrays. Lists of
varying length are CSR: one flat array, and `offsets` of length n + 1, list i being
`flat[offsets[i]:offsets[i + 1]]`.

Every function that reads or writes a file raises FileNotFoundError, IsADirectoryError or another
OSError where the system refuses, and InputError where the file's contents are wrong. Every
function raises ValueError for arguments that make no sense, TypeError for those of another type,
an array's dtype and number of dimensions among it, and MemoryError where there is no room for what
was asked for. An array may lie in memory in any way; a masked one is refused.

Heavy work runs on all cores (`RAYON_NUM_THREADS` limits them) and without the interpreter's lock;
results do not depend on how many. What the main thread calls ends within a fraction of a second of
Ctrl-C, files that it was writing removed; its calls have threads of their own, and those of all
other threads share some. A process that was forked makes its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Protocol, SupportsIndex, TypeAlias, final, overload

import numpy as np
import numpy.typing as npt

__version__: str

class ArrowArray(Protocol):
    """What lends its data by Arrow's PyCapsule interface as one array."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...

class ArrowStream(Protocol):
    """What lends its data by Arrow's PyCapsule interface as a stream of arrays."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Scores: TypeAlias = npt.NDArray[np.float32]
Path: TypeAlias = str | PathLike[str]
# Arrow's strings or integers, as an array or a stream (of a table the column that has the name of
# the field); an array of numpy; a sequence of str, int and None.
Column: TypeAlias = ArrowArray | ArrowStream | npt.NDArray[Any] | Sequence[str | int | None]
OnError: TypeAlias = Literal["strict", "skip"]

class InputError(ValueError):
    """What a file holds is wrong: `FILE:LINE:COLUMN: what is wrong; what was expected; …`.

    Of a table in memory it is `TABLE, row ROW: what is wrong; …`.

    Attributes:
        file: the path as it was given.
        line: from 1; of a table in memory the row, from 0.
        column: in code points, from 1; 0 of a table in memory.
        reason: the kind of error, as in `rejected_counts`; e.g. `truncated_json`.
    """

    file: str
    line: int
    column: int
    reason: str

@final
class Rejected:
    """A row that was left out."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int:
        """From 1."""
    @property
    def column(self) -> int:
        """In code points, from 1."""
    @property
    def reason(self) -> str:
        """The kind of error, e.g. `unknown_chunk`."""
    @property
    def message(self) -> str:
        """What is wrong and what was expected."""
    @property
    def row(self) -> str:
        """The row as it stands in the file; what is not UTF-8 is replaced."""

class Loaded:
    """What was read from files, with what was found wrong in them.

    Under `on_error="strict"` the first bad row is an InputError. Under `"skip"` bad rows are left
    out and told here; a file that is empty, damaged as an archive, or without a single good row is
    an InputError all the same.
    """

    @property
    def rejected(self) -> list[Rejected]:
        """The rows left out, file by file, each file's in its order."""
    @property
    def rejected_counts(self) -> dict[str, int]:
        """How many rows were left out, by reason."""
    @property
    def warnings(self) -> list[str]:
        """What was accepted but is worth a look."""
    def write_rejected(self, path: Path) -> None:
        """Write the rows left out as JSONL: file, line, column, reason, message, row."""

@final
class TextColumn(Sequence[str]):
    """Texts that are decoded when they are asked for."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def take(self, indices: Ints) -> list[str]:
        """Give the texts at `indices`, int64 (n,); negative ones count from the end."""

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

@final
class Ranking:
    """Ranks of the best relevant candidate, and metrics, of n lists.

    Ties are random: all are expectations over the orders of equal scores (McSherry and Najork,
    ECIR 2008), each computed exactly; or they are broken as trec_eval does, and all are its values.
    """

    def __len__(self) -> int: ...
    def take(self, rows: Ints) -> Ranking:
        """Give the lists of `rows`, int64 (m,), in that order.

        Raises:
            ValueError: there is no such list.
        """
    @staticmethod
    def from_counts(
        above: Ints, equal: Ints, starts: Ints, lengths: Ints, gains: Floats | None = None
    ) -> Ranking:
        """Rank lists whose scores were only counted, ties being random.

        Args:
            above: int64 (p,), for each relevant candidate, one list's after another's, how many of
                its list score above it.
            equal: int64 (p,), how many score as it does, itself among them.
            starts: int64 (n + 1,), where each list's relevant candidates start.
            lengths: int64 (n,), candidates of each list.
            gains: float64 (p,), above 0, how relevant each is; None: all are 1.

        Raises:
            ValueError: no scores have such counts.
        """
    @staticmethod
    def concat(parts: Sequence[Ranking]) -> Ranking:
        """Give the lists of several rankings, one after another."""
    @property
    def rank(self) -> Floats:
        """Expected rank of the best relevant candidate, from 1: float64 (n,)."""
    @property
    def ties(self) -> Ints:
        """Other candidates with the best relevant one's score: int64 (n,).

        0 where ties are broken.
        """
    @property
    def reciprocal_rank(self) -> Floats:
        """Expected reciprocal of the rank: float64 (n,)."""
    @property
    def average_precision(self) -> Floats:
        """Expected average precision: float64 (n,)."""
    def success(self, k: int) -> Floats:
        """Give the probability that a relevant candidate is among the first k: float64 (n,)."""
    def recall(self, k: int) -> Floats:
        """Give the expected share of the relevant candidates in the first k: float64 (n,)."""
    def ndcg(self, k: int) -> Floats:
        """Give the expected nDCG at k: float64 (n,).

        A candidate's gain is its relevance, its discount log2(rank + 1), and the ideal is that of
        the list's own candidates.
        """
    def metrics(
        self, topk: Iterable[int] = (1, 3, 5), recall_at: Iterable[int] = ()
    ) -> dict[str, Any]:
        """Give means over the lists.

        Returns:
            `top{k}` for each k of `topk`, `mrr`, `map`, `ndcg10`, `mean_rank`, `recall{k}` for
            each k of `recall_at`; `ties`, the share of lists with a tie; `num_queries`; and under
            `chance` what a random order would get.
        """

def topk(queries: Scores, corpus: Scores, k: int) -> tuple[Ints, Scores]:
    """Find the k rows of the corpus with the largest dot products, exactly.

    A score is rounded to float32 once: the products are summed in float64, product i in running
    sum i mod 8, and the eight sums added up as a balanced tree. Ties go to the lower index. The
    answer does not depend on the machine or the number of threads.

    Args:
        queries: float32 (Q, d), finite.
        corpus: float32 (N, d), finite; vectors of any length, N below 2**32.
        k: from 1 to N.

    Returns:
        Indices, int64 (Q, k), and scores, float32 (Q, k), the best first.

    Raises:
        ValueError: A number is not finite (its row is named), or the sizes do not fit.
    """

def similarities(queries: Scores, corpus: Scores, rows: Ints, offsets: Ints) -> Scores:
    """Give the scores, as `topk` defines them, of given rows of the corpus for each query.

    Args:
        queries: float32 (Q, d), finite.
        corpus: float32 (N, d), finite.
        rows: int64 (m,), one query's rows after another's.
        offsets: int64 (Q + 1,).

    Returns:
        float32 (m,).
    """

def select_negatives(
    found: tuple[Ints, Scores],
    positives: tuple[Ints, Scores, Ints],
    groups: Ints | None,
    keys: Sequence[str],
    rules: Mapping[str, Any],
) -> tuple[Ints, Scores, Ints]:
    """Select each question's hard negatives from its nearest rows.

    Args:
        found: rows, int64 (n, k), best first, and their scores, float32 (n, k).
        positives: rows, int64 (p,), their scores, float32 (p,), and offsets, int64 (n + 1,).
        groups: int64 (N,), equal for rows of equal text; None: all differ.
        keys: n ids, for the draw.
        rules: `negatives`, `range_min`, `range_max`, `absolute_margin`, `relative_margin`,
            `max_score`, `min_score`, `seed`, as in `stage2.Rules`; None where there is none, and
            as a seed for no draw.

    Returns:
        Rows, int64 (m,), scores, float32 (m,), and offsets, int64 (n + 1,).
    """

def rank(
    scores: Scores,
    offsets: Ints,
    num_relevant: int | Ints | None = None,
    relevance: Floats | None = None,
    ties: Literal["expected", "trec_eval"] = "expected",
    tie_keys: Ints | None = None,
) -> Ranking:
    """Rank the relevant candidates of n lists.

    Args:
        scores: float32 (m,), finite.
        offsets: int64 (n + 1,).
        num_relevant: how many at the head of each list are relevant, of each list or of all: int64
            (n,) or one number, 1 if there is no `relevance` either.
        relevance: float64 (m,), finite, from 0: the gain of each candidate, relevant above 0.
        ties: `expected`, every order of equal scores as likely; or `trec_eval`, of equal scores the
            larger key first, then the larger index.
        tie_keys: int64 (m,), only for `trec_eval`.
    """

def order(scores: Scores, offsets: Ints, tie_keys: Ints | None = None) -> Ints:
    """Order each list by falling score, ties by rising key, then by index.

    Args:
        scores: float32 (m,), finite.
        offsets: int64 (n + 1,).
        tie_keys: int64 (m,).

    Returns:
        Places within the list: int64 (m,).
    """

def kendall_tau(scores: Scores, offsets: Ints) -> Floats:
    """Compare each list's order by score with its given order: τ-b, float64 (n,).

    Zero where it is not defined. Scores, float32 (m,), are finite.
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

def match_annotations(texts: Sequence[str], annotation_texts: Sequence[str]) -> Ints:
    """Find the annotation that belongs to each text, as `Annotations.spans_for` does.

    Args:
        texts: n texts.
        annotation_texts: texts with annotations; of equal ones, white space aside, the last is
            used, at the place of the first.

    Returns:
        Indices of `annotation_texts`, int64 (n,); -1 for none.
    """

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

def load_chunks(
    path: Path, on_error: OnError = "strict", max_decompressed: int | None = None
) -> tuple[TextColumn, Loaded]:
    """Read a corpus by itself, checked as `Dataset.load` checks it.

    Returns:
        The chunks' texts, and what was found wrong.
    """
