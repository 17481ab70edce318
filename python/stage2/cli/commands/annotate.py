"""`stage2 annotate` finds the entities in questions and chunks, and writes annotations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stage2._core import Dataset, Loaded, load_chunks, write_annotations
from stage2.call import data_files
from stage2.cli import console, dry_run
from stage2.cli.dry_run import Plan, Workload
from stage2.cli.inputs import write_rejected_rows
from stage2.config import Settings
from stage2.data.annotate import Entities, coverage, find_names, load_gazetteer
from stage2.data.formats import read
from stage2.report.coverage import coverage_table
from stage2.utils import files
from stage2.utils.errors import BadInputError


def annotate(settings: Settings, output: str, stats: bool) -> None:
    """Annotate every question and chunk, and write the annotations to one file."""
    if (settings.gazetteer is None) == (settings.spacy is None):
        raise BadInputError("expected one of --gazetteer FILE and --spacy MODEL")
    path = Path(output)
    _check_output(path, settings)
    kinds, loaded = _texts(settings)
    distinct = list(dict.fromkeys(text for texts in kinds.values() for text in texts))
    replaces = [output] if path.exists() else []
    texts = Workload({kind: len(texts) for kind, texts in kinds.items()})
    dry_run.plan(lambda: Plan(_reads(settings), texts, output, replaces=replaces))
    entities, more = _entities(settings, distinct)
    write_annotations(path, distinct, entities.spans, entities.offsets, entities.labels)
    _tell_rejected(path, [*loaded, *more])
    found = coverage(entities, kinds)
    if stats:
        console.result(coverage_table(found))
    console.keep_place(files.written(path.parent), [files.written(path)])
    parts = [
        f"{number:,} of {total:,} {kind}" for kind, (number, total) in found.with_entity.items()
    ]
    console.say(
        f"entity annotations: {len(entities.spans):,} entities in {' and '.join(parts)}; {path}"
    )
    for kind, (number, total) in found.with_entity.items():
        if total and not number:
            console.warn(
                f"none of {total:,} {kind} has an entity: such pairs are compared by their "
                "sentences. Expected names that stand in them as they are spelt here; see "
                "--ignore-case, --unicode-form, --stats"
            )


def _reads(settings: Settings) -> dict[str, str]:
    """Return the paths that are read, by their flags."""
    names = ("data", "qa", "chunks", "gazetteer", "spacy")
    given = {f"--{name}": getattr(settings, name) for name in names}
    return {flag: path for flag, path in given.items() if path is not None}


def _check_output(path: Path, settings: Settings) -> None:
    """Refuse an output that cannot be written, that is read, or that is there already."""
    if not path.parent.is_dir():
        raise BadInputError(f"--output {path}: {path.parent} is no folder; expected one that is")
    if path.is_dir() or not path.name:
        raise BadInputError(f"--output {path}: is a folder; expected the name of a file")
    if not path.exists():
        return
    named = (settings.qa, settings.chunks, settings.gazetteer)
    read_from = [Path(name) for name in named if name] + list(data_files(settings).values())
    for other in read_from:
        if other.exists() and os.path.samefile(path, other):
            raise BadInputError(f"--output {path}: is read by this command; give another name")
    if not settings.overwrite:
        raise BadInputError(
            f"--output {path}: is there already; give another name, or --overwrite to replace it"
        )


def _texts(settings: Settings) -> tuple[Mapping[str, Sequence[str]], list[Loaded]]:
    """Read the texts of each kind from --data, or from --chunks and --qa."""
    if settings.data is not None:
        if settings.qa is not None or settings.chunks is not None:
            raise BadInputError("--data is a data set by itself; give it, or --chunks and --qa")
        contents = read(settings, memory_map=True)
        if contents.dataset is not None:
            return _of_dataset(contents.dataset), [contents.dataset]
        if contents.samples is None:
            raise ValueError("a data set has neither a corpus nor samples")
        samples = contents.samples
        return {"questions": samples.questions, "contexts": samples.contexts}, [samples]
    if settings.chunks is None:
        raise BadInputError(
            "no texts to annotate; give --chunks FILE, and --qa FILE, or --data PATH"
        )
    for name in (settings.chunks, settings.qa):
        if name is not None:
            files.check_regular(name)
    if settings.qa is None:
        texts, found = load_chunks(settings.chunks, settings.on_error, settings.decompressed)
        return {"chunks": texts}, [found]
    dataset = Dataset.load(
        settings.qa, settings.chunks, None, settings.on_error, True, settings.decompressed
    )
    return _of_dataset(dataset), [dataset]


def _of_dataset(dataset: Dataset) -> Mapping[str, Sequence[str]]:
    return {"questions": dataset.questions, "chunks": dataset.chunk_texts}


def _entities(settings: Settings, texts: Sequence[str]) -> tuple[Entities, list[Loaded]]:
    """Find the entities of texts, by the gazetteer or by the pipeline."""
    if settings.spacy is not None:
        from stage2.data.spacy_entities import find_entities, load_pipeline

        pipeline = load_pipeline(settings.spacy)
        with console.bar("spaCy") as progress:
            return find_entities(texts, pipeline, progress), []
    gazetteer = load_gazetteer(settings, settings.on_error, settings.decompressed)
    return find_names(texts, gazetteer), [gazetteer]


def _tell_rejected(path: Path, loaded: Sequence[Loaded]) -> None:
    """Show the warnings about the files that were read, and write the skipped rows, if any."""
    for one in loaded:
        for warning in one.warnings:
            console.warn(warning)
    rejected = [row for one in loaded for row in one.rejected]
    if rejected:
        write_rejected_rows(files.told_beside(path, files.REJECTED), rejected)
