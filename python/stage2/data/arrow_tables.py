"""Tables made of Arrow columns, without an object of Python for each row.

What a row means is what `column_roles.question_of` makes of it; a test holds the two together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2._core import InputError
from stage2.config import InputConfig
from stage2.data.arrow_cells import Cells, Collector, Values, blank, merged
from stage2.data.column_roles import Roles, roles_of
from stage2.data.faults import input_error
from stage2.data.left_out import LeftOut
from stage2.data.tables import Lists, Tables, made_id
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError

# A row is shown in messages and rejected.jsonl by its number alone: its texts may be long.
_Faults = list[tuple[int, str, str]]


@dataclass(frozen=True)
class _Candidates:
    """The candidates of all rows, row by row: k values of each."""

    rows: Ints
    texts: Ints
    titles: Ints
    ids: Ints
    given_negative: npt.NDArray[np.bool_]
    grades: Values
    scores: Values

    def take(self, places: Ints) -> _Candidates:
        """Return some of them."""
        return _Candidates(*(getattr(self, name)[places] for name in self.__dataclass_fields__))


def read_batches(
    batches: Iterable[Any], names: list[str], settings: InputConfig, file: str
) -> Tables:
    """Make tables of record batches.

    Args:
        batches: of pyarrow.
        names: the names of the columns.
        settings: columns, on_error.
        file: the path of the file, for messages.

    Raises:
        BadInputError: no column is a question or a positive, or one has a wrong type.
        InputError: a row is wrong, or none is left.
    """
    roles = roles_of(names, settings.columns, file)
    collectors = {name: Collector(name, file, _kind(name, roles)) for name in roles.names}
    num_rows = 0
    for batch in batches:
        num_rows += batch.num_rows
        for name, collector in collectors.items():
            collector.add(batch.column(name))
    cells = {name: collector.cells() for name, collector in collectors.items()}
    errors: list[InputError] = []
    cells = _without(cells, _faults(cells, roles, num_rows), num_rows, file, errors)
    table = _Table(cells, roles)
    if conflicts := table.conflicts():
        cells = _without(cells, conflicts, num_rows, file, errors)
        table = _Table(cells, roles)
    # The conflicts were found last, and may stand before other faults.
    errors.sort(key=lambda error: error.line)
    if errors and settings.on_error == "strict":
        raise errors[0]
    if not len(cells[roles.question].rows):
        why = f"all {num_rows} rows are left out" if num_rows else "the file has no rows"
        raise input_error(file, 1, 0, "empty_file", f"{why}; expected at least one question")
    unread = {f"the column {name!r}": num_rows for name in names if name not in roles.names}
    return table.tables(roles.sentence(file), Counter(unread), _left_out(errors, file))


class _Table:
    """The rows that have no fault, with numbers in place of texts."""

    def __init__(self, cells: dict[str, Cells], roles: Roles) -> None:
        self.cells, self.roles = cells, roles
        self.questions = cells[roles.question]
        # The number of a row among those that are left.
        self.place = np.zeros(int(self.questions.rows.max(initial=-1)) + 1, np.int64)
        self.place[self.questions.rows] = np.arange(len(self.questions.rows))
        names = [roles.positive, *roles.negatives]
        self.texts, renumbered = merged([cells[name].dictionary for name in names])
        self.margins = 0
        self.candidates = self._candidates(names, renumbered)
        self.question_first, self.question_of = _numbered(
            _keys(self._of_questions(roles.question_id), self.questions.codes)
        )
        by_text = self.candidates.titles + 1
        by_text = by_text * max(1, len(self.texts)) + self.candidates.texts
        self.chunk_first, self.chunk_of = _numbered(_keys(self.candidates.ids, by_text))

    def conflicts(self) -> _Faults:
        """Return the rows with an id that an earlier row has for another text."""
        found: _Faults = []
        for first, inverse, codes, rows, what, reason in (
            (self.question_first, self.question_of, self.questions.codes, self.questions.rows,
             "question", "duplicate_qa_id"),
            (self.chunk_first, self.chunk_of, self.candidates.texts, self.candidates.rows,
             "chunk", "duplicate_chunk_id"),
        ):  # fmt: skip
            for place in np.flatnonzero(codes[first[inverse]] != codes):
                message = f"the id of the {what} is that of another {what} too; expected one text"
                found.append((int(rows[place]), reason, message))
        return found

    def tables(self, sentence: str, unused: Counter[str], rejected: list[LeftOut]) -> Tables:
        """Return the tables of these rows."""
        candidates = self.candidates
        asked = self.question_of[self.place[candidates.rows]]
        is_negative = candidates.given_negative | (candidates.grades <= 0)
        pairs = asked * max(1, len(self.chunk_first)) + self.chunk_of
        overlap = is_negative & np.isin(pairs, pairs[~is_negative])
        if overlap.any():
            unused["negatives that are relevant too"] += len(np.unique(pairs[overlap]))
        if self.margins:
            unused["margins of a teacher"] += self.margins
        relevant, negatives = (
            self._lists(np.flatnonzero(mask), asked, pairs)
            for mask in (~is_negative, is_negative & ~overlap)
        )
        questions = self.questions.dictionary.take(self.questions.codes[self.question_first])
        texts = self.texts.take(candidates.texts[self.chunk_first])
        titles = self._title_texts()
        given = self._of_questions(self.roles.question_id)
        question_ids, made = _ids(
            self._texts_of(self.roles.question_id, given[self.question_first]), [questions]
        )
        chunk_ids, also_made = _ids(
            self._texts_of(self.roles.chunk_id, candidates.ids[self.chunk_first]),
            [titles or [""] * len(texts), texts],
        )
        return Tables(
            questions=questions,
            question_ids=question_ids,
            texts=texts,
            chunk_ids=chunk_ids,
            relevant=relevant,
            negatives=negatives,
            titles=titles,
            answers=self._answers(),
            made_ids=frozenset(
                name for name, is_made in (("questions", made), ("chunks", also_made)) if is_made
            ),
            notes=(sentence,),
            unused=unused,
            rejected=tuple(rejected),
        )

    def _candidates(self, names: list[str], renumbered: Ints) -> _Candidates:
        """Collect the values of the positives and the negatives, row by row."""
        parts, start = [], 0
        for slot, name in enumerate(names):
            cells = self.cells[name]
            own = renumbered[start : start + len(cells.dictionary)]
            start += len(cells.dictionary)
            there = cells.codes >= 0
            rows = cells.rows[there]
            ids, titles = (
                np.full(len(rows), -1) if slot else self._of_positives(role)[there]
                for role in (self.roles.chunk_id, self.roles.title)
            )
            none = np.full(len(rows), np.nan)
            parts.append(
                _Candidates(
                    rows,
                    own[cells.codes[there]],
                    titles,
                    ids,
                    np.full(len(rows), slot > 0),
                    none,
                    none,
                )
            )
        whole = _Candidates(*(
            np.concatenate([getattr(part, name) for part in parts])
            for name in _Candidates.__dataclass_fields__
        ))  # fmt: skip
        whole = whole.take(np.argsort(whole.rows, kind="stable"))
        grades, scores = whole.grades, whole.scores
        if self.roles.label is not None:
            label = self.cells[self.roles.label]
            if self.roles.grades and (not label.lists or self.cells[self.roles.positive].lists):
                grades = self._beside(label, whole)
            elif label.lists:
                scores = self._beside(label, whole)
            else:
                self.margins = int(np.count_nonzero(~np.isnan(label.numbers)))
        if self.roles.score is not None:
            score = self.cells[self.roles.score]
            given = self._beside(score, whole)
            if not score.lists:
                given = np.where(whole.given_negative, np.nan, given)
            scores = np.where(np.isnan(given), scores, given)
        return _Candidates(
            whole.rows, whole.texts, whole.titles, whole.ids, whole.given_negative, grades, scores
        )

    def _beside(self, cells: Cells, whole: _Candidates) -> Values:
        """Return the number that stands beside each candidate; NaN if there is none."""
        if cells.lists:
            # A row has none, or one for each of its candidates.
            found = np.full(len(whole.rows), np.nan)
            found[np.isin(whole.rows, cells.rows)] = cells.numbers
            return found
        return cells.numbers[self.place[whole.rows]]

    def _lists(self, places: Ints, asked: Ints, pairs: Ints) -> Lists:
        """Make the lists of the candidates at `places`, each chunk once for a question."""
        keys, first, inverse = np.unique(pairs[places], return_index=True, return_inverse=True)
        order = np.lexsort((first, asked[places][first]))
        values = []
        for given in (self.candidates.grades[places], self.candidates.scores[places]):
            # If a pair has several values, the first one counts.
            known = np.full(len(keys), np.nan)
            there = np.flatnonzero(~np.isnan(given))[::-1]
            known[inverse[there]] = given[there]
            values.append(None if np.isnan(known).all() else known[order])
        counts = np.bincount(asked[places][first], minlength=len(self.question_first))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Lists(offsets, self.chunk_of[places][first][order], *values)

    def _of_questions(self, name: str | None) -> Ints:
        """Return the codes of a column beside the questions; -1 where there is none."""
        return np.full(len(self.questions.codes), -1) if name is None else self.cells[name].codes

    def _of_positives(self, name: str | None) -> Ints:
        """Return the codes of a column beside the positives; -1 where there is none."""
        positive = self.cells[self.roles.positive]
        if name is None:
            return np.full(len(positive.codes), -1)
        cells = self.cells[name]
        if cells.lists:
            # A row has none, or one for each of its positives.
            found = np.full(len(positive.codes), -1)
            found[np.isin(positive.rows, cells.rows)] = cells.codes
            return found
        return cells.codes[self.place[positive.rows]]

    def _texts_of(self, name: str | None, codes: Ints) -> list[str | None]:
        if name is None:
            return [None] * len(codes)
        texts = self.cells[name].dictionary.to_pylist()
        return [None if code < 0 else texts[code] for code in codes]

    def _title_texts(self) -> list[str] | None:
        """Return the title of each chunk; None if none has one."""
        codes = self.candidates.titles[self.chunk_first]
        titles = [title or "" for title in self._texts_of(self.roles.title, codes)]
        return titles if any(titles) else None

    def _answers(self) -> list[str] | None:
        """Return the first answer to each question; None if none has one."""
        if self.roles.answer is None:
            return None
        cells = self.cells[self.roles.answer]
        texts = cells.dictionary.to_pylist()
        answers = [""] * len(self.question_first)
        for row, code in zip(self.place[cells.rows], cells.codes, strict=True):
            if code >= 0 and not answers[self.question_of[row]]:
                answers[self.question_of[row]] = texts[code]
        return answers if any(answers) else None


def _kind(name: str, roles: Roles) -> str:
    if name in (roles.label, roles.score):
        return "numbers"
    return "ids" if name in (roles.question_id, roles.chunk_id) else "texts"


def _faults(cells: dict[str, Cells], roles: Roles, num_rows: int) -> _Faults:
    """Find the rows with a fault. A row may be found for several."""
    found: _Faults = []

    def add(rows: Ints, reason: str, message: str) -> None:
        found.extend((int(row), reason, message) for row in np.unique(rows))

    for name in (roles.question, roles.positive, *roles.negatives):
        own, what = cells[name], f'"{name}"'
        if own.lists and name == roles.question:
            raise BadInputError(f"the column {name!r} holds lists; expected a text a row")
        if name not in roles.negatives or own.lists:
            # A tuple may be shorter than others; a list has no reason to have a hole.
            null = own.rows[own.codes < 0]
            if name == roles.positive:
                null = np.concatenate([null, own.missing])
            add(null, "missing_field", f"{what} is null; expected text")
        is_blank = np.append(blank(own.dictionary), False)[own.codes]
        reason = "empty_question" if name == roles.question else "empty_text"
        add(own.rows[is_blank], reason, f"{what} is empty or only white space; expected text")
    positives = np.bincount(cells[roles.positive].rows, minlength=num_rows)
    candidates = positives + sum(
        np.bincount(cells[name].rows[cells[name].codes >= 0], minlength=num_rows)
        for name in roles.negatives
    )
    for name in filter(None, (roles.chunk_id, roles.title, roles.label, roles.score)):
        own = cells[name]
        if len(own.numbers):
            wrong = np.isinf(own.numbers) | (np.abs(own.numbers) > 3e38)
            add(own.rows[wrong], "not_finite", f'"{name}" is no number that float32 holds')
        wanted = candidates if name in (roles.label, roles.score) else positives
        counts, given = np.ones(num_rows, np.int64), np.zeros(num_rows, bool)
        if own.lists:
            counts, given = np.bincount(own.rows, minlength=num_rows), ~given
            given[own.missing] = False
        elif name in (roles.chunk_id, roles.title):
            # They are of one text; a label or a score may be of several.
            given[own.rows[own.codes >= 0]] = True
        add(
            np.flatnonzero(given & (counts != wanted)),
            "length_mismatch",
            f'"{name}" has not as many elements as there are texts; expected one a text',
        )
    return found


def _without(
    cells: dict[str, Cells], faults: _Faults, num_rows: int, file: str, errors: list[InputError]
) -> dict[str, Cells]:
    """Return the cells of the rows without a fault, and add an error for each of the others."""
    kept = np.ones(num_rows, bool)
    for row, reason, message in faults:
        if kept[row]:
            # Rows are counted from 1, as viewers of tables count them.
            errors.append(input_error(file, row + 1, 0, reason, message))
        kept[row] = False
    return {name: own.kept(kept) for name, own in cells.items()} if faults else cells


def _left_out(errors: list[InputError], file: str) -> list[LeftOut]:
    """Return the rows that have these errors."""
    found = []
    for error in errors:
        message = str(error).split(f", row {error.line}: ", 1)[1]
        found.append(LeftOut(file, error.line, 0, error.reason, message, ""))
    return found


def _numbered(keys: Ints) -> tuple[Ints, Ints]:
    """Number different keys by their first place.

    Returns:
        The first place of each number, and the number of each key.
    """
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return first[order], number[inverse]


def _keys(ids: Ints, other: Ints) -> Ints:
    """Return a number for each thing: that of its id, or else another one."""
    return np.where(ids >= 0, ids, other + int(ids.max(initial=-1)) + 1)


def _ids(given: list[str | None], columns: list[Any]) -> tuple[list[str], bool]:
    """Return the ids of rows, and whether one was made here of the row's texts."""
    made = any(one is None for one in given)
    if not made:
        return [one for one in given if one is not None], False
    texts = zip(
        *(column if isinstance(column, list) else column.to_pylist() for column in columns),
        strict=True,
    )
    return [
        made_id(*row) if one is None else one for one, row in zip(given, texts, strict=True)
    ], True
