"""Texts to vectors: tokenise, batch by token budget, pool, back in the order of the input."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stage2.arrays import Floats, Ints
from stage2.device import resolve_precision
from stage2.errors import BadInputError

if TYPE_CHECKING:
    from stage2.model import ProbabilisticGBERTV4

# Entities of one text: targets as annotation files have them, or (char_start, char_end) pairs.
EntityTargets = Sequence[Mapping[str, Any]] | Sequence[tuple[int, int]] | Ints
Progress = Callable[[int, int], None]
# Of one text: (char_start, char_end) pairs.
Spans = Sequence[tuple[int, int]] | Ints

# Texts that are tokenised, sorted by length and embedded before the next are read: enough for even
# batches, and few enough that memory does not grow with the corpus.
WINDOW = 16_384

# Padding is waste and a batch's activations should fit the cache: short texts go many at a time,
# long ones few. A GPU wants more at once.
BATCH_TOKENS = {"cpu": 2048, "cuda": 32768, "mps": 8192}


@dataclass(frozen=True)
class Embeddings:
    """Vectors of n texts.

    Attributes:
        mu: float32 (n, d), unit length.
        kappa: float32 (n,).
        entity: float32 (n, d), mean of the unit vectors of the text's entities; 0 without any.
        has_entity: bool (n,).
        entity_count: int64 (n,), entities with a token left inside the cut.
    """

    mu: Floats
    kappa: Floats
    entity: Floats
    has_entity: npt.NDArray[np.bool_]
    entity_count: Ints

    def __len__(self) -> int:
        return len(self.mu)

    @classmethod
    def empty(cls, n: int, width: int, folder: Path | None = None) -> Embeddings:
        """Zeros for n texts, in memory or, given a folder, in nameless files there."""

        def zeros(shape: tuple[int, ...]) -> Floats:
            if folder is None or not n:
                return np.zeros(shape, np.float32)
            with tempfile.TemporaryFile(dir=folder) as file:
                return np.memmap(file, np.float32, "w+", shape=shape)

        return cls(
            mu=zeros((n, width)),
            kappa=np.zeros(n, np.float32),
            entity=zeros((n, width)),
            has_entity=np.zeros(n, np.bool_),
            entity_count=np.zeros(n, np.int64),
        )

    def put(self, rows: slice | Ints, found: Embeddings) -> None:
        """Write the vectors of some texts to their rows."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(found, field.name)

    def take(self, rows: npt.ArrayLike) -> Embeddings:
        """Select the given rows, in the given order."""
        index = np.asarray(rows)
        return Embeddings(
            self.mu[index],
            self.kappa[index],
            self.entity[index],
            self.has_entity[index],
            self.entity_count[index],
        )

    def without_entities(self) -> Embeddings:
        """The same texts, to be compared at sentence level only."""
        return Embeddings(
            self.mu,
            self.kappa,
            np.zeros_like(self.entity),
            np.zeros_like(self.has_entity),
            np.zeros_like(self.entity_count),
        )


@dataclass(frozen=True)
class TokenizedTexts:
    """Tokens of n texts.

    Attributes:
        ids: for each text, int64 (tokens,), special tokens included.
        entity_tokens: for each text, for each entity with a token left, int64 (its tokens,).
    """

    ids: list[Ints]
    entity_tokens: list[list[Ints]]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Ints:
        """Tokens of each text, int64 (n,)."""
        return np.fromiter(map(len, self.ids), np.int64, len(self.ids))

    def take(self, rows: npt.ArrayLike) -> TokenizedTexts:
        """Select the given rows, in the given order."""
        index = np.asarray(rows, np.int64)
        return TokenizedTexts([self.ids[i] for i in index], [self.entity_tokens[i] for i in index])


