"""Types of arguments and results. They exist for type checkers alone."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

class ArrowArray(Protocol):
    """What lends its data by Arrow's PyCapsule interface as one array."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...

class ArrowStream(Protocol):
    """What lends its data by Arrow's PyCapsule interface as a stream of arrays."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Scores: TypeAlias = npt.NDArray[np.float32]
Path: TypeAlias = str | PathLike[str]
# Arrow's strings or integers, as an array or a stream (of a table the column that has the name of
# the field); an array of numpy; a sequence of str, int and None.
Column: TypeAlias = ArrowArray | ArrowStream | npt.NDArray[Any] | Sequence[str | int | None]
OnError: TypeAlias = Literal["strict", "skip"]
