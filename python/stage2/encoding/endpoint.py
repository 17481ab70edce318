"""Embeddings from a server: OpenAI's `/v1/embeddings`, or `/embed` of text-embeddings-inference.

The key is read from the environment when a request is sent. It is in no message, file or record.
"""

from __future__ import annotations

import http.client
import json
import logging
import math
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from stage2.encoding.cache import EmbeddingCache
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import Read, embed_distinct
from stage2.encoding.tokens import Role
from stage2.encoding.vector_files import unit
from stage2.encoding.vectors import Similarity, distance_of
from stage2.utils.arrays import Floats, Ints
from stage2.utils.errors import BadInputError, RunFailedError
from stage2.utils.progress import Progress

logger = logging.getLogger(__name__)

KEY_VARIABLE = "STAGE2_ENDPOINT_KEY"

# Servers take at least so many texts in a request by default.
_BATCH = 32
# A server that has not answered in so many seconds is slow beyond use.
_TIMEOUT = 120.0
# After the first, so many attempts, with waits of 1, 2, 4, … seconds unless the server names one.
_RETRIES = 5
_LONGEST_WAIT = 60.0
_BUSY = (429, 500, 502, 503, 504)
# An answer of a batch at a width of 16,384, each number in 24 characters, has 13 MB.
_LARGEST_ANSWER = 1 << 26
_PART = 1 << 16
_SHOWN = 300
_PROBE = "stage2"


