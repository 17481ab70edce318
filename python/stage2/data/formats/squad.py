"""SQuAD 1.1 and 2.0 (Rajpurkar et al., 2016 and 2018), and data sets in its form such as XQuAD.

A JSON object whose `data` has articles, each with `paragraphs`, each with a `context` and the
questions `qas` about it. A paragraph is a chunk. A question that is marked `is_impossible` has no
answer in its paragraph, and is left out. Python's parser reads the file: it is one JSON value,
which the core, a reader of rows, does not take.
"""

from __future__ import annotations

from pathlib import Path

from stage2.config import InputConfig
from stage2.data.faults import check_not_empty, read_row
from stage2.data.json_rows import Node, read_document
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Candidate, Chunk, Question, Tables


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the file.

    Raises:
        InputError: what the file holds is wrong, or no question is left.
    """
    builder = TableBuilder()
    questions = impossible = 0

    def push_question(node: Node) -> None:
        nonlocal questions, impossible
        questions += 1
        flag = node.member("is_impossible")
        if flag is not None and flag.value is True:
            impossible += 1
            return
        builder.add(_question(node, chunk))

    for article in read_document(path, settings).required("data").elements():
        for paragraph in article.required("paragraphs").elements():
            chunk = Chunk(paragraph.required("context").content())
            builder.add_chunk(chunk)
            for node in paragraph.required("qas").elements():
                read_row(node, push_question, builder, settings)
    if impossible:
        builder.notes.append(
            f"{path}: {impossible} of {questions} questions have no answer in their paragraph "
            "(is_impossible); they are left out"
        )
        builder.unused["questions that are impossible to answer"] += impossible
    check_not_empty(builder, str(path))
    return builder.tables()


def _question(node: Node, chunk: Chunk) -> Question:
    answers = node.member("answers")
    texts = [] if answers is None else [one.required("text") for one in answers.elements()]
    qa_id = node.member("id")
    return Question(
        node.required("question").content("empty_question"),
        id=None if qa_id is None else qa_id.identifier(),
        relevant=(Candidate(chunk),),
        answer=texts[0].string() if texts else "",
    )
