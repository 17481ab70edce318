"""Data in memory as files, so that a call from Python is a call on files like any other.

The files stand in the folder `data/` of the run and are named by their content. The settings that
the run folder keeps name them, so that the run can be continued and repeated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from stage2.data.arrow_cells import arrow
from stage2.data.dataset import Annotations, Dataset, Samples
from stage2.utils import files
from stage2.utils.errors import BadInputError, exit_code_of

FOLDER = "data"

# So many rows of a table of `datasets` are read at a time.
_ROWS = 10_000


@contextmanager
def as_files(data: Any, folder: Path) -> Iterator[dict[str, str]]:
    """Write data into a run folder, and yield the settings that name it.

    If bad input ends the block, what was written is deleted again: a refused call changes nothing.

    Args:
        data: a data set, samples, or a table with the columns of `variants.COLUMNS`, which has
            Arrow's PyCapsule interface or is of the library `datasets`.
        folder: the run folder, which need not exist yet.

    Yields:
        Values of the settings `data`, or `qa`, `chunks`, `entities` and `title`.

    Raises:
        BadInputError: the data is none of these, or pyarrow is missing.
    """
    places = (folder / FOLDER, folder, *folder.parents)
    made = [place for place in places if not place.exists()]
    kept = _Kept(folder / FOLDER)
    try:
        yield _write(data, kept)
    except Exception as error:
        if exit_code_of(error) == BadInputError.exit_code:
            for path in kept.made:
                path.unlink(missing_ok=True)
            for place in made:
                with suppress(OSError):  # other files may have come into it
                    place.rmdir()
        raise


class _Kept:
    """A folder of files that are named by their content.

    Attributes:
        folder: the folder.
        made: the files that were not there before.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Path] = []

    @contextmanager
    def new(self, name: str) -> Iterator[tuple[Path, list[str]]]:
        """Yield a path to write to, and a list to which the path of the kept file is added."""
        stem, suffix = name.split(".")
        at: list[str] = []
        # Its name is known when it is written.
        with files.atomic(self.folder / name) as temporary:
            yield temporary, at
        written = self.folder / name
        target = self.folder / f"{stem}-{files.sha256(written)[:16]}.{suffix}"
        if not target.exists():
            self.made.append(target)
        written.replace(target)
        at.append(str(target))

    def rows(self, name: str, rows: Iterator[dict[str, Any]]) -> str:
        """Write rows as JSONL, and return the path."""
        with self.new(name) as (path, at), path.open("w", encoding="utf-8", newline="\n") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
        return at[0]


def _write(data: Any, kept: _Kept) -> dict[str, str]:
    if isinstance(data, Dataset):
        found = {
            "qa": kept.rows("qa.jsonl", _questions(data)),
            "chunks": kept.rows("chunks.jsonl", _chunks(data)),
        }
        if data.annotations is not None:
            return found | {"entities": kept.rows("entities.jsonl", _entities(data.annotations))}
        # The texts are as the data set has them: with the titles if it has joined them.
        return found | {"title": "ignore"}
    if isinstance(data, Samples):
        with kept.new("samples.jsonl") as (path, at):
            data.write_jsonl(path)
        return {"data": at[0]}
    schema, batches = _batches(data)
    ipc = arrow("pyarrow.ipc")
    with kept.new("table.arrow") as (path, at), ipc.new_file(str(path), schema) as out:
        for batch in batches:
            # Without the metadata that libraries add, such as their version.
            out.write_batch(batch.replace_schema_metadata(None))
    return {"data": at[0]}


def _batches(data: Any) -> tuple[Any, Iterator[Any]]:
    """Return the schema of a table and its record batches."""
    if hasattr(data, "__arrow_c_stream__"):
        reader = arrow().RecordBatchReader.from_stream(data)
        return reader.schema.remove_metadata(), iter(reader)
    if hasattr(data, "with_format") and hasattr(data, "iter"):
        tables = data.with_format("arrow").iter(_ROWS)
        first = next(tables, None)
        if first is None:
            raise BadInputError("data: the table has no rows; expected at least one question")
        batches = chain.from_iterable(table.to_batches() for table in chain([first], tables))
        return first.schema.remove_metadata(), batches
    raise BadInputError(
        f"data is of the type {type(data).__name__}; expected a path, a stage2.Dataset, "
        "stage2.Samples, or a table: of Arrow, Polars, DuckDB or pandas (2.2 or newer), or a "
        "datasets.Dataset. Of several splits save_to_disk makes a folder, whose path is taken"
    )


def _questions(data: Dataset) -> Iterator[dict[str, Any]]:
    # Each row of a question has the ground truths of all its rows. Where they have grades, files
    # put them by falling grade, while the data set has those of the row itself first.
    starts, relevant, grades = data.relevant_offsets, data.relevant, data.grades
    ids = data.chunk_ids
    texts = zip(data.qa_ids, data.questions, data.answers, strict=True)
    for number, (qa_id, question, answer) in enumerate(texts):
        part = slice(starts[number], starts[number + 1])
        row: dict[str, Any] = {"qa_id": qa_id, "question": question}
        row["chunk_ids"] = [ids[chunk] for chunk in relevant[part].tolist()]
        if answer:
            row["answer"] = answer
        if grades is not None:
            row["grades"] = grades[part].tolist()
        yield row


def _chunks(data: Dataset) -> Iterator[dict[str, Any]]:
    for chunk_id, title, text in zip(
        data.chunk_ids, data.chunk_titles, data.chunk_texts, strict=True
    ):
        yield {"chunk_id": chunk_id, **({"title": title} if title else {}), "text": text}


def _entities(annotations: Annotations) -> Iterator[dict[str, Any]]:
    starts, spans = annotations.offsets, annotations.spans.tolist()
    for number, text in enumerate(annotations.texts):
        targets = [
            {"char_start": start, "char_end": end}
            for start, end in spans[starts[number] : starts[number + 1]]
        ]
        yield {"text": text, "targets": targets}
