"""Rows of JSON with their places, for the formats whose files are JSON.

The core reads JSONL much faster, into columns of its own fields. These rows are of other tools'
formats, which have lists and objects within a row. Python's parser reads them, line by line, so
that no more than one is in memory; a file that is one list is read whole. A place is looked for
only when a message needs it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, NoReturn

from stage2._core import InputError, Lines, read_bytes
from stage2.config import InputConfig
from stage2.data.faults import input_error, leave_out, read_row
from stage2.data.table_builder import TableBuilder

_WHITE = " \t\n\r"
_KINDS = {
    dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number",
    float: "a number", type(None): "null",
}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A value in a JSON text, with the way to it.

    Attributes:
        file: the path of the file, as given.
        text: the text of the row, from its first line's start.
        line: the line of the file at which `text` starts.
        start: where the row starts in `text`.
        path: the members and elements that lead from the row to the value.
        value: the value.
    """

    file: str
    text: str
    line: int
    start: int
    path: tuple[str | int, ...]
    value: Any

    def fault(self, reason: str, message: str) -> InputError:
        """Make the error at this value."""
        at = _offset(self.text, self.start, self.path)
        return _error(self.file, self.text, self.line, at, reason, message)

    def raw(self) -> str:
        """Return the row as it is in the file."""
        return self.text[self.start :]

    @property
    def name(self) -> str:
        """The name of the value in messages."""
        if not self.path:
            return "the row"
        if isinstance(self.path[-1], str):
            return f'"{self.path[-1]}"'
        owner = next((part for part in reversed(self.path) if isinstance(part, str)), None)
        return "an element" if owner is None else f'an element of "{owner}"'

    def member(self, name: str) -> Node | None:
        """Return a member of an object; None if it is missing or null."""
        value = self.object().get(name)
        return None if value is None else self._inner(name, value)

    def required(self, *names: str) -> Node:
        """Return the first of these members.

        Raises:
            InputError: the object has none of them.
        """
        for name in names:
            if (found := self.member(name)) is not None:
                return found
        listed = " or ".join(f'"{name}"' for name in names)
        raise self.fault("missing_field", f"{self.name} has no {listed}; expected that member")

    def object(self) -> dict[str, Any]:
        """Return the members of an object."""
        return self.value if isinstance(self.value, dict) else self._wrong_type("an object")

    def members(self) -> Iterator[tuple[str, Node]]:
        """Yield the members of an object."""
        for name, value in self.object().items():
            yield name, self._inner(name, value)

    def elements(self) -> Iterator[Node]:
        """Yield the elements of a list."""
        if not isinstance(self.value, list):
            self._wrong_type("a list")
        for place, value in enumerate(self.value):
            yield self._inner(place, value)

    def string(self) -> str:
        """Return a text, which may be empty."""
        if not isinstance(self.value, str):
            self._wrong_type("a text")
        try:
            self.value.encode()
        except UnicodeEncodeError:
            raise self.fault(
                "lone_surrogate",
                f"{self.name} has half of a surrogate pair; expected whole characters",
            ) from None
        return str(self.value)

    def content(self, reason: str = "empty_text") -> str:
        """Return a text that is not empty."""
        text = self.string()
        if not text.strip():
            raise self.fault(reason, f"{self.name} is empty or only white space; expected text")
        return text

    def identifier(self) -> str:
        """Return an id: a text or a whole number."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)
        if not isinstance(self.value, str):
            self._wrong_type("an id, which is a text or a whole number")
        if not self.value.strip():
            raise self.fault("empty_id", f"{self.name} is empty; expected an id")
        return self.string()

    def number(self) -> float:
        """Return a number."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            self._wrong_type("a number")
        if not math.isfinite(self.value) or abs(self.value) > 3e38:
            raise self.fault("not_finite", f"{self.name} is no number that float32 holds")
        return float(self.value)

    def optional_string(self, name: str) -> str:
        """Return a member that is a text; "" if it is missing or null."""
        found = self.member(name)
        return "" if found is None else found.string()

    def _inner(self, step: str | int, value: Any) -> Node:
        return type(self)(self.file, self.text, self.line, self.start, (*self.path, step), value)

    def _wrong_type(self, expected: str) -> NoReturn:
        kind = _KINDS.get(type(self.value)) or f"a {type(self.value).__name__}"
        raise self.fault("wrong_type", f"{self.name} is {kind}; expected {expected}")


