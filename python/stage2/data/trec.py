"""The files of TREC: runs, which say what a system found, and qrels, which say what is relevant.

A line of a run has six fields with white space between them: the id of a question, `Q0`, the id of
a document, a rank, a score and the name of the run. Only the score decides the order, as in
trec_eval. A line of qrels has four: the id of a question, an iteration, the id of a document and
its relevance, a whole number. BEIR's table, which has no iteration but a header, is read too.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stage2._core import read_bytes
from stage2.utils.arrays import Floats
from stage2.utils.errors import BadInputError
from stage2.utils.files import check_regular

logger = logging.getLogger(__name__)

_RUN = "question id, Q0, document id, rank, score, name of the run"
_QRELS = "question id, iteration, document id, relevance"
_BEIR = ["query-id", "corpus-id", "score"]
# Scores are compared as float32, as trec_eval compares them. Beyond this they would be infinite.
_LARGEST = 1e38
# Numbers of more digits than this are no relevance, and Python would be slow to read them.
_DIGITS = 9


@dataclass(frozen=True)
class Found:
    """The lines of a run for one question.

    Attributes:
        documents: the ids of the k documents, as they stand in the file.
        scores: float32 (k,), their scores.
    """

    documents: list[str]
    scores: Floats


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        name: the last field of its first line.
        questions: by the id of a question, what was found for it.
    """

    name: str
    questions: Mapping[str, Found]


# By the id of a question and of a document, the relevance.
Qrels = Mapping[str, Mapping[str, int]]


def read_run(path: str | Path, max_decompressed: int | None = None) -> Run:
    """Read a run, plain or compressed by gzip or Zstandard.

    Args:
        path: the file.
        max_decompressed: as `Dataset.load` has it.

    Raises:
        InputError: the file cannot be decompressed, or holds more bytes than it may.
        BadInputError: a line is no line of a run, a score is no finite number, or a document stands
            twice under one question. The message names file and line.
    """
    found: dict[str, dict[str, float]] = {}
    last: dict[str, tuple[float, float]] = {}
    against: set[str] = set()
    name = ""
    for place, fields in _lines(path, max_decompressed):
        if len(fields) != 6:
            raise BadInputError(f"{place}: has {len(fields)} fields; expected 6: {_RUN}")
        question, _, document, rank, written, tag = fields
        score = _number(written)
        if score is None or not abs(score) <= _LARGEST:
            raise BadInputError(
                f"{place}: the score is {written!r}; expected a number of at most {_LARGEST:g}"
            )
        name = name or tag
        documents = found.setdefault(question, {})
        if document in documents:
            raise BadInputError(
                f"{place}: the document {document!r} stands twice under the question {question!r}; "
                "expected each document once"
            )
        documents[document] = score
        number = _number(rank)
        if number is not None:
            before = last.get(question)
            if before is not None and (number > before[0]) and (score > before[1]):
                against.add(question)
            last[question] = number, score
    if not found:
        raise BadInputError(f"{path}: has no line; expected lines of {_RUN}")
    if against:
        logger.warning(
            "%s: of %d questions, such as %r, the ranks contradict the scores: the scores count, "
            "as in trec_eval", path, len(against), min(against),
        )  # fmt: skip
    questions = {
        question: Found(list(documents), np.fromiter(documents.values(), np.float32))
        for question, documents in found.items()
    }
    return Run(name, questions)


def read_qrels(path: str | Path, max_decompressed: int | None = None) -> Qrels:
    """Read qrels, plain or compressed by gzip or Zstandard.

    Args:
        path: the file.
        max_decompressed: as `Dataset.load` has it.

    Raises:
        InputError: the file cannot be decompressed, or holds more bytes than it may.
        BadInputError: a line is no line of qrels, a relevance is no whole number, or a document is
            judged twice for one question. The message names file and line.
    """
    found: dict[str, dict[str, int]] = {}
    fields_expected = 4
    for number, (place, fields) in enumerate(_lines(path, max_decompressed)):
        if number == 0 and [field.lower().replace("_", "-") for field in fields] == _BEIR:
            fields_expected = 3
            continue
        if len(fields) != fields_expected:
            wanted = f"4: {_QRELS}" if fields_expected == 4 else f"3: {', '.join(_BEIR)}"
            raise BadInputError(f"{place}: has {len(fields)} fields; expected {wanted}")
        question, document, written = fields[0], fields[-2], fields[-1]
        digits = written.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
            raise BadInputError(
                f"{place}: the relevance is {written!r}; expected a whole number, 0 for a document "
                "that is not relevant"
            )
        judged = found.setdefault(question, {})
        if document in judged:
            raise BadInputError(
                f"{place}: the document {document!r} is judged twice for the question "
                f"{question!r}; expected each document once"
            )
        judged[document] = int(written)
    if not found:
        raise BadInputError(f"{path}: has no judgement; expected lines of {_QRELS}")
    return found


def _lines(path: str | Path, max_decompressed: int | None) -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the fields of each line that is not blank."""
    checked = check_regular(path)
    if checked.is_dir():
        raise BadInputError(f"{path}: is a folder; expected a file")
    for number, line in enumerate(io.BytesIO(read_bytes(checked, max_decompressed)), 1):
        place = f"{path}:{number}"
        try:
            # A byte order mark can stand at the beginning only.
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise BadInputError(f"{place}: not UTF-8 at byte {error.start}") from None
        # Ids may have spaces of other scripts. trec_eval separates by those of ASCII.
        fields = text.strip(" \t\r\n\f\v").replace("\t", " ").split(" ")
        fields = [field for field in fields if field]
        if fields:
            yield place, fields


def _number(text: str) -> float | None:
    """Read a decimal number; None if the text is none. Python's `1_0` is none."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
