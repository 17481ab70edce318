"""Texts to vectors: tokenise, batch by token budget, pool, back in the order of the input."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from stage2.encoding.cache import KEY_BYTES, EmbeddingCache, Keys, keys_of
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.kernels.packed_linear import compiled, packed
from stage2.encoding.tokens import (
    Spans,
    TokenizedTexts,
    batches_by_tokens,
    collate,
    token_budget,
    tokenize,
)
from stage2.utils import console, distributed
from stage2.utils.arrays import Ints
from stage2.utils.device import describe, resolve_precision
from stage2.utils.errors import BadInputError

if TYPE_CHECKING:
    from stage2.models.gbert.model import Pooled, ProbabilisticGBERTV4

# Entities of one text: targets as annotation files have them, or (char_start, char_end) pairs.
EntityTargets = Sequence[Mapping[str, Any]] | Sequence[tuple[int, int]] | Ints
Progress = console.Bar
# Gives the texts of some rows, and the spans of each.
Read = Callable[[Ints], tuple[Sequence[str], Sequence[Spans]]]

# Texts that are tokenised, sorted by length and embedded before the next are read: enough for even
# batches, and few enough that memory does not grow with the corpus.
WINDOW = 16_384

# Up to so many tokens a text's attention weights fit the cache: see `plain_attention`.
PLAIN_ATTENTION = 512

_NO_KEYS = np.empty(0, f"V{KEY_BYTES}")


class Reader(Protocol):
    """What of a model says which tokens of a text it sees; a model is such."""

    @property
    def tokenizer(self) -> Any:
        """A fast tokenizer of transformers."""

    @property
    def max_length(self) -> int:
        """Most tokens of a text, special tokens included."""


class LazyModel:
    """A model that is loaded when there is something to embed: the cache may have it all.

    Attributes:
        embedding_dim: d.
    """

    def __init__(
        self,
        load: Callable[[], ProbabilisticGBERTV4],
        embedding_dim: int,
        read: Callable[[], Reader] | None = None,
    ) -> None:
        """Remember how to load it.

        Args:
            load: gives the model on its device.
            embedding_dim: d.
            read: gives its tokenizer and limit without its weights; default: the model.
        """
        self.embedding_dim = embedding_dim
        self._load = load
        self._read = read

    @cached_property
    def reader(self) -> Reader:
        """Its tokenizer and limit; the weights need not be read for that."""
        return self.model if self._read is None else self._read()

    @cached_property
    def model(self) -> ProbabilisticGBERTV4:
        """The model, on its device."""
        return self._load()


def loaded(model: ProbabilisticGBERTV4 | LazyModel) -> ProbabilisticGBERTV4:
    """The model, read from disk if it is not in memory yet."""
    return model.model if isinstance(model, LazyModel) else model


def encode(
    model: ProbabilisticGBERTV4,
    texts: Sequence[str],
    entities: Sequence[EntityTargets] | None = None,
    *,
    precision: str = "auto",
    batch_tokens: int | None = None,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed texts; each distinct text with the same entities is embedded once.

    Args:
        model: on the device that the work is to be done on.
        texts: n texts.
        entities: for each text its targets: mappings with `char_start` and `char_end`, or pairs of
            them, in code points, end exclusive. None: no text has any.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        batch_tokens: most tokens in a batch, padding included; default by device.
        progress: called after each batch.

    Raises:
        BadInputError: a text is none, or has half a surrogate pair; `entities` is not of the length
            of `texts`, or a target is no span of its text; `batch_tokens` is below 1.
        RunFailedError: another thread trains the model. Those that embed with it take turns.
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
        lambda rows: ([texts[i] for i in rows], [spans[i] for i in rows]),
        precision=precision,
        batch_tokens=batch_tokens,
        progress=progress,
    )


def encode_windows(
    model: ProbabilisticGBERTV4 | LazyModel,
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

    Each distinct text with the same entities is embedded once, and not at all where the cache has
    it. While a window is embedded the next one is tokenised.

    Args:
        model: on the device that the work is to be done on.
        count: n, the number of texts.
        read: gives the texts of some rows, and the spans of each.
        precision: as `encode` has it.
        batch_tokens: as `encode` has it.
        progress: called after each batch.
        folder: where the vectors are to lie as nameless files, mapped; None: in memory.
        cache: of this model at this precision; what it lacks is added to it.
    """
    rows = np.arange(count)
    keys = np.concatenate(
        [_NO_KEYS, *(keys_of(*read(part)) for part in _windows(rows))], dtype=_NO_KEYS.dtype
    )
    first = _first_of(keys)
    out = Embeddings.empty(count, model.embedding_dim, folder)
    missing = distinct = np.flatnonzero(first == rows)
    if cache is not None:
        missing = _fill(out, keys, distinct, cache)
    if len(missing):
        ready = loaded(model)
        done = done_tokens = 0
        for part, tokens in _tokenized_ahead(ready, read, missing):
            found = encode_tokens(
                ready,
                tokens,
                precision=precision,
                batch_tokens=batch_tokens,
                progress=_further(progress, done, len(missing), done_tokens),
            )
            out.put(part, found)
            if cache is not None:
                cache.put(keys[part], found)
            done += len(part)
            done_tokens += int(tokens.lengths.sum())
    for part in _windows(np.flatnonzero(first != rows)):
        out.put(part, out.take(first[part]))
    return out


