"""The vectors of a run's questions and corpus by the models before and after, with their ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stage2.cli import console
from stage2.cli.export_options import Options
from stage2.cli.finished_run import FinishedRun
from stage2.cli.stage1 import embedding_cache, model_when_needed
from stage2.encoding.tokens import Role
from stage2.mining.corpus import embed_texts
from stage2.utils.errors import BadInputError
from stage2.utils.row_files import write_vectors


def write(run: FinishedRun, options: Options, folder: Path) -> None:
    """Write a folder for each model, with a file for questions and one for the corpus.

    Raises:
        BadInputError: an id is missing, or has a line break and would stand on a line of its own.
    """
    inputs = run.inputs
    samples = inputs.samples
    corpus = samples.contexts if inputs.dataset is None else inputs.dataset.chunk_texts
    ids = {
        "questions": list(samples.qa_ids),
        "corpus": list(samples.context_ids if inputs.dataset is None else inputs.dataset.chunk_ids),
    }
    for name, own in ids.items():
        _check_ids(name, own, options.file_kind)
    texts = {"questions": samples.questions, "corpus": corpus}
    roles: dict[str, Role] = {"questions": "query", "corpus": "document"}
    for which, path in run.models.items():
        settings = run.settings_of(path)
        model, cache = model_when_needed(settings, path), embedding_cache(settings, path)
        (folder / which).mkdir()
        for name, column in texts.items():
            with console.bar(f"{which}: {name}") as progress:
                found = embed_texts(
                    model, inputs.annotations, column, roles[name], settings, folder, progress,
                    cache,
                )  # fmt: skip
            target = folder / which / f"{name}.{options.file_kind}"
            if options.file_kind == "parquet":
                write_vectors(target, ids[name], found.mu)
            else:
                np.save(target, found.mu, allow_pickle=False)
                lines = "".join(f"{one}\n" for one in ids[name])
                target.with_suffix(".ids.txt").write_text(lines, "utf-8", newline="\n")
            console.say(f"{which}/{target.name}: {len(found.mu)} vectors of {found.mu.shape[1]}")
            with_entity = int(found.has_entity.sum())
            if with_entity:
                console.warn(
                    f"{which}/{target.name}: {with_entity} of its {len(column)} texts have vectors "
                    "of their entities too, by which pairs with entities are compared; what is "
                    "written are the vectors of whole texts"
                )


def _check_ids(name: str, ids: Sequence[str], kind: str) -> None:
    for one in ids:
        if not one:
            raise BadInputError(f"{name}: a text has no id, and a vector is found by its id")
        if kind == "npy" and one.splitlines() != [one]:
            raise BadInputError(
                f"{name}: the id {one!r} has a line break, and a file of ids has one in each line; "
                "expected ids without, or --as parquet"
            )
