"""Who works with a model: what packs, casts and trains changes it, and is done one at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from stage2.utils.errors import RunFailedError

# How often a thread that waits looks whether a training has begun, in seconds.
_LOOK = 0.05


class ModelLock:
    """One model's lock. A thread may take it again; a copy of the model has one of its own."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._trainer: int | None = None

    @contextmanager
    def embedding(self) -> Iterator[None]:
        """Have the model for oneself while texts are embedded; others' texts are waited for.

        Raises:
            RunFailedError: another thread trains the model, which may take hours.
        """
        while not self._lock.acquire(timeout=_LOOK):
            if self._trainer is not None:
                raise RunFailedError(
                    "the model is being trained by another thread, and embeds nothing meanwhile; "
                    "embed with a copy: copy.deepcopy(model), made before"
                )
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def training(self) -> Iterator[None]:
        """Have the model for oneself while it is trained; the same thread may embed with it."""
        with self._lock:
            before, self._trainer = self._trainer, threading.get_ident()
            try:
                yield
            finally:
                self._trainer = before

    def __deepcopy__(self, memo: object) -> ModelLock:
        return ModelLock()

    def __reduce__(self) -> tuple[type[ModelLock], tuple[()]]:
        return ModelLock, ()