def _further(progress: Progress | None, done: int, total: int, tokens: int) -> Progress | None:
    """Progress of a part, told as that of the whole, of which some is done."""
    if progress is None:
        return None
    return lambda now, _, now_tokens=0, /: progress(done + now, total, tokens + now_tokens)


def _windows(rows: Ints) -> list[Ints]:
    return [rows[start : start + WINDOW] for start in range(0, len(rows), WINDOW)]


def _first_of(keys: Keys) -> Ints:
    """The first row with the same key as each row: int64 (n,)."""
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return first[place].astype(np.int64)


def _fill(out: Embeddings, keys: Keys, rows: Ints, cache: EmbeddingCache) -> Ints:
    """Take what the cache has of some rows; give the rows that it lacks."""
    missing = [rows[:0]]
    for part in _windows(rows):
        found, absent = cache.get(keys[part])
        out.put(part, found)
        missing.append(part[absent])
    return np.concatenate(missing)


def _tokenized_ahead(
    model: ProbabilisticGBERTV4, read: Read, rows: Ints
) -> Iterator[tuple[Ints, TokenizedTexts]]:
    """Tokenise windows of rows, each while the one before it is worked on."""
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
    model: ProbabilisticGBERTV4,
    tokens: TokenizedTexts,
    *,
    precision: str = "auto",
    batch_tokens: int | None = None,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed tokenised texts with dropout off, in batches of like length."""
    dtype = resolve_precision(precision, model.device)
    budget = batch_tokens or token_budget(model.device, dtype)
    batches = list(batches_by_tokens(tokens.lengths, budget))
    precision = describe(dtype)
    if (world := distributed.world()) is None:
        return encode_batches(model, tokens, batches, precision, progress)
    from stage2.encoding.distributed import encode_shared

    world.lend(model)
    return encode_shared(world, tokens, batches, precision, progress)


def encode_batches(
    model: ProbabilisticGBERTV4,
    tokens: TokenizedTexts,
    batches: Sequence[Ints],
    precision: str,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed texts in the given batches, which hold each row of `tokens` once."""
    n, lengths = len(tokens), tokens.lengths
    out = Embeddings.empty(n, model.embedding_dim)
    out.entity_count[:] = np.fromiter(map(len, tokens.entity_tokens), np.int64, n)
    done = done_tokens = 0
    waiting: list[tuple[Ints, Pooled]] = []
    # To fetch a batch's vectors is to wait for it, while a card has nothing more to do.
    most = WINDOW if model.device.type == "cuda" else 0
    with inference(model, resolve_precision(precision, model.device)) as working:
        for rows in batches:
            waiting.append((rows, working(collate(working, tokens, rows))))
            if sum(len(held) for held, _ in waiting) > most:
                _fetch(out, waiting)
            done += len(rows)
            done_tokens += int(lengths[rows].sum())
            if progress is not None:
                progress(done, n, done_tokens)
        _fetch(out, waiting)
    return out


def _fetch(out: Embeddings, waiting: list[tuple[Ints, Pooled]]) -> None:
    """Take the vectors of some rows from the device, and forget them there."""
    for rows, pooled in waiting:
        out.mu[rows] = pooled.mu.cpu().numpy()
        out.kappa[rows] = pooled.kappa.cpu().numpy()
        out.entity[rows] = pooled.entity.cpu().numpy()
        out.has_entity[rows] = pooled.has_entity.cpu().numpy()
    waiting.clear()


@contextmanager
def inference(model: ProbabilisticGBERTV4, dtype: torch.dtype) -> Iterator[ProbabilisticGBERTV4]:
    """Yield the model as it embeds fastest: dropout and gradients off, weights of `dtype`.

    On a CPU weights are packed, unless torch compiles the encoder. The model is left as it was,
    and meanwhile no other thread's.

    Raises:
        RunFailedError: another thread trains the model.
    """
    with model.guard.embedding():
        # In half precision it could not be told.
        _ = model.first_padded_position
        working = in_precision(model, dtype)
        was_training = model.training
        working.eval()
        try:
            quick = compiled if model.compiled else packed
            with torch.inference_mode(), quick(working), plain_attention(working):
                yield working
        finally:
            model.train(was_training)


@contextmanager
def plain_attention(model: ProbabilisticGBERTV4) -> Iterator[None]:
    """Have a CPU attend to short texts by plain matrix products.

    The fused kernel saves memory that they do not need. Embedding takes a tenth longer with it, and
    a step of training a quarter.
    """
    backbone = model.backbone
    plain = (
        model.device.type == "cpu"
        and model.max_length <= PLAIN_ATTENTION
        and backbone.config._attn_implementation == "sdpa"
        and hasattr(backbone, "set_attn_implementation")
    )
    if plain:
        backbone.set_attn_implementation("eager")
    try:
        yield
    finally:
        if plain:
            backbone.set_attn_implementation("sdpa")


def in_precision(model: ProbabilisticGBERTV4, dtype: torch.dtype) -> ProbabilisticGBERTV4:
    """The model itself in float32, else a copy whose weights are of `dtype`.

    `torch.autocast` would cast activations around each of the operations that it leaves in float32,
    and hold every weight twice all the same. Pooling is in float32 in both.
    """
    if dtype == torch.float32:
        return model
    shared = {id(model.tokenizer): model.tokenizer}
    return copy.deepcopy(model, shared).to(dtype)


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Matrix products in `dtype`; the heads' pooling stays in float32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


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
    """Bring both forms of the i-th text's targets to (char_start, char_end) pairs."""
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
