"""From texts to vectors: tokenise, batch by a token budget, pool, restore the input's order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from stage2.encoding.batches import WINDOW, encode_batches
from stage2.encoding.cache import KEY_BYTES, EmbeddingCache, Keys, keys_of
from stage2.encoding.distributed import encode_shared
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encoder import Encoder, LazyModel, loaded
from stage2.encoding.tokens import (
    Role,
    Texts,
    TokenizedTexts,
    batches_by_tokens,
    token_budget,
    tokenize,
)
from stage2.utils import distributed
from stage2.utils.arrays import Ints
from stage2.utils.device import describe, resolve_precision
from stage2.utils.errors import BadInputError
from stage2.utils.progress import Progress

# The entities of one text: targets as in annotation files, or (char_start, char_end) pairs.
EntityTargets = Sequence[Mapping[str, Any]] | Sequence[tuple[int, int]] | Ints
# A function that returns the texts of some rows, with the spans and the role of each.
Read = Callable[[Ints], Texts]


_NO_KEYS = np.empty(0, f"V{KEY_BYTES}")


def encode(
    model: Encoder,
    texts: Sequence[str],
    entities: Sequence[EntityTargets] | None = None,
    *,
    role: Role = "document",
    precision: str = "auto",
    batch_tokens: int | None = None,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed texts. A text that occurs again with the same entities is embedded only once.

    Args:
        model: the model, on the device on which it will run.
        texts: n texts.
        entities: the targets of each text: mappings with `char_start` and `char_end`, or pairs of
            these numbers, in code points, end exclusive. None means that no text has any.
        role: the role of the texts: `query` or `document`.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        batch_tokens: the largest number of tokens in a batch, padding included. The default depends
            on the device.
        progress: called after each batch.

    Raises:
        BadInputError: a text is not a str, or has half a surrogate pair; `entities` is not as long
            as `texts`, or a target is not a span of its text; or `batch_tokens` is below 1.
        RunFailedError: another thread trains the model. Threads that embed with it take turns.
    """
    _check_texts(texts)
    if entities is not None and len(entities) != len(texts):
        raise BadInputError(
            f"{len(texts)} texts but entities for {len(entities)}; expected as many"
        )
    if batch_tokens is not None and batch_tokens < 1:
        raise BadInputError(f"batch_tokens is {batch_tokens}; expected 1 or more")
    spans: list[tuple[tuple[int, int], ...]] = [()] * len(texts)
    if entities is not None:
        spans = [_spans(i, *pair) for i, pair in enumerate(zip(texts, entities, strict=True))]
    return encode_windows(
        model,
        len(texts),
        lambda rows: Texts([texts[i] for i in rows], [spans[i] for i in rows], [role] * len(rows)),
        precision=precision,
        batch_tokens=batch_tokens,
        progress=progress,
    )


def encode_windows(
    model: Encoder | LazyModel,
    count: int,
    read: Read,
    *,
    precision: str = "auto",
    batch_tokens: int | None = None,
    progress: Progress | None = None,
    folder: Path | None = None,
    cache: EmbeddingCache | None = None,
) -> Embeddings:
    """Embed many texts, of which only a window is in memory at a time.

    A text that occurs again with the same entities is embedded only once. A text that the cache has
    is not embedded at all. While a window is embedded, the next one is tokenised.

    Args:
        model: the model, on the device on which it will run.
        count: n, the number of texts.
        read: a function that returns the texts of some rows, with the spans and the role of each.
        precision: as in `encode`.
        batch_tokens: as in `encode`.
        progress: called after each batch.
        folder: the folder for unnamed files, from which the vectors are mapped. None keeps the
            vectors in memory.
        cache: the cache of this model at this precision. Vectors that it lacks are added to it.
    """

    def embed(part: Ints) -> Iterator[tuple[Ints, Embeddings]]:
        ready = loaded(model)
        done = done_tokens = 0
        for window, tokens in _tokenized_ahead(ready, read, part):
            found = encode_tokens(
                ready,
                tokens,
                precision=precision,
                batch_tokens=batch_tokens,
                progress=_further(progress, done, len(part), done_tokens),
            )
            yield window, found
            done += len(window)
            done_tokens += int(tokens.lengths.sum())

    out = Embeddings.empty(count, model.embedding_dim, folder, model.distance)
    return embed_distinct(out, read, embed, cache)


