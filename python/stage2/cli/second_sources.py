"""The second source of negatives that `--second-source` names, with the hash of its content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from stage2.cli.inputs import Inputs
from stage2.cli.systems import RunSystem
from stage2.config import Settings
from stage2.data.dataset import Dataset
from stage2.data.trec import read_run
from stage2.mining.second_source import Bm25Source, RunSource, SecondSource
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.variants import BM25

NAME = "second_source"


def second_source(settings: Settings, inputs: Inputs) -> tuple[SecondSource | None, dict[str, str]]:
    """Read the second source that the settings name, before anything is written.

    Returns:
        The source, None if there is none or no corpus is mined; and the hash of what it is, by
        name.

    Raises:
        BadInputError: it is no run of these questions and chunks.
    """
    named, dataset = settings.second_source, inputs.dataset
    if named is None or dataset is None or settings.source != "corpus":
        return None, {}
    if named in _WORDS:
        return _WORDS[named](dataset), {NAME: named}
    return _of_run(settings, inputs, named)


def _bm25(dataset: Dataset) -> SecondSource:
    return Bm25Source(dataset.qa_ids, dataset.questions, dataset.chunk_texts)


# A source that needs no file has a word of its own.
_WORDS: Mapping[str, Callable[[Dataset], SecondSource]] = {BM25: _bm25}


def _of_run(settings: Settings, inputs: Inputs, path: str) -> tuple[SecondSource, dict[str, str]]:
    if not Path(path).exists():
        raise BadInputError(
            f"--second-source {path}: no such file; expected {' or '.join(_WORDS)}, or the TREC "
            "run of any engine"
        )
    checked = files.check_regular(path)
    system = RunSystem(settings, {}, path, read_run(path, settings.decompressed))
    system.check(inputs)
    source = RunSource(checked.name, inputs.samples.qa_ids, system.scores(inputs.samples))
    return source, {NAME: files.sha256(checked)}
