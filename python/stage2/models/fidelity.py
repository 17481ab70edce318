"""The check of a written model: read by the tool that it is for, it gives the same vectors."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from stage2.encoding.encode import encode
from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Role
from stage2.models.model_check import TEXTS
from stage2.utils.arrays import Floats
from stage2.utils.errors import RunFailedError

# The difference that another order of summation makes in float32, of vectors about 1 long.
TOLERANCE = 1e-5
_ROLES: tuple[Role, ...] = ("query", "document")

# Embeds texts of a role: float32 (n, d).
Read = Callable[[Sequence[str], Role], Floats]


def reader_of(model: Encoder) -> Read:
    """A function that embeds by an encoder of stage2."""
    return lambda texts, role: encode(model, texts, role=role, precision="fp32").mu


def check_fidelity(
    model: Encoder,
    read: Read,
    name: str | os.PathLike[str],
    texts: Sequence[str] = TEXTS,
    tolerance: float = TOLERANCE,
) -> None:
    """Compare the vectors of a model with those of what was written of it.

    Args:
        model: that was written.
        read: gives the vectors of the written model, by the tool that it is for.
        name: of what was written, for the message.
        texts: to compare on.
        tolerance: the greatest difference, as a share of the greatest value, at least 1.

    Raises:
        RunFailedError: they differ by more.
    """
    for role in _ROLES:
        wanted = encode(model, texts, role=role, precision="fp32").mu
        found = read(texts, role)
        gap = float(np.abs(found - wanted).max()) if found.shape == wanted.shape else np.inf
        if not gap <= tolerance * max(1.0, float(np.abs(wanted).max())):
            raise RunFailedError(
                f"{name}: read back, it gives other vectors of a {role} than the model that was "
                f"measured, by up to {gap:.1e}; expected at most {tolerance:g}. It is not kept"
            )
