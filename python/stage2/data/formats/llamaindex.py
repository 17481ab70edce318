"""The QA data sets of LlamaIndex: `EmbeddingQAFinetuneDataset.save_json`.

A JSON object with `queries`, texts by their ids; `corpus`, texts by their ids; and `relevant_docs`,
lists of ids of the corpus by the ids of questions. Python's parser reads the file: it is one JSON
value, which the core, a reader of rows, does not take.
"""

from __future__ import annotations

from pathlib import Path

from stage2.config import InputConfig
from stage2.data.faults import check_not_empty, read_row
from stage2.data.json_rows import Node, read_document
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Candidate, Chunk, Question, Tables


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the file. A question of which `relevant_docs` says nothing has no relevant chunk.

    Raises:
        InputError: what the file holds is wrong, or no question is left.
    """
    builder = TableBuilder()
    document = read_document(path, settings)
    for chunk_id, text in document.required("corpus").members():
        builder.add_chunk(Chunk(text.content(), id=chunk_id))
    queries, judged = document.required("queries"), document.required("relevant_docs")

    def push(node: Node) -> None:
        question_id = str(node.path[-1])
        relevant = judged.member(question_id)
        builder.add(
            Question(
                node.content("empty_question"),
                id=question_id,
                relevant=()
                if relevant is None
                else tuple(_named(builder, one) for one in relevant.elements()),
            )
        )

    for _, query in queries.members():
        read_row(query, push, builder, settings)
    for question_id, node in judged.members():
        if question_id not in queries.value:
            raise node.fault("unknown_question", f'{node.name} is no id of "queries"')
    check_not_empty(builder, str(path))
    return builder.tables()


def _named(builder: TableBuilder, node: Node) -> Candidate:
    chunk = builder.chunk_named(node.identifier())
    if chunk is None:
        raise node.fault(
            "unknown_chunk", f'there is no chunk {node.value!r} in "corpus"; expected an id of it'
        )
    return Candidate(chunk)
