"""Tables made of Arrow columns, without an object of Python for each row.

What a row means is what `column_roles.question_of` makes of it; a test holds the two together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2._core import InputError, TextColumn, numbered
from stage2.config import InputConfig
from stage2.data.arrow_cells import NO_TEXT, Cells, Collector, Values, Vocabulary
from stage2.data.column_roles import Roles, roles_of
from stage2.data.faults import input_error
from stage2.data.left_out import LeftOut
from stage2.data.tables import Lists, Tables, Texts, made_id, texts_of
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
    batches: Callable[[list[str]], Iterable[Any]],
    names: list[str],
    settings: InputConfig,
    file: str,
    sizes: Mapping[str, int] | None = None,
) -> Tables:
    """Make tables of record batches.

    Args:
        batches: gives the batches of pyarrow with some columns at least, by their names.
        names: the names of all columns.
        settings: columns, on_error.
        file: the path of the file, for messages.
        sizes: the bytes of each column's different texts at most, where that is known.

    Raises:
        BadInputError: no column is a question or a positive, or one has a wrong type.
        InputError: a row is wrong, or none is left.
    """
    roles = roles_of(names, settings.columns, file)
    collectors = _collectors(roles, file, Counter(sizes))
    num_rows = 0
    for batch in batches([*roles.names]):
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
        self.texts = cells[roles.positive].texts
        self.margins = 0
        self.candidates = self._candidates([roles.positive, *roles.negatives])
        self.question_first, self.question_of = numbered(
            _keys(self._of_questions(roles.question_id), self.questions.codes)
        )
        by_text = self.candidates.titles + 1
        by_text = by_text * max(1, len(self.texts)) + self.candidates.texts
        self.chunk_first, self.chunk_of = numbered(_keys(self.candidates.ids, by_text))

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
        overlap = np.zeros(len(pairs), bool)
        if is_negative.any():
            overlap = is_negative & np.isin(pairs, pairs[~is_negative])
        if overlap.any():
            unused["negatives that are relevant too"] += len(np.unique(pairs[overlap]))
        if self.margins:
            unused["margins of a teacher"] += self.margins
        relevant, negatives = (
            self._lists(np.flatnonzero(mask), asked, pairs)
            for mask in (~is_negative, is_negative & ~overlap)
        )
        questions = self.questions.texts.select(self.questions.codes[self.question_first])
        texts = self.texts.select(candidates.texts[self.chunk_first])
        titles = self._texts_of(self.roles.title, candidates.titles[self.chunk_first])
        given = self._of_questions(self.roles.question_id)[self.question_first]
        question_ids, made = self._ids(self.roles.question_id, given, [questions])
        given = candidates.ids[self.chunk_first]
        chunk_ids, also_made = self._ids(
            self.roles.chunk_id, given, [titles or [""] * len(texts), texts]
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

    def _candidates(self, names: list[str]) -> _Candidates:
        """Collect the values of the positives and the negatives, row by row."""
        parts = []
        for slot, name in enumerate(names):
            cells = self.cells[name]
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
                    cells.codes[there],
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
        if len(parts) > 1:
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
        first, number = numbered(pairs[places])
        asked = asked[places][first]
        # They are nearly always in order, which is quicker to see than to make.
        order = np.arange(len(asked)) if _rises(asked) else np.argsort(asked, kind="stable")
        values = []
        for given in (self.candidates.grades[places], self.candidates.scores[places]):
            # If a pair has several values, the first one counts.
            there = np.flatnonzero(~np.isnan(given))[::-1]
            known = np.full(len(first), np.nan)
            known[number[there]] = given[there]
            values.append(known[order] if len(there) else None)
        counts = np.bincount(asked, minlength=len(self.question_first))
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

    def _texts_of(self, name: str | None, codes: Ints) -> TextColumn | None:
        """Return the texts of a column that may be missing, "" for none; None if none is there."""
        if name is None:
            return None
        cells = self.cells[name]
        codes = np.where(np.isin(codes, _empty(cells)), -1, codes)
        return cells.texts.select(codes) if (codes >= 0).any() else None

    def _ids(
        self, name: str | None, codes: Ints, columns: list[Texts]
    ) -> tuple[Sequence[str], bool]:
        """Return the ids of rows, and whether one was made here of the row's texts."""
        texts = map(texts_of, columns)
        if name is None:
            return [made_id(*row) for row in zip(*texts, strict=True)], len(codes) > 0
        cells = self.cells[name]
        made = bool((codes < 0).any())
        # In a column of the core an empty id would be none.
        if not made and not np.isin(codes, _empty(cells)).any():
            return cells.texts.select(codes), False
        ids = texts_of(cells.texts)
        rows = zip(codes.tolist(), *texts, strict=True)
        return [made_id(*row) if code < 0 else ids[code] for code, *row in rows], made

    def _answers(self) -> TextColumn | None:
        """Return the first answer to each question; None if none has one."""
        if self.roles.answer is None:
            return None
        cells = self.cells[self.roles.answer]
        there = np.flatnonzero((cells.codes >= 0) & ~cells.marked(_empty(cells)))[::-1]
        first = np.full(len(self.question_first), -1)
        first[self.question_of[self.place[cells.rows[there]]]] = cells.codes[there]
        return self._texts_of(self.roles.answer, first)


def _collectors(roles: Roles, file: str, sizes: Counter[str]) -> dict[str, Collector]:
    """Return a collector for each column. What may be a candidate has its numbers in common."""
    candidates = (roles.positive, *roles.negatives)
    shared = Vocabulary(sum(sizes[name] for name in candidates))
    return {
        name: Collector(
            name,
            file,
            _kind(name, roles),
            shared if name in candidates else Vocabulary(sizes[name]),
        )
        for name in roles.names
    }


def _kind(name: str, roles: Roles) -> str:
    if name in (roles.label, roles.score):
        return "numbers"
    return "ids" if name in (roles.question_id, roles.chunk_id) else "texts"


def _faults(cells: dict[str, Cells], roles: Roles, num_rows: int) -> _Faults:
    """Find the rows with a fault. A row may be found for several."""
    found: _Faults = []

    def add(rows: Ints, reason: str, message: str) -> None:
        found.extend((int(row), reason, message) for row in np.unique(rows))

    for name, own in cells.items():
        if len(own.codes):
            message = f'"{name}" is no UTF-8; expected text in UTF-8'
            add(own.rows[own.codes == NO_TEXT], "invalid_utf8", message)
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
        is_blank = own.marked(own.blank)
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


def _keys(ids: Ints, other: Ints) -> Ints:
    """Return a number for each thing: that of its id, or else another one."""
    return np.where(ids >= 0, ids, other + int(ids.max(initial=-1)) + 1)


def _empty(cells: Cells) -> Ints:
    """Return the number of the empty text, if there is one."""
    empty = [code for code in cells.blank.tolist() if not cells.texts[code]]
    return np.asarray(empty, np.int64)


def _rises(numbers: Ints) -> bool:
    return bool((numbers[1:] >= numbers[:-1]).all())
