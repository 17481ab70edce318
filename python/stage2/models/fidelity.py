"""The check that a written model gives the same vectors in the tool that it is for."""

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

# Another order of summation changes vectors of length 1 in float32 by at most about this much.
TOLERANCE = 1e-5
_ROLES: tuple[Role, ...] = ("query", "document")

# A function that embeds texts of a role: float32 (n, d).
Read = Callable[[Sequence[str], Role], Floats]


def reader_of(model: Encoder) -> Read:
    """Return a function that embeds with an encoder of stage2."""
    return lambda texts, role: encode(model, texts, role=role, precision="fp32").mu


def check_fidelity(
    model: Encoder,
    read: Read,
    name: str | os.PathLike[str],
    texts: Sequence[str] = TEXTS,
    tolerance: float = TOLERANCE,
) -> None:
    """Compare the vectors of a model with those of its written form.

    Args:
        model: the model that was written.
        read: a function that embeds with the written form, by the tool that it is for.
        name: the name of the written form, for the message.
        texts: the texts to compare on.
        tolerance: the largest allowed difference, as a share of the largest value or, if that is
            below 1, of 1.

    Raises:
        RunFailedError: the vectors differ by more.
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
