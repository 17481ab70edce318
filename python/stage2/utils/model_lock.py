"""A lock for a model: packing, casting and training change it, so only one thread may use it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from stage2.utils.errors import RunFailedError

# A waiting thread checks after so many seconds whether a training has begun.
_LOOK = 0.05


class ModelLock:
    """The lock of one model. A thread may take it again. A copy of the model has its own lock."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._trainer: int | None = None

    @contextmanager
    def embedding(self) -> Iterator[None]:
        """Hold the model while texts are embedded; wait while another thread embeds with it.

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
        """Hold the model while it is trained. The same thread may embed with it."""
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