def read_rows(
    path: Path, settings: InputConfig, builder: TableBuilder, push: Callable[[Node], None]
) -> None:
    """Call `push` for each row of a file: an object a line, or a list of objects.

    Raises:
        InputError: a row is wrong and --on-error is strict, or the file cannot be read at all.
    """
    lines = Lines(path, settings.decompressed)
    if lines.is_list:
        whole = decoded(str(path), 1, lines.read())
        for node in _elements(str(path), whole):
            read_row(node, push, builder, settings)
        return
    for line, row in enumerate(lines, 1):
        if not row.strip():
            continue
        try:
            node = parse(str(path), decoded(str(path), line, row), line)
        except InputError as error:
            leave_out(error, row.decode("utf-8", "replace"), builder, settings)
            continue
        read_row(node, push, builder, settings)


def read_document(path: Path, settings: InputConfig) -> Node:
    """Read a file that is one JSON value."""
    content = read_bytes(path, settings.decompressed).removeprefix(b"\xef\xbb\xbf")
    return parse(str(path), decoded(str(path), 1, content))


def parse(file: str, text: str, line: int = 1) -> Node:
    """Parse a text that is one JSON value."""
    start = _after_white(text, 0)
    value, end = _value_at(file, text, line, start)
    end = _after_white(text, end)
    if end < len(text):
        message = "something follows the row; expected one JSON value a line"
        raise _error(file, text, line, end, "trailing_data", message)
    return Node(file, text, line, start, (), value)


def _elements(file: str, text: str) -> Iterator[Node]:
    """Yield the elements of a text that is a list."""
    at = _after_white(text, _after_white(text, 0) + 1)
    while text[at : at + 1] != "]":
        value, end = _value_at(file, text, 1, at)
        yield Node(file, text, 1, at, (), value)
        at = _after_white(text, end)
        if text[at : at + 1] == ",":
            at = _after_white(text, at + 1)
        elif text[at : at + 1] != "]":
            reason = "invalid_json" if at < len(text) else "truncated_json"
            message = "the list does not go on; expected a comma or the end of the list"
            raise _error(file, text, 1, at, reason, message)


def _value_at(file: str, text: str, line: int, start: int) -> tuple[Any, int]:
    """Parse the value that starts at an offset. Also return where it ends."""
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        reason = "truncated_json" if error.pos >= len(text.rstrip()) else "invalid_json"
        message = f"this is not valid JSON: {error.msg}; expected a JSON value"
        raise _error(file, text, line, error.pos, reason, message) from None
    except RecursionError:
        message = "the JSON is nested too deep"
        raise _error(file, text, line, start, "too_deep", message) from None
    except ValueError as error:
        raise _error(file, text, line, start, "not_finite", str(error)) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON; expected a finite number or null")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def decoded(file: str, line: int, content: bytes) -> str:
    """Decode a text that starts at a line of a file.

    Raises:
        InputError: it is no valid UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        message = "this byte is not valid UTF-8; expected text in UTF-8"
        raise _error(file, before, line, len(before), "invalid_utf8", message) from None


def _error(file: str, text: str, line: int, at: int, reason: str, message: str) -> InputError:
    """Make the error at an offset of a text that starts at a line of a file."""
    line_start = text.rfind("\n", 0, at) + 1
    return input_error(file, line + text.count("\n", 0, at), at - line_start + 1, reason, message)


def _after_white(text: str, at: int) -> int:
    while at < len(text) and text[at] in _WHITE:
        at += 1
    return at


def _offset(text: str, at: int, path: tuple[str | int, ...]) -> int:
    """Find where the value at a path starts, in a text that is known to be valid."""
    for step in path:
        place, found = 0, at
        at = _after_white(text, at + 1)
        while text[at] not in "]}":
            name: str | int = place
            if isinstance(step, str):
                name, at = scanstring(text, at + 1)
                at = _after_white(text, _after_white(text, at) + 1)
            if name == step:
                # If members have the same name, the last one counts.
                found = at
            if name == step and isinstance(step, int):
                break
            at = _after_white(text, _DECODER.raw_decode(text, at)[1])
            if text[at] == ",":
                at = _after_white(text, at + 1)
            place += 1
        at = found
    return at