@dataclass(frozen=True)
class Endpoint:
    """A server of embeddings.

    Attributes:
        url: the URL that texts are sent to. Its last part says which form it has.
        model: the name of the model that it is asked for; None leaves the choice to the server.
        prompts: the words that stand before a text of each role.
        similarity: `cosine` scales every vector to unit length.
        wait: waits for a number of seconds.
        timeout: seconds to wait for an answer.
    """

    url: str
    model: str | None = None
    prompts: Mapping[Role, str] = field(default_factory=lambda: MappingProxyType({}))
    similarity: Similarity = "cosine"
    wait: Callable[[float], None] = time.sleep
    timeout: float = _TIMEOUT

    def __post_init__(self) -> None:
        """Check the URL.

        Raises:
            BadInputError: the URL is none of a server of embeddings, or holds a password or the
                key; or the form of the server needs a model's name.
        """
        if not (_key().isascii() and _key().isprintable()):
            raise BadInputError(
                f"{KEY_VARIABLE} holds characters that no key has; expected printable ASCII"
            )
        try:
            parts = urlsplit(self.url)
            secret = parts.username is not None or parts.password is not None
        except ValueError as error:
            raise BadInputError(f"--endpoint: no URL ({error}); expected {_EXPECTED}") from None
        if secret or (_key() and _key() in self.url):
            raise BadInputError(
                f"--endpoint: the URL holds a secret, which would be recorded; expected it in the "
                f"environment variable {KEY_VARIABLE}, sent as a bearer token"
            )
        form = parts.path.rstrip("/").rpartition("/")[2]
        if parts.scheme not in ("http", "https") or not parts.hostname or form not in _FORMS:
            raise BadInputError(f"--endpoint {self.url}: expected {_EXPECTED}")
        if form == "embeddings" and self.model is None:
            raise BadInputError(
                f"--endpoint {self.url}: --endpoint-model NAME is missing; OpenAI's form names the "
                "model in each request"
            )

    @property
    def name(self) -> str:
        """The URL without its query, and the model: for people and for records."""
        plain = urlsplit(self.url)._replace(query="", fragment="").geturl()
        return plain if self.model is None else f"{plain} ({self.model})"

    @property
    def depends_on(self) -> dict[str, str]:
        """All that the vectors depend on beside the text, for the cache. The key is not in it."""
        return {
            "endpoint": self.url,
            "endpoint_model": self.model or "",
            "prompts": json.dumps(dict(self.prompts), sort_keys=True),
            "similarity": self.similarity,
        }

    def width(self) -> int:
        """Ask for the vector of a short text, and return its width."""
        return int(self._vectors([_PROBE]).shape[1])

    def embed(
        self,
        count: int,
        read: Read,
        width: int,
        progress: Progress | None = None,
        cache: EmbeddingCache | None = None,
        folder: Path | None = None,
    ) -> Embeddings:
        """Embed n texts. Texts that are equal, or that the cache has, are not sent.

        Args:
            count: n, the number of texts.
            read: a function that returns the texts of some rows, with the role of each.
            width: the width that vectors must have.
            progress: called after each request.
            cache: the cache of this server's vectors, or None.
            folder: the folder for unnamed files of the vectors; None keeps them in memory.

        Raises:
            RunFailedError: the server fails or answers with something else than vectors.
        """

        def asked(rows: Ints) -> Iterator[tuple[Ints, Embeddings]]:
            for start in range(0, len(rows), _BATCH):
                part = rows[start : start + _BATCH]
                texts, _, roles = read(part)
                found = Embeddings.empty(len(part), width)
                found.mu[:] = self._vectors(
                    [self.prompts.get(role, "") + text
                     for text, role in zip(texts, roles, strict=True)],
                    width,
                )  # fmt: skip
                yield part, found
                if progress is not None:
                    progress(start + len(part), len(rows))

        out = Embeddings.empty(count, width, folder, distance_of(self.similarity))
        return embed_distinct(out, read, asked, cache)

    def _vectors(self, texts: Sequence[str], width: int | None = None) -> Floats:
        """Send texts, and return their vectors: float32 (n, d)."""
        form = _FORMS[urlsplit(self.url).path.rstrip("/").rpartition("/")[2]]
        # A server that cannot be reached at first has a wrong URL; later it may come back.
        answer = self._post(form.request(texts, self.model), patient=width is not None)
        try:
            value = json.loads(answer)
        except (ValueError, RecursionError):
            raise self._wrong(f"no JSON, or JSON cut short ({_shown(answer)})") from None
        try:
            rows = form.rows(value, len(texts))
        except _AnswerError as error:
            raise self._wrong(str(error)) from None
        widths = {len(row) for row in rows}
        if len(widths) > 1 or widths == {0} or (width is not None and widths != {width}):
            found = " and ".join(str(one) for one in sorted(widths))
            wanted = "one width" if width is None else f"{width}, as before"
            raise self._wrong(f"vectors of width {found}; expected {wanted}")
        vectors = _floats(rows)
        if vectors is None:
            raise self._wrong("vectors with something else than finite numbers")
        if self.similarity != "cosine":
            return vectors
        if not vectors.any(axis=1).all():
            raise self._wrong("a vector of zeros, which has no cosine; --similarity dot takes it")
        return unit(vectors)

    def _post(self, body: Mapping[str, Any], patient: bool) -> bytes:
        data = json.dumps(body).encode()
        for attempt in range(_RETRIES + 1):
            request = urllib.request.Request(
                self.url, data, {"Content-Type": "application/json", "User-Agent": "stage2"}
            )
            if key := _key():
                request.add_unredirected_header("Authorization", f"Bearer {key}")
            try:
                with _OPENER.open(request, timeout=self.timeout) as reply:
                    return self._read(reply)
            except urllib.error.HTTPError as error:
                with error:
                    told, after = self._told(error), error.headers.get("Retry-After")
                if error.code not in _BUSY:
                    raise RunFailedError(f"{self.name}: {told}") from None
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", None) or error
                told, after = _without_key(f"no answer: {reason or type(error).__name__}"), None
                if not patient:
                    raise RunFailedError(f"{self.name}: {told}") from None
            if attempt < _RETRIES:
                seconds = min(_asked_wait(after, 2.0**attempt), _LONGEST_WAIT)
                logger.info("%s: %s. Trying again in %g s", self.name, told, seconds)
                self.wait(seconds)
        raise RunFailedError(
            f"{self.name}: {told}, after {_RETRIES + 1} attempts. What it has answered is in the "
            "cache, if there is one; give the same command again"
        )

    def _read(self, reply: Any) -> bytes:
        """Read an answer, which has the time of one wait and a half for all of its parts."""
        answer, end = bytearray(), time.monotonic() + 1.5 * self.timeout
        while part := reply.read1(_PART):
            answer += part
            if len(answer) > _LARGEST_ANSWER:
                raise self._wrong(f"more than {_LARGEST_ANSWER >> 20} MB for {_BATCH} texts")
            if time.monotonic() > end:
                raise TimeoutError(f"the answer is not whole after {1.5 * self.timeout:g} s")
        return bytes(answer)

    def _told(self, error: urllib.error.HTTPError) -> str:
        """Describe an answer that says that something is wrong."""
        try:
            body = error.read(_SHOWN * 4)
        except (OSError, http.client.HTTPException):
            body = b""
        hint = _HINTS.get(error.code, "")
        if not hint and 300 <= error.code < 400:
            hint = "; expected the URL itself, since a key is not sent elsewhere"
        return f"the server answers {error.code} ({_shown(body)}){hint}"

    def _wrong(self, what: str) -> RunFailedError:
        return RunFailedError(_without_key(f"{self.name}: the server sent {what}"))


