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
from stage2.data.arrow_cells import Cells, Collector, Values, Vocabulary
from stage2.data.cell_faults import Faults, faults_of, left_out, without
from stage2.data.column_roles import Roles, roles_of
from stage2.data.faults import input_error
from stage2.data.left_out import LeftOut
from stage2.data.tables import Lists, Tables, Texts, made_id, texts_of
from stage2.utils.arrays import Ints, Mask


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
) -> Tables:
    """Make tables of record batches.

    Args:
        batches: gives the batches of pyarrow with some columns at least, by their names.
        names: the names of all columns.
        settings: columns, on_error.
        file: the path of the file, for messages.

    Raises:
        BadInputError: no column is a question or a positive, or one has a wrong type.
        InputError: a row is wrong, or none is left.
    """
    roles = roles_of(names, settings.columns, file)
    cells, num_rows = collected(batches([*roles.names]), roles, [*roles.names], file)
    return tables_of_cells(cells, num_rows, names, roles, settings, file)


def collected(
    batches: Iterable[Any],
    roles: Roles,
    names: Sequence[str],
    file: str,
    sizes: Mapping[str, int] | None = None,
) -> tuple[dict[str, Cells], int]:
    """Collect the cells of columns, batch by batch. Return them with the number of rows.

    Args:
        batches: record batches of pyarrow that have the columns at least.
        roles: the roles of all columns.
        names: the names of the columns to collect: all candidates of a row, or none of them.
        file: the path of the file, for messages.
        sizes: the bytes of each column's different texts at most, where that is known.

    Raises:
        BadInputError: a column has a wrong type.
    """
    collectors = _collectors(roles, names, file, Counter(sizes))
    num_rows = 0
    for batch in batches:
        num_rows += batch.num_rows
        for name, collector in collectors.items():
            collector.add(batch.column(name))
    return {name: collector.cells() for name, collector in collectors.items()}, num_rows


def tables_of_cells(
    cells: dict[str, Cells],
    num_rows: int,
    names: list[str],
    roles: Roles,
    settings: InputConfig,
    file: str,
) -> Tables:
    """Make tables of cells.

    Args:
        cells: those of all columns that have a role.
        num_rows: the number of rows.
        names: the names of all columns.
        roles: the roles of the columns.
        settings: on_error.
        file: the path of the file, for messages.

    Raises:
        BadInputError: a column has a wrong type.
        InputError: a row is wrong, or none is left.
    """
    errors: list[InputError] = []
    cells = without(cells, faults_of(cells, roles, num_rows), num_rows, file, errors)
    table = _Table(cells, roles)
    if conflicts := table.conflicts():
        cells = without(table.cells, conflicts, num_rows, file, errors)
        table = _Table(cells, roles)
    # The conflicts were found last, and may stand before other faults.
    errors.sort(key=lambda error: error.line)
    if errors and settings.on_error == "strict":
        raise errors[0]
    if not len(cells[roles.question].rows):
        why = f"all {num_rows} rows are left out" if num_rows else "the file has no rows"
        raise input_error(file, 1, 0, "empty_file", f"{why}; expected at least one question")
    unread = {f"the column {name!r}": num_rows for name in names if name not in roles.names}
    return table.tables(roles.sentence(file), Counter(unread), left_out(errors, file))


