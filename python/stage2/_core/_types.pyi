"""Types of arguments and results. They exist only for type checkers."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

class ArrowArray(Protocol):
    """An object that gives its data as one array through Arrow's PyCapsule interface."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...

class ArrowStream(Protocol):
    """An object that gives its data as a stream of arrays through Arrow's PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Scores: TypeAlias = npt.NDArray[np.float32]
Bools: TypeAlias = npt.NDArray[np.bool_]
Path: TypeAlias = str | PathLike[str]
# An Arrow array or stream of strings or integers, a numpy array, or a sequence of str, int and
# None. Of a stream of a table, the column with the name of the field is used.
Column: TypeAlias = ArrowArray | ArrowStream | npt.NDArray[Any] | Sequence[str | int | None]
OnError: TypeAlias = Literal["strict", "skip"]
