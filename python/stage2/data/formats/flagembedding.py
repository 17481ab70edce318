"""JSONL of FlagEmbedding, which trains the models of the BGE family.

A row has a `query`, lists of texts `pos` and `neg`, and optionally a teacher's `pos_scores` and
`neg_scores` and the `prompt` of the query. Python's parser reads the rows: the core has no rows
with such lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stage2.config import InputConfig
from stage2.data.faults import check_not_empty
from stage2.data.json_rows import Node, read_rows
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Candidate, Chunk, Question, Tables
from stage2.utils import files
from stage2.utils.row_files import write_rows
from stage2.variants import HELD

_MEMBERS = frozenset(("query", "pos", "neg", "pos_scores", "neg_scores", "prompt"))


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the file.

    Raises:
        InputError: a row is wrong, or none is left.
    """
    builder = TableBuilder()

    def push(node: Node) -> None:
        builder.add(_question(node))
        builder.unused.update(f"members {name!r}" for name in node.value.keys() - _MEMBERS)

    read_rows(path, settings, builder, push)
    check_not_empty(builder, str(path))
    return builder.tables()


def write(given: Tables, path: Path) -> Counter[str]:
    """Write a row for each question. Scores are left out where only some of its texts have one."""
    chunks = given.chunks()
    with files.atomic(path) as temporary:
        write_rows(temporary, map(row, given.rows(chunks)), "jsonl")
    return incomplete(
        candidates
        for question in given.rows(chunks)
        for candidates in (question.relevant, question.negatives)
    )


def _question(node: Node) -> Question:
    return Question(
        node.required("query").content("empty_question"),
        relevant=_candidates(node, "pos", node.required("pos")),
        negatives=_candidates(node, "neg", node.member("neg")),
        prompt=node.optional_string("prompt"),
    )


def _candidates(node: Node, name: str, texts: Node | None) -> tuple[Candidate, ...]:
    found = [] if texts is None else [Chunk(text.content()) for text in texts.elements()]
    scores = node.member(f"{name}_scores")
    if scores is None:
        return tuple(map(Candidate, found))
    values = [score.number() for score in scores.elements()]
    if len(values) != len(found):
        raise scores.fault(
            "length_mismatch",
            f'{scores.name} has {len(values)} elements, "{name}" has {len(found)}; expected one '
            "score a text",
        )
    return tuple(Candidate(chunk, score=value) for chunk, value in zip(found, values, strict=True))


def row(question: Question) -> dict[str, Any]:
    """Return the row of a question.

    A list of texts has scores if each of them has one. An empty list has them beside
    one that has: a training by knowledge distillation reads both.
    """
    made: dict[str, Any] = {"query": question.text}
    lists = {"pos": question.relevant, "neg": question.negatives}
    made |= {name: [one.chunk.text for one in found] for name, found in lists.items()}
    scores = {name: all_scores(found) for name, found in lists.items()}
    if any(scores.values()):
        made |= {f"{name}_scores": scores[name] for name, found in lists.items()
                 if scores[name] or not found}  # fmt: skip
    if question.prompt:
        made["prompt"] = question.prompt
    return made


def incomplete(lists: Iterable[Sequence[Candidate]]) -> Counter[str]:
    """Count the scores in lists of which not all candidates have one."""
    count = sum(
        sum(one.score is not None for one in candidates)
        for candidates in lists
        if not all_scores(candidates)
    )
    return Counter({f"{HELD['scores']}, in lists of which some texts have none": count})


def all_scores(candidates: Sequence[Candidate]) -> list[float]:
    """Return the scores of candidates, or none unless all have one."""
    scores = [candidate.score for candidate in candidates if candidate.score is not None]
    return scores if len(scores) == len(candidates) else []
