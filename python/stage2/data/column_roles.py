"""The roles of the columns of a table, and the meaning of a row of such columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

from stage2.data.faults import nearest
from stage2.data.json_rows import Node
from stage2.data.tables import Candidate, Chunk, Question
from stage2.utils.errors import BadInputError
from stage2.variants import COLUMNS


@dataclass(frozen=True)
class Roles:
    """The names of a table's columns by what is in them, as `variants.COLUMNS` has it.

    Attributes:
        negatives: all columns of negatives, in the order of their numbers.
    """

    question: str
    positive: str
    negatives: tuple[str, ...] = ()
    label: str | None = None
    score: str | None = None
    question_id: str | None = None
    chunk_id: str | None = None
    title: str | None = None
    answer: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns that are read."""
        values = [getattr(self, item.name) for item in fields(self)]
        return (*(name for name in values if isinstance(name, str)), *self.negatives)

    @property
    def grades(self) -> bool:
        """True if the labels are grades, and not the scores that a teacher gave to a tuple."""
        return self.label is not None and not self.negatives

    def sentence(self, file: str) -> str:
        """Return a sentence for people that says which column is read as what."""
        read = [f"questions from {self.question!r}", f"positives from {self.positive!r}"]
        if self.negatives:
            read.append(f"negatives from {', '.join(map(repr, self.negatives))}")
        for role in ("label", "score", "question_id", "chunk_id", "title", "answer"):
            if (name := getattr(self, role)) is not None:
                read.append(f"{role} from {name!r}")
        return f"{file}: {', '.join(read)}"


def roles_of(names: Sequence[str], given: str | None, file: str) -> Roles:
    """Tell which column is what, by --columns, then by the names that columns usually have.

    Args:
        names: the names of the columns.
        given: the value of --columns.
        file: the path of the table, for messages.

    Raises:
        BadInputError: --columns is wrong or names a column that is not there, or there is no column
            of questions or positives.
    """
    chosen = _given(names, given, file)
    for role, aliases in COLUMNS.items():
        if role in chosen:
            continue
        if role == "negative":
            found = [name for name in names if re.fullmatch(r"negatives?(_?\d+)?", name)]
            chosen[role] = sorted(found, key=_number)
        else:
            taken = {name for known in chosen.values() for name in known}
            found = [name for name in aliases if name in names and name not in taken]
            chosen[role] = found[:1]
    for role in ("question", "positive"):
        if not chosen[role]:
            expected = COLUMNS[role]
            raise BadInputError(
                f"{file}: no column is a {role}: there are {', '.join(map(repr, names))}; expected "
                f"one of {', '.join(expected)}{nearest(list(names), expected)}; or name it with "
                f"--columns {role}=NAME"
            )
    negatives = tuple(chosen.pop("negative"))
    return Roles(**{role: found[0] for role, found in chosen.items() if found}, negatives=negatives)


def question_of(row: Node, roles: Roles, unused: Counter[str]) -> Question:
    """Read a row of a table.

    Args:
        row: an object with the columns as members.
        roles: which column is what.
        unused: counts what the row has that cannot be held.

    Raises:
        InputError: the row is wrong.
    """
    positive = row.required(roles.positive)
    negatives = [
        text
        for name in roles.negatives
        if (node := row.member(name)) is not None
        for text in _texts(node)
    ]
    relevant = _candidates(row, roles, _texts(positive))
    others = [Candidate(Chunk(text.content())) for text in negatives]
    label = None if roles.label is None else row.member(roles.label)
    if label is not None and (not roles.grades or isinstance(label.value, list)):
        if isinstance(positive.value, list) and not roles.negatives:
            relevant = _graded(relevant, label)
        elif isinstance(label.value, list):
            relevant, others = _scored(relevant, others, label)
        else:
            label.number()
            unused["margins of a teacher"] += 1
    elif label is not None:
        relevant = [_with(one, grade=label.number()) for one in relevant]
    if roles.score is not None and (score := row.member(roles.score)) is not None:
        if isinstance(score.value, list):
            relevant, others = _scored(relevant, others, score)
        else:
            relevant = [_with(one, score=score.number()) for one in relevant]
    question_id = None if roles.question_id is None else row.member(roles.question_id)
    return Question(
        row.required(roles.question).content("empty_question"),
        id=None if question_id is None else question_id.identifier(),
        relevant=tuple(one for one in relevant if one.grade is None or one.grade > 0),
        negatives=(
            *(one for one in relevant if one.grade is not None and one.grade <= 0),
            *others,
        ),
        answer="" if roles.answer is None else row.optional_string(roles.answer),
    )


