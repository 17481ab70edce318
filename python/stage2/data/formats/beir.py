"""The folder of BEIR (Thakur et al., NeurIPS 2021): a corpus, questions, and who answers what.

`corpus.jsonl` has rows with `_id`, `title` and `text`, `queries.jsonl` rows with `_id` and `text`.
A file of `qrels/` has a line for each judgement: the id of a question, the id of a chunk, and a
whole number, 0 for a chunk that is not relevant. Where there are several such files, each is one
side of the split, by its name.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from stage2._core import load_qrels
from stage2.config import InputConfig
from stage2.data.contents import SIDES, Contents
from stage2.data.judged_files import (
    check_lines,
    corpus_lines,
    judgements_of,
    query_lines,
    read_corpus,
    read_judged,
    read_queries,
)
from stage2.data.table_builder import TableBuilder
from stage2.data.tables import Tables
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.utils.files import check_regular
from stage2.variants import FORMATS, SIDE_OF_FILE, is_of

_FORMAT = FORMATS["beir"]
_CORPUS, _QUERIES, _QRELS = _FORMAT.parts


def read(settings: InputConfig, memory_map: bool) -> Contents:
    """Read the folder; questions without a relevant chunk are left out.

    Raises:
        BadInputError: a file is missing or there twice, or of several files with judgements one
            names no side.
        InputError: what a file holds is wrong.
    """
    if settings.data is None:
        raise ValueError("there is no --data to read")
    found, corpus, queries, judgements, sides = _parts(Path(settings.data))
    dataset, judged_in = load_qrels(
        found[queries],
        found[corpus],
        [found[name] for name in judgements],
        settings.entities,
        join_titles=settings.title == "join",
        on_error=settings.on_error,
        memory_map=memory_map,
        max_decompressed=settings.decompressed,
    )
    ids = {
        sides[name]: dataset.qa_ids.take(np.flatnonzero(judged_in == number))
        for number, name in enumerate(judgements)
        if name in sides
    }
    return Contents(
        dataset=dataset,
        annotations=dataset.annotations,
        sides=ids or None,
        judgements=tuple(judgements),
    )


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read all that the folder holds, to write it in another format.

    Raises:
        BadInputError: as `read`.
        InputError: what a file holds is wrong.
    """
    found, corpus, queries, judgements, sides = _parts(path)
    builder = TableBuilder()
    read_corpus(found[corpus], settings, builder)
    questions = read_queries(found[queries], settings, builder)
    qrels = {name: found[name] for name in judgements}
    return read_judged(questions, qrels, sides, settings, builder)


def write(given: Tables, path: Path) -> Counter[str]:
    """Write the folder, with a file of judgements for each side of a split.

    Raises:
        BadInputError: an id or a grade is none that qrels can hold.
    """
    check_lines(given, path)
    chunks = given.chunks()
    with files.replaced_folder(path) as folder:
        files.write_lines(folder / _CORPUS, corpus_lines(chunks))
        files.write_lines(
            folder / _QUERIES,
            (
                json.dumps({"_id": qa_id, "text": text}, ensure_ascii=False)
                for qa_id, text in query_lines(given)
            ),
        )
        for side, rows in judgements_of(given, chunks).items():
            lines = ["query-id\tcorpus-id\tscore"]
            lines += ["\t".join(map(str, row)) for row in rows]
            files.write_lines(folder / "qrels" / f"{side}.tsv", lines)
    return Counter()


def _parts(folder: Path) -> tuple[dict[str, Path], str, str, list[str], dict[str, str]]:
    """Find the files: all by name, the names of the three parts, and the side of each judgement."""
    if not folder.is_dir():
        raise BadInputError(f"{folder}: is no folder; expected {_FORMAT.text}")
    found = _FORMAT.files(folder)
    for path in found.values():
        check_regular(path)
    corpus, queries = (_only(folder, found, part) for part in (_CORPUS, _QUERIES))
    judgements = [name for name in found if is_of(name, _QRELS)]
    if not judgements:
        raise BadInputError(f"{folder}: has no {_QRELS}; expected {_FORMAT.text}")
    sides = _sides(folder, judgements)
    judgements.sort(key=lambda name: SIDES.index(sides.get(name, SIDES[0])))
    return found, corpus, queries, judgements, sides


def _only(folder: Path, found: dict[str, Path], part: str) -> str:
    """The one file of a part."""
    names = [name for name in found if is_of(name, part)]
    if len(names) == 1:
        return names[0]
    if not names:
        raise BadInputError(f"{folder}: has no {part}; expected {_FORMAT.text}")
    raise BadInputError(f"{folder}: has {' and '.join(names)}; expected one of them")


def _sides(folder: Path, judgements: list[str]) -> dict[str, str]:
    """The side of each file of judgements; none where there is one file."""
    sides = _FORMAT.sides(judgements)
    if len(judgements) == 1:
        return {}
    for name in judgements:
        if name not in sides:
            raise BadInputError(
                f"{folder / name}: is one of {len(judgements)} files with judgements, and its name "
                f"tells no side; expected {', '.join(SIDE_OF_FILE)}, or one file for all"
            )
    for side in SIDES:
        same = [name for name in judgements if sides[name] == side]
        if len(same) > 1:
            raise BadInputError(
                f"{folder}: {' and '.join(same)} are both the {side} side; expected one file"
            )
    return sides
