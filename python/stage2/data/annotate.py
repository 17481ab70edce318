"""Entity annotations of texts: the names of a gazetteer, or the entities of a spaCy pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stage2._core import Gazetteer
from stage2.config import AnnotationConfig
from stage2.utils.arrays import Ints


@dataclass(frozen=True)
class Entities:
    """The entities of n texts.

    Attributes:
        texts: n texts.
        spans: int64 (m, 2), start and end (exclusive) in code points.
        offsets: int64 (n + 1,), where the spans of each text start.
        names: m names. They are those of the gazetteer, or the texts of the spans.
        labels: m labels; "" for none.
        known: all names that were looked for, each once; None for a spaCy pipeline.
    """

    texts: Sequence[str]
    spans: Ints
    offsets: Ints
    names: Sequence[str]
    labels: Sequence[str]
    known: Sequence[str] | None = None

    def targets(self) -> list[list[dict[str, Any]]]:
        """Return for each text a list of `char_start`, `char_end`, `span_text`, and `label`."""
        found: list[list[dict[str, Any]]] = []
        for i, text in enumerate(self.texts):
            rows: list[dict[str, Any]] = []
            for place in range(int(self.offsets[i]), int(self.offsets[i + 1])):
                start, end = map(int, self.spans[place])
                row = {"span_text": text[start:end], "char_start": start, "char_end": end}
                rows.append(row | ({"label": self.labels[place]} if self.labels[place] else {}))
            found.append(rows)
        return found


@dataclass(frozen=True)
class Coverage:
    """How much of the texts the entities cover.

    Attributes:
        with_entity: for each kind of text the number with an entity, and the number of all.
        never_met: the names that no text has; None for a spaCy pipeline.
        known: the number of names that were looked for.
        names: each name that was met, and how often, the most frequent first.
        labels: each label, and the number of entities with it and of texts that have one, the most
            frequent first.
    """

    with_entity: Mapping[str, tuple[int, int]]
    never_met: Sequence[str] | None
    known: int
    names: Sequence[tuple[str, int]]
    labels: Sequence[tuple[str, int, int]]


def annotate(
    texts: Sequence[str],
    gazetteer: str | Path | Gazetteer,
    *,
    ignore_case: bool = False,
    unicode_form: str = "nfc",
    min_length: int = 1,
) -> list[list[dict[str, Any]]]:
    """Find the names of a gazetteer in texts.

    Args:
        texts: n texts.
        gazetteer: the names, or the file that `Gazetteer.load` reads them from.
        ignore_case: as in `Gazetteer.load`. Names that are loaded already have their own.
        unicode_form: likewise.
        min_length: likewise.

    Returns:
        For each text its entities, as `model.encode(texts, entities=…)` takes them: dicts with
        `char_start`, `char_end` (exclusive, code points), `span_text`, and `label` where the name
        has one.

    Raises:
        InputError: a row of the file is wrong.
        ValueError: a setting is wrong.
    """
    if not isinstance(gazetteer, Gazetteer):
        gazetteer = load_gazetteer(
            AnnotationConfig(
                gazetteer=str(gazetteer),
                ignore_case=ignore_case,
                unicode_form=unicode_form,
                min_length=min_length,
            )
        )
    return find_names(texts, gazetteer).targets()


def load_gazetteer(
    settings: AnnotationConfig, on_error: Any = "strict", max_decompressed: int | None = None
) -> Gazetteer:
    """Load the gazetteer that settings name."""
    if settings.gazetteer is None:
        raise ValueError("there is no gazetteer to load")
    form: Any = settings.unicode_form  # it was checked to be one of the choices
    return Gazetteer.load(
        settings.gazetteer,
        ignore_case=settings.ignore_case,
        unicode_form=form,
        min_length=settings.min_length,
        on_error=on_error,
        max_decompressed=max_decompressed,
    )


def find_names(texts: Sequence[str], gazetteer: Gazetteer) -> Entities:
    """Find the names of a gazetteer in texts."""
    spans, offsets, found = gazetteer.find(texts)
    return Entities(
        texts,
        spans,
        offsets,
        names=gazetteer.names.take(found),
        labels=gazetteer.labels.take(found),
        known=list(dict.fromkeys(gazetteer.names)),
    )


def coverage(entities: Entities, kinds: Mapping[str, Sequence[str]]) -> Coverage:
    """Count what the entities cover.

    Args:
        entities: of texts that include all texts of `kinds`.
        kinds: the texts of each kind, such as questions and chunks.
    """
    has_entity = np.diff(entities.offsets) > 0
    place = {text: i for i, text in enumerate(entities.texts)}
    names = Counter(entities.names)
    text_of = np.repeat(np.arange(len(entities.texts)), np.diff(entities.offsets))
    labels = Counter(entities.labels)
    label_texts = Counter(label for label, _ in set(zip(entities.labels, text_of, strict=True)))
    known = entities.known
    return Coverage(
        with_entity={
            kind: (sum(bool(has_entity[place[text]]) for text in texts), len(texts))
            for kind, texts in kinds.items()
        },
        never_met=None if known is None else [name for name in known if name not in names],
        known=0 if known is None else len(known),
        names=sorted(names.items(), key=lambda item: (-item[1], item[0])),
        labels=sorted(
            ((label, count, label_texts[label]) for label, count in labels.items()),
            key=lambda item: (-item[1], item[0]),
        ),
    )