def _given(names: Sequence[str], given: str | None, file: str) -> dict[str, list[str]]:
    """Parse --columns."""
    chosen: dict[str, list[str]] = {}
    for part in [] if given is None else given.split(","):
        role, equals, name = (word.strip() for word in part.partition("="))
        if not equals or role not in COLUMNS or not name:
            raise BadInputError(
                f"--columns has {part!r}; expected ROLE=NAME with commas between them, where ROLE "
                f"is {', '.join(COLUMNS)}{nearest([role], tuple(COLUMNS))}"
            )
        if name not in names:
            raise BadInputError(
                f"--columns {part}: {file} has no column {name!r}; expected one of "
                f"{', '.join(map(repr, names))}{nearest([name], tuple(names))}"
            )
        if role in chosen and role != "negative":
            raise BadInputError(f"--columns names {role} twice; expected one column")
        chosen.setdefault(role, []).append(name)
    return chosen


def _number(name: str) -> tuple[int, str]:
    """Sort negative_2 before negative_10."""
    digits = re.search(r"\d+$", name)
    return (int(digits[0]) if digits else 0, name)


def _texts(node: Node) -> list[Node]:
    """Return the texts of a cell, which is a text or a list of texts."""
    return list(node.elements()) if isinstance(node.value, list) else [node]


def _candidates(row: Node, roles: Roles, texts: list[Node]) -> list[Candidate]:
    """Make the candidates of a row's positives, with their ids and titles."""
    ids, titles = (
        [None] * len(texts) if role is None else _beside(row, role, len(texts))
        for role in (roles.chunk_id, roles.title)
    )
    return [
        Candidate(
            Chunk(
                text.content(),
                "" if title is None else title.string(),
                None if chunk_id is None else chunk_id.identifier(),
            )
        )
        for text, chunk_id, title in zip(texts, ids, titles, strict=True)
    ]


def _beside(row: Node, name: str, count: int) -> list[Node | None]:
    """Return the cells that stand beside the texts of a row: one, or a list of as many."""
    node = row.member(name)
    if node is None:
        return [None] * count
    found = _texts(node)
    if len(found) != count:
        raise _length(node, len(found), count)
    return list(found)


def _graded(relevant: list[Candidate], label: Node) -> list[Candidate]:
    """Give each text of a labelled list its grade."""
    grades = [one.number() for one in label.elements()]
    if len(grades) != len(relevant):
        raise _length(label, len(grades), len(relevant))
    return [_with(one, grade=grade) for one, grade in zip(relevant, grades, strict=True)]


def _scored(
    relevant: list[Candidate], others: list[Candidate], scores: Node
) -> tuple[list[Candidate], list[Candidate]]:
    """Give each text of a tuple its score, the positives first."""
    values = [one.number() for one in scores.elements()]
    if len(values) != len(relevant) + len(others):
        raise _length(scores, len(values), len(relevant) + len(others))
    scored = [
        _with(one, score=score) for one, score in zip([*relevant, *others], values, strict=True)
    ]
    return scored[: len(relevant)], scored[len(relevant) :]


def _length(node: Node, found: int, expected: int) -> Exception:
    return node.fault(
        "length_mismatch",
        f"{node.name} has {found} elements for {expected} texts; expected one a text",
    )


def _with(
    candidate: Candidate, grade: float | None = None, score: float | None = None
) -> Candidate:
    """Return a candidate with a grade or a score."""
    return Candidate(
        candidate.chunk,
        candidate.grade if grade is None else grade,
        candidate.score if score is None else score,
    )
