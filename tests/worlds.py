"""A stand-in for several processes, which does their work in this one."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any


class Played:
    """Like `utils.distributed.World`, but the work of each process is pickled and done here."""

    def __init__(self, size: int, lent: Any = None) -> None:
        self.size = size
        self.lent = lent
        self.rounds = 0

    def map(self, job: Callable[..., Any], arguments: Sequence[Any], **own: Any) -> list[Any]:
        assert len(arguments) == self.size
        self.rounds += 1
        sent = [pickle.loads(pickle.dumps(argument)) for argument in arguments]
        return [job(self, sent[0], **own), *(job(self, argument) for argument in sent[1:])]
