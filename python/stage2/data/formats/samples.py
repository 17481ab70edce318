"""Samples that are constructed already: what `stage2 prepare` and `mine` write."""

from __future__ import annotations

from stage2._core import Annotations, Samples
from stage2.config import InputConfig
from stage2.data.contents import Contents


def read(settings: InputConfig, _memory_map: bool) -> Contents:
    """Read a file of samples, and the annotations of --entities.

    Samples are few: they are never mapped.
    """
    if settings.data is None:
        raise ValueError("there is no --data to read")
    how = settings.on_error, settings.decompressed
    samples = Samples.load_jsonl(settings.data, *how)
    annotations = Annotations.load(settings.entities, *how) if settings.entities else None
    return Contents(samples=samples, annotations=annotations)