def embed_distinct(
    out: Embeddings,
    read: Read,
    embed: Callable[[Ints], Iterator[tuple[Ints, Embeddings]]],
    cache: EmbeddingCache | None = None,
) -> Embeddings:
    """Fill in the vectors of n texts. Equal texts, and those that the cache has, cost nothing.

    Args:
        out: zeros for the n texts; it is filled and returned.
        read: a function that returns the texts of some rows, with the spans and the role of each.
        embed: a function that embeds the texts of some rows, part by part. It is called with the
            rows that are missing, if there are any.
        cache: the cache of these vectors. Those that it lacks are added to it.
    """
    rows = np.arange(len(out))
    keys = np.concatenate(
        [_NO_KEYS, *(keys_of(*read(part)) for part in _windows(rows))], dtype=_NO_KEYS.dtype
    )
    first = _first_of(keys)
    missing = distinct = np.flatnonzero(first == rows)
    if cache is not None:
        missing = _fill(out, keys, distinct, cache)
    if len(missing):
        for part, found in embed(missing):
            out.put(part, found)
            if cache is not None:
                cache.put(keys[part], found)
    for part in _windows(np.flatnonzero(first != rows)):
        out.put(part, out.take(first[part]))
    return out


def _further(progress: Progress | None, done: int, total: int, tokens: int) -> Progress | None:
    """Return a function that reports the progress of a part as progress of the whole."""
    if progress is None:
        return None
    return lambda now, _, now_tokens=0, /: progress(done + now, total, tokens + now_tokens)


def _windows(rows: Ints) -> list[Ints]:
    return [rows[start : start + WINDOW] for start in range(0, len(rows), WINDOW)]


def _first_of(keys: Keys) -> Ints:
    """Return for each row the first row with the same key: int64 (n,)."""
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return first[place].astype(np.int64)


def _fill(out: Embeddings, keys: Keys, rows: Ints, cache: EmbeddingCache) -> Ints:
    """Copy the vectors of some rows from the cache to `out`. Return the rows that it lacks."""
    missing = [rows[:0]]
    for part in _windows(rows):
        found, absent = cache.get(keys[part])
        out.put(part, found)
        missing.append(part[absent])
    return np.concatenate(missing)


def _tokenized_ahead(
    model: Encoder, read: Read, rows: Ints
) -> Iterator[tuple[Ints, TokenizedTexts]]:
    """Tokenise windows of rows. The next window is tokenised while the caller works on one."""
    parts = _windows(rows)
    with ThreadPoolExecutor(1) as pool:

        def start(part: Ints) -> Future[TokenizedTexts]:
            return pool.submit(lambda: tokenize(model, *read(part)))

        ahead = start(parts[0])
        for part, following in zip(parts, [*parts[1:], rows[:0]], strict=True):
            tokens = ahead.result()
            ahead = start(following)
            yield part, tokens


def encode_tokens(
    model: Encoder,
    tokens: TokenizedTexts,
    *,
    precision: str = "auto",
    batch_tokens: int | None = None,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed tokenised texts without dropout, in batches of similar length."""
    dtype = resolve_precision(precision, model.device)
    budget = batch_tokens or token_budget(model.device, dtype)
    batches = list(batches_by_tokens(tokens.lengths, budget))
    precision = describe(dtype)
    if (world := distributed.world()) is None:
        return encode_batches(model, tokens, batches, precision, progress)
    world.lend(model, model.bare)
    return encode_shared(world, tokens, batches, precision, progress)


def _check_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise BadInputError("texts is one string; expected a list of them")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise BadInputError(f"texts[{i}] is {text!r:.80}; expected a string")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadInputError(
                f"texts[{i}] has half a surrogate pair at character {error.start}; "
                "expected a text that UTF-8 can hold"
            ) from error


def _spans(i: int, text: str, targets: EntityTargets) -> tuple[tuple[int, int], ...]:
    """Convert the targets of the i-th text, in either form, to (char_start, char_end) pairs."""
    try:
        spans = tuple(
            (int(t["char_start"]), int(t["char_end"])) if isinstance(t, Mapping) else _pair(t)
            for t in targets
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"entities[{i}] is {targets!r:.200}; "
            "expected mappings with char_start and char_end, or pairs of integers"
        ) from error
    for start, end in spans:
        if not 0 <= start < end <= len(text):
            raise BadInputError(
                f"entities[{i}] has the span {start} to {end}; expected one within the text's "
                f"{len(text)} characters, and not empty"
            )
    return spans


def _pair(target: Any) -> tuple[int, int]:
    start, end = target
    return int(start), int(end)