class _AnswerError(ValueError):
    """An answer of another form."""


@dataclass(frozen=True)
class _Form:
    """A form of requests and answers.

    Attributes:
        request: a function of texts and the name of a model that returns the body of a request.
        rows: a function of an answer and the number of texts that returns a list for each text.
    """

    request: Callable[[Sequence[str], str | None], dict[str, Any]]
    rows: Callable[[Any, int], list[list[Any]]]


def _openai_request(texts: Sequence[str], model: str | None) -> dict[str, Any]:
    return {"model": model, "input": list(texts), "encoding_format": "float"}


def _openai_rows(value: Any, count: int) -> list[list[Any]]:
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, list):
        raise _AnswerError("no `data` with a list; expected OpenAI's form")
    if len(data) != count:
        raise _AnswerError(f"{len(data)} vectors for {count} texts")
    found: dict[int, list[Any]] = {}
    for item in data:
        index, row = (
            (item.get("index"), item.get("embedding")) if isinstance(item, dict) else (None, None)
        )
        if type(index) is not int or not isinstance(row, list):
            raise _AnswerError("items without a whole `index` and a list `embedding`")
        found[index] = row
    if found.keys() != set(range(count)):
        raise _AnswerError(f"the indices {sorted(found)[:5]}…; expected each from 0 to {count - 1}")
    return [found[index] for index in range(count)]


def _tei_request(texts: Sequence[str], model: str | None) -> dict[str, Any]:
    return {"inputs": list(texts)} | ({} if model is None else {"model": model})


def _tei_rows(value: Any, count: int) -> list[list[Any]]:
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        raise _AnswerError("no list of lists; expected the form of text-embeddings-inference")
    if len(value) != count:
        raise _AnswerError(f"{len(value)} vectors for {count} texts")
    return value


# By the last part of the URL's path.
_FORMS: Mapping[str, _Form] = {
    "embeddings": _Form(_openai_request, _openai_rows),
    "embed": _Form(_tei_request, _tei_rows),
}
_EXPECTED = (
    "a URL such as http://localhost:8080/v1/embeddings (OpenAI's form) or "
    "http://localhost:8080/embed (text-embeddings-inference)"
)
_HINTS: Mapping[int, str] = {
    401: f"; expected a valid key in the environment variable {KEY_VARIABLE}",
    403: f"; expected a valid key in the environment variable {KEY_VARIABLE}",
    404: "; expected the URL of the embeddings, and a model that the server has",
}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """No redirect is followed: the server that is named is the one that is measured."""

    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        """Return nothing, which makes the redirect an error."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _key() -> str:
    return os.environ.get(KEY_VARIABLE, "").strip()


def _without_key(text: str) -> str:
    """Return a text without the key, which a server may repeat in what it says."""
    key = _key()
    return text.replace(key, "…") if key else text


def _shown(body: bytes) -> str:
    """Return the beginning of an answer as one line without the key."""
    text = " ".join(_without_key(body.decode("utf-8", "replace")).split())
    return (text[:_SHOWN] + "…" if len(text) > _SHOWN else text) or "nothing"


def _floats(rows: Sequence[Sequence[Any]]) -> Floats | None:
    """Return rows as float32; None if one holds something else than finite numbers."""
    kinds = {type(number) for row in rows for number in row}
    if not kinds <= {int, float}:
        return None
    try:
        found = np.asarray(rows, np.float64)
    except OverflowError:
        return None
    if not (np.abs(found) <= np.finfo(np.float32).max).all():
        return None
    return found.astype(np.float32)


def _asked_wait(header: str | None, default: float) -> float:
    """Return the seconds that `Retry-After` asks for: a number, or a date; else the default."""
    if header is None:
        return default
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError):
            return default
    return max(0.0, seconds) if math.isfinite(seconds) else default
