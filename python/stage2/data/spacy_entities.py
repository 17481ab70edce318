"""The entities that a spaCy pipeline finds.

A pipeline is a folder whose `config.cfg` names functions. spaCy's own functions read weights as
arrays and msgpack. Those of other packages may unpickle what is in the folder, or run what it
names. So a pipeline is loaded only if its components and all its functions are spaCy's own. An
installed package is not imported: only the folder in it is loaded.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stage2.data.annotate import Entities
from stage2.utils.errors import BadInputError
from stage2.utils.progress import Progress

# The components that may stand in a pipeline. They are spaCy's own, and keep what they learnt as
# arrays, msgpack or JSON.
COMPONENTS = (
    "attribute_ruler", "entity_ruler", "lemmatizer", "merge_entities", "merge_noun_chunks",
    "merge_subtokens", "morphologizer", "ner", "parser", "sentencizer", "senter", "span_ruler",
    "tagger", "tok2vec", "token_splitter", "trainable_lemmatizer",
)  # fmt: skip

# spaCy registers its functions under this name, and those of old versions under the second one.
_OWN = ("spacy.", "spacy-legacy.")

# A pipeline that changes itself when it is made could do anything.
_CALLBACKS = ("before_creation", "after_creation", "after_pipeline_creation")

# Texts that a pipeline reads at a time.
_BATCH = 256

_CONFIG = "config.cfg"


def load_pipeline(name: str) -> Any:
    """Load a pipeline from a folder, or from the folder in an installed package.

    Args:
        name: the folder, or the name of the package, such as `en_core_web_sm`.

    Raises:
        BadInputError: spaCy or the pipeline is not there, or the pipeline names functions that are
            not spaCy's own, or finds no entities.
    """
    try:
        import spacy
    except ImportError:
        raise BadInputError(
            "--spacy needs the package spacy; install it with: pip install 'stage2[spacy]'"
        ) from None
    folder = _folder(name)
    check_config(folder)
    try:
        pipeline = spacy.load(folder)
    except Exception as error:  # any: what a damaged folder raises is as varied as its damage
        raise BadInputError(f"--spacy {name}: cannot be loaded: {error}") from None
    return pipeline


def _folder(name: str) -> Path:
    """Find the folder of a pipeline."""
    path = Path(name)
    if path.is_dir():
        folders = [path]
    elif re.fullmatch(r"\w+", name):
        found = importlib.util.find_spec(name)
        places = (found.submodule_search_locations or []) if found is not None else []
        # A package holds its pipeline in a folder.
        folders = [inside.parent for place in places for inside in Path(place).glob(f"*/{_CONFIG}")]
    else:
        folders = []
    whole = [folder for folder in folders if (folder / _CONFIG).is_file()]
    if len(whole) != 1:
        raise BadInputError(
            f"--spacy {name}: no such pipeline; expected a folder with {_CONFIG}, or the name of "
            "an installed package with one. Nothing is downloaded: install the package first"
        )
    return whole[0]


def check_config(folder: Path) -> None:
    """Check that a pipeline names only what is spaCy's own.

    Raises:
        BadInputError: it names something else.
    """
    from confection import Config

    path = folder / _CONFIG
    try:
        config: Mapping[str, Any] = Config().from_disk(path, interpolate=False)
    except Exception as error:  # any: the file is a stranger's
        raise BadInputError(f"{path}: is no configuration of spaCy: {error}") from None
    language = config.get("nlp", {})
    problems = [
        f"nlp.{name} = {language[name]}" for name in _CALLBACKS if language.get(name) is not None
    ]
    components = config.get("components", {})
    for name, component in components.items():
        factory = component.get("factory")
        if factory not in COMPONENTS:
            problems.append(f"components.{name}.factory = {factory}")
    # Training and the first initialisation are not done, so what they name is not called.
    problems += [
        f"{place} = {function}"
        for part in ("nlp", "components")
        for place, function in _functions(config.get(part, {}), part)
        if not (isinstance(function, str) and function.startswith(_OWN))
    ]
    if problems:
        raise BadInputError(
            f"{path}: names what is not of spaCy itself ({'; '.join(problems)}), which could run "
            f"code of the pipeline's own; expected components of {', '.join(COMPONENTS)}. Annotate "
            "with spaCy yourself, and write text and targets as JSONL for --entities"
        )
    _check_finds_entities(path, components, language.get("pipeline", []))


def _functions(part: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield every function that a part of a configuration names, with its place."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            if str(name).startswith("@"):
                yield f"{place}.{name}", value
            yield from _functions(value, f"{place}.{name}")
    elif isinstance(part, list):
        for value in part:
            yield from _functions(value, place)


def _check_finds_entities(path: Path, components: Mapping[str, Any], names: Sequence[str]) -> None:
    finders = {"ner", "entity_ruler", "span_ruler"}
    factories = {components.get(name, {}).get("factory") for name in names}
    if finders.isdisjoint(factories):
        raise BadInputError(
            f"{path}: has no component that finds entities; expected {', '.join(sorted(finders))}"
        )


def find_entities(texts: Sequence[str], pipeline: Any, progress: Progress) -> Entities:
    """Find entities with a loaded pipeline.

    Args:
        texts: n texts.
        pipeline: a pipeline of `load_pipeline`.
        progress: called with the number of texts done and of all.

    Returns:
        The entities of `doc.ents`, by the label that the pipeline gives; their offsets are code
        points in spaCy too.

    Raises:
        BadInputError: a text is longer than the pipeline takes.
    """
    longest = max(map(len, texts), default=0)
    if longest > pipeline.max_length:
        raise BadInputError(
            f"a text has {longest:,} characters; spaCy takes at most {pipeline.max_length:,}: cut "
            "it into shorter ones"
        )
    spans: list[tuple[int, int]] = []
    labels: list[str] = []
    counts = [0]
    for doc in pipeline.pipe(texts, batch_size=_BATCH):
        spans += [(entity.start_char, entity.end_char) for entity in doc.ents]
        labels += [entity.label_ for entity in doc.ents]
        counts.append(len(spans))
        progress(len(counts) - 1, len(texts))
    offsets = np.asarray(counts, np.int64)
    text_of = np.repeat(np.arange(len(texts)), np.diff(offsets)).tolist()
    names = [texts[i][start:end] for i, (start, end) in zip(text_of, spans, strict=True)]
    pairs = np.asarray(spans, np.int64).reshape(-1, 2)
    return Entities(texts, pairs, offsets, names, labels)
