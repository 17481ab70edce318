"""Different texts and keys, numbered by their first occurrences."""

from typing import final

from stage2._core._loaded import TextColumn
from stage2._core._types import ArrowArray, Ints

@final
class DistinctTexts:
    """Different texts, each kept once, in the order in which they were first added.

    Args:
        room: the bytes that they will have at most, if that is known. More are no error, and memory
            is taken for those alone that there are.
    """

    def __init__(self, room: int = 0) -> None: ...
    def __len__(self) -> int: ...
    def add(self, array: ArrowArray) -> Ints:
        """Add the texts of an array.

        Args:
            array: n strings: of the Arrow type string, large_string or string_view.

        Returns:
            The number of each text, -1 for null, -2 for one that is no UTF-8: int64 (n,). It does
            not depend on the number of threads.

        Raises:
            TypeError: the array holds no strings.
            ValueError: its texts do not lie in its buffers.
        """
    @property
    def blank(self) -> Ints:
        """The numbers of the texts that are empty or only white space, rising, int64."""
    def take(self) -> TextColumn:
        """Return all texts without a copy. None is left then, and numbers begin at 0 again."""

def numbered(keys: Ints) -> tuple[Ints, Ints]:
    """Number different keys in the order of their first places.

    Args:
        keys: int64 (n,).

    Returns:
        The first place of each of m numbers, int64 (m,), rising, and the number of each key, int64
        (n,). If each number is seen to be that of its place, both are one array.
    """