@dataclass(frozen=True)
class Batch:
    """Tokenised texts, padded to the longest of them.

    Attributes:
        input_ids: int64 (B, T).
        attention_mask: int64 (B, T), 1 on tokens, 0 on padding.
        entity_mask: bool (E, T), the tokens of each entity.
        entity_row: int64 (E,), the text that each entity stands in.
    """

    input_ids: Tensor
    attention_mask: Tensor
    entity_mask: Tensor
    entity_row: Tensor


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
        precision: `auto`, `fp32` or `bf16`.
        batch_tokens: most tokens in a batch, padding included; default by device.
        progress: called with (texts done, texts in all).

    Raises:
        BadInputError: `entities` is not of the length of `texts`, or a target is not a span.
    """
    spans = [_spans(targets) for targets in entities] if entities is not None else [()] * len(texts)
    if len(spans) != len(texts):
        raise BadInputError(f"{len(texts)} texts but entities for {len(spans)}; expected as many")
    first: dict[tuple[str, tuple[tuple[int, int], ...]], int] = {}
    place = np.fromiter(
        (first.setdefault(key, len(first)) for key in zip(texts, spans, strict=True)),
        np.int64,
        len(texts),
    )
    pairs = list(first)
    return encode_windows(
        model,
        len(pairs),
        lambda rows: ([pairs[i][0] for i in rows], [list(pairs[i][1]) for i in rows]),
        precision=precision,
        batch_tokens=batch_tokens,
        progress=progress,
    ).take(place)


def encode_windows(
    model: ProbabilisticGBERTV4,
    count: int,
    read: Callable[[range], tuple[Sequence[str], Sequence[Spans]]],
    *,
    precision: str = "auto",
    batch_tokens: int | None = None,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> Embeddings:
    """Embed many texts, of which only a window is in memory at a time.

    Args:
        model: on the device that the work is to be done on.
        count: n, the number of texts.
        read: gives the texts of some rows, and the spans of each.
        precision: as `encode` has it.
        batch_tokens: as `encode` has it.
        progress: called with (texts done, texts in all).
        folder: where the vectors are to lie as nameless files, mapped; None: in memory.
    """
    out = Embeddings.empty(count, model.embedding_dim, folder)
    for start in range(0, count, WINDOW):
        rows = range(start, min(start + WINDOW, count))

        def told(done: int, _: int, start: int = start) -> None:
            if progress is not None:
                progress(start + done, count)

        tokens = tokenize(model, *read(rows))
        found = encode_tokens(
            model, tokens, precision=precision, batch_tokens=batch_tokens, progress=told
        )
        out.put(slice(rows.start, rows.stop), found)
    return out


def tokenize(
    model: ProbabilisticGBERTV4,
    texts: Sequence[str],
    spans: Sequence[Spans],
) -> TokenizedTexts:
    """Tokenise texts and find the tokens of their entities.

    A token belongs to an entity when token_start < char_end and token_end > char_start. An entity
    whose tokens all lie past the cut at `model.max_length` is absent.
    """
    if not len(texts):
        return TokenizedTexts([], [])
    encoded = model.tokenizer(
        list(texts),
        truncation=True,
        max_length=model.max_length,
        padding=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    ids = [np.asarray(row, np.int64) for row in encoded["input_ids"]]
    entity_tokens: list[list[Ints]] = []
    for offsets, targets in zip(encoded["offset_mapping"], spans, strict=True):
        if not len(targets):
            entity_tokens.append([])
            continue
        start, end = np.asarray(offsets).T
        found = (np.flatnonzero((start < stop) & (end > begin)) for begin, stop in targets)
        entity_tokens.append([tokens for tokens in found if len(tokens)])
    return TokenizedTexts(ids, entity_tokens)


def encode_tokens(
    model: ProbabilisticGBERTV4,
    tokens: TokenizedTexts,
    *,
    precision: str = "auto",
    batch_tokens: int | None = None,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed tokenised texts with dropout off, in batches of like length."""
    n = len(tokens)
    device = model.device
    dtype = resolve_precision(precision, device)
    out = Embeddings.empty(n, model.embedding_dim)
    out.entity_count[:] = np.fromiter(map(len, tokens.entity_tokens), np.int64, n)
    was_training = model.training
    model.eval()
    try:
        done = 0
        with torch.inference_mode(), autocast(device, dtype):
            for rows in batches_by_tokens(
                tokens.lengths, batch_tokens or BATCH_TOKENS[device.type]
            ):
                pooled = model(collate(model, tokens, rows))
                out.mu[rows] = pooled.mu.cpu().numpy()
                out.kappa[rows] = pooled.kappa.cpu().numpy()
                out.entity[rows] = pooled.entity.cpu().numpy()
                out.has_entity[rows] = pooled.has_entity.cpu().numpy()
                done += len(rows)
                if progress is not None:
                    progress(done, n)
    finally:
        model.train(was_training)
    return out


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Matrix products in `dtype`; the heads' pooling stays in float32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def batches_by_tokens(lengths: Ints, budget: int) -> Iterable[Ints]:
    """Cut texts into batches of like length of at most `budget` tokens, padding included.

    The longest come first, so that memory runs out at once or not at all. Equal lengths stay in
    the order of the input: the batches are a function of the lengths alone.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = max(1, budget // int(lengths[order[start]]))
        yield order[start : start + rows]
        start += rows


def collate(model: ProbabilisticGBERTV4, tokens: TokenizedTexts, rows: Ints) -> Batch:
    """Pad the given texts to the longest of them, on the model's device."""
    longest = max(len(tokens.ids[row]) for row in rows)
    input_ids = np.full((len(rows), longest), model.tokenizer.pad_token_id or 0, np.int64)
    attention_mask = np.zeros((len(rows), longest), np.int64)
    entities = [(place, t) for place, row in enumerate(rows) for t in tokens.entity_tokens[row]]
    entity_mask = np.zeros((len(entities), longest), np.bool_)
    for place, row in enumerate(rows):
        ids = tokens.ids[row]
        input_ids[place, : len(ids)] = ids
        attention_mask[place, : len(ids)] = 1
    for entity, (_, inside) in enumerate(entities):
        entity_mask[entity, inside] = True
    arrays = (
        input_ids,
        attention_mask,
        entity_mask,
        np.fromiter((place for place, _ in entities), np.int64, len(entities)),
    )
    return Batch(*(torch.from_numpy(array).to(model.device) for array in arrays))


def _spans(targets: EntityTargets) -> tuple[tuple[int, int], ...]:
    """Bring both forms of a text's targets to (char_start, char_end) pairs."""
    try:
        return tuple(
            (int(t["char_start"]), int(t["char_end"])) if isinstance(t, Mapping) else _pair(t)
            for t in targets
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"an entity target is {targets!r:.200}; "
            "expected mappings with char_start and char_end, or pairs of integers"
        ) from error


def _pair(target: Any) -> tuple[int, int]:
    start, end = target
    return int(start), int(end)