class _Table:
    """The rows that have no fault, with numbers in place of texts."""

    def __init__(self, cells: dict[str, Cells], roles: Roles) -> None:
        self.cells, self.roles = dict(cells), roles
        for name in (roles.question_id, roles.chunk_id):
            if name is not None:
                self._number(name)
        # The number of a row among those that are left; None if all are.
        self.place = _places(cells[roles.question].rows)
        self.margins = 0
        # Texts need one number each only where they tell things apart, in place of ids.
        question_ids = self._of_questions(roles.question_id)
        if (question_ids < 0).any():
            self._number(roles.question)
        self.candidates = self._candidates([roles.positive, *roles.negatives])
        if (self.candidates.ids < 0).any():
            self._number(roles.positive, *roles.negatives)
            if roles.title is not None:
                self._number(roles.title)
            self.candidates = self._candidates([roles.positive, *roles.negatives])
        self.questions = self.cells[roles.question]
        self.texts = self.cells[roles.positive].texts
        keys = _keys(question_ids, lambda: self.questions.codes)
        self.question_first, self.question_of = numbered(keys)
        keys = _keys(self.candidates.ids, self._by_text)
        self.chunk_first, self.chunk_of = numbered(keys)

    def conflicts(self) -> Faults:
        """Return the rows with an id that an earlier row has for another text."""
        found: Faults = []
        for first, inverse, codes, texts, rows, what, reason in (
            (self.question_first, self.question_of, self.questions.codes, self.questions.texts,
             self.questions.rows, "question", "duplicate_qa_id"),
            (self.chunk_first, self.chunk_of, self.candidates.texts, self.texts,
             self.candidates.rows, "chunk", "duplicate_chunk_id"),
        ):  # fmt: skip
            if len(first) == len(inverse):
                continue
            firsts = codes[first[inverse]]
            places = np.flatnonzero(firsts != codes)
            # Equal texts may have several numbers.
            places = places[texts.differ(firsts[places], codes[places])]
            for place in places:
                message = f"the id of the {what} is that of another {what} too; expected one text"
                found.append((int(rows[place]), reason, message))
        return found

    def tables(self, sentence: str, unused: Counter[str], rejected: list[LeftOut]) -> Tables:
        """Return the tables of these rows."""
        candidates = self.candidates
        asked = self.question_of[self._place_of(candidates.rows)]
        is_negative = candidates.given_negative | (candidates.grades <= 0)
        pairs = asked * max(1, len(self.chunk_first))
        pairs += self.chunk_of
        overlap = np.zeros(len(pairs), bool)
        if is_negative.any():
            overlap = is_negative & np.isin(pairs, pairs[~is_negative])
        if overlap.any():
            unused["negatives that are relevant too"] += len(np.unique(pairs[overlap]))
        if self.margins:
            unused["margins of a teacher"] += self.margins
        relevant, negatives = (
            self._lists(mask, asked, pairs) for mask in (~is_negative, is_negative & ~overlap)
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

    def _place_of(self, rows: Ints) -> Any:
        """Return the places of rows among those that are left, to index with."""
        if self.place is not None:
            return self.place[rows]
        # Nearly always all rows are meant, each once, and no copy is made of what is at them.
        return slice(None) if _is_each(rows, len(self.cells[self.roles.question].rows)) else rows

    def _by_text(self) -> Ints:
        """Return a number for each title and text of the candidates."""
        return (self.candidates.titles + 1) * max(1, len(self.texts)) + self.candidates.texts

    def _number(self, *names: str) -> None:
        """Give equal texts one number. Columns that share their texts are numbered together."""
        if not self.cells[names[0]].distinct:
            first = self.cells[names[0]].texts.first_equal()
            for name in names:
                self.cells[name] = self.cells[name].numbered(first)

    def _candidates(self, names: list[str]) -> _Candidates:
        """Collect the values of the positives and the negatives, row by row."""
        parts = []
        for slot, name in enumerate(names):
            cells = self.cells[name]
            there: Any = cells.codes >= 0
            if there.all():
                there = slice(None)
            rows = cells.rows[there]
            ids, titles = (
                _constant(-1, len(rows)) if slot else self._of_positives(role)[there]
                for role in (self.roles.chunk_id, self.roles.title)
            )
            none = _constant(np.nan, len(rows))
            parts.append(
                _Candidates(
                    rows,
                    cells.codes[there],
                    titles,
                    ids,
                    _constant(slot > 0, len(rows)),
                    none,
                    none,
                )
            )
        whole = parts[0]
        if len(parts) > 1:
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
        beside: Values = cells.numbers[self._place_of(whole.rows)]
        return beside

    def _lists(self, mask: Mask, asked: Ints, pairs: Ints) -> Lists:
        """Make the lists of the candidates that are marked, each chunk once for a question."""
        # Nearly always all or none are marked, differ and are in order, which is quicker to see
        # than to make.
        places: Any = slice(None) if mask.all() else np.flatnonzero(mask)
        first, number = numbered(pairs[places])
        once: Any = slice(None) if len(first) == len(number) else first
        asked = asked[places][once]
        order: Any = slice(None) if _rises(asked) else np.argsort(asked, kind="stable")
        values: list[Values | None] = []
        for given in (self.candidates.grades[places], self.candidates.scores[places]):
            # If a pair has several values, the first one counts.
            there = np.flatnonzero(~np.isnan(given))[::-1]
            if not len(there):
                values.append(None)
                continue
            known = np.full(len(first), np.nan)
            known[number[there]] = given[there]
            values.append(known[order])
        counts = np.bincount(asked, minlength=len(self.question_first))
        offsets = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        return Lists(offsets, self.chunk_of[places][once][order], *values)

    def _of_questions(self, name: str | None) -> Ints:
        """Return the codes of a column beside the questions; -1 where there is none."""
        own = self.cells[self.roles.question if name is None else name].codes
        return _constant(-1, len(own)) if name is None else own

    def _of_positives(self, name: str | None) -> Ints:
        """Return the codes of a column beside the positives; -1 where there is none."""
        positive = self.cells[self.roles.positive]
        if name is None:
            return _constant(-1, len(positive.codes))
        cells = self.cells[name]
        if cells.lists:
            # A row has none, or one for each of its positives.
            found = np.full(len(positive.codes), -1)
            found[np.isin(positive.rows, cells.rows)] = cells.codes
            return found
        beside: Ints = cells.codes[self._place_of(positive.rows)]
        return beside

    def _texts_of(self, name: str | None, codes: Ints) -> TextColumn | None:
        """Return the texts of a column that may be missing, "" for none; None if none is there."""
        if name is None:
            return None
        cells = self.cells[name]
        if len(empty := cells.empty()):
            codes = np.where(cells.marked(empty, codes), -1, codes)
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
        if not made and not cells.marked(cells.empty(), codes).any():
            return cells.texts.select(codes), False
        ids = texts_of(cells.texts)
        rows = zip(codes.tolist(), *texts, strict=True)
        return [made_id(*row) if code < 0 else ids[code] for code, *row in rows], made

    def _answers(self) -> TextColumn | None:
        """Return the first answer to each question; None if none has one."""
        if self.roles.answer is None:
            return None
        cells = self.cells[self.roles.answer]
        there = np.flatnonzero((cells.codes >= 0) & ~cells.marked(cells.empty()))[::-1]
        first = np.full(len(self.question_first), -1)
        asked = self.question_of[self._place_of(cells.rows[there])]
        first[asked] = cells.codes[there]
        return self._texts_of(self.roles.answer, first)


def _collectors(
    roles: Roles, names: Sequence[str], file: str, sizes: Counter[str]
) -> dict[str, Collector]:
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
        for name in names
    }


def _kind(name: str, roles: Roles) -> str:
    if name in (roles.label, roles.score):
        return "numbers"
    return "ids" if name in (roles.question_id, roles.chunk_id) else "texts"


def _keys(ids: Ints, other: Callable[[], Ints]) -> Ints:
    """Return a number for each thing: that of its id, or else another one."""
    if (ids >= 0).all():
        return ids
    return np.where(ids >= 0, ids, other() + int(ids.max(initial=-1)) + 1)


def _places(rows: Ints) -> Ints | None:
    """Return the place of each row among rows, which rise; None if each is its own."""
    count = int(rows[-1]) + 1 if len(rows) else 0
    if count == len(rows):
        return None
    places = np.zeros(count, np.int64)
    places[rows] = np.arange(len(rows))
    return places


def _constant(value: Any, count: int) -> npt.NDArray[Any]:
    """Return an array that has one value everywhere, and takes no memory."""
    return np.broadcast_to(np.asarray(value), count)


def _is_each(rows: Ints, count: int) -> bool:
    """Tell whether rows, which rise, are those from 0 to a count, each once."""
    return len(rows) == count and bool((rows[1:] > rows[:-1]).all())


def _rises(numbers: Ints) -> bool:
    return bool((numbers[1:] >= numbers[:-1]).all())
