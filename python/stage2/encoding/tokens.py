"""From texts to tokens, and from tokens to batches on a device."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stage2._core import same_text
from stage2.utils.arrays import Ints

# The entities of one text, as (char_start, char_end) pairs.
Spans = Sequence[tuple[int, int]] | Ints

# For a model a text is a query or a document. A model may have a prompt for each role, and reads it
# before the text. Texts are embedded, cached and compared as (role, text).
Role = Literal["query", "document"]

# The largest number of tokens in a batch, padding included. A batch has many short texts or few
# long ones, so that its activations fit a CPU's cache. A GPU needs more tokens at once.
BATCH_TOKENS = {"cpu": 1024, "cuda": 32768, "mps": 8192}

# A tokenizer keeps its limit between calls, so only one thread at a time may set it or tokenise.
TOKENIZING = threading.RLock()

_NO_IDS = np.empty(0, np.int64)


class Texts(NamedTuple):
    """n texts as an encoder reads them.

    Attributes:
        texts: n texts, without prompts.
        spans: the entities of each text.
        roles: the role of each text.
    """

    texts: Sequence[str]
    spans: Sequence[Spans]
    roles: Sequence[Role]


@dataclass(frozen=True)
class TokenizedTexts:
    """The tokens of n texts.

    Attributes:
        ids: the ids of the tokens of each text, int64 (tokens,), special tokens included.
        entity_tokens: for each text and each of its entities with a token that was not cut, the
            places of the entity's tokens, int64 (tokens,).
        unpooled: int64 (n,), how many tokens at the start of each text the model reads but does not
            pool. They are those of the prompt if the model does not pool its prompts, else none.
        is_query: bool (n,), whether each text is a query; the others are documents.
    """

    ids: list[Ints]
    entity_tokens: list[list[Ints]]
    unpooled: Ints
    is_query: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Ints:
        """The number of tokens in each text: int64 (n,)."""
        return np.fromiter(map(len, self.ids), np.int64, len(self.ids))

    def take(self, rows: npt.ArrayLike) -> TokenizedTexts:
        """Return the given rows, in the given order."""
        index = np.asarray(rows, np.int64)
        return TokenizedTexts(
            [self.ids[i] for i in index],
            [self.entity_tokens[i] for i in index],
            self.unpooled[index],
            self.is_query[index],
        )

    @staticmethod
    def joined(parts: Sequence[TokenizedTexts]) -> TokenizedTexts:
        """Join the texts of all parts, one part after the other."""
        return TokenizedTexts(
            [ids for part in parts for ids in part.ids],
            [found for part in parts for found in part.entity_tokens],
            np.concatenate([_NO_IDS, *(part.unpooled for part in parts)]),
            np.concatenate([_NO_IDS, *(part.is_query for part in parts)]).astype(np.bool_),
        )


class LazyTokens(TokenizedTexts):
    """Texts that are tokenised when their tokens are first used.

    Attributes:
        texts: n texts.
        spans: the entities of each text.
        roles: the role of each text.
    """

    def __init__(
        self,
        texts: Sequence[str],
        spans: Sequence[Spans],
        tokenized: Callable[[Texts], TokenizedTexts],
        roles: Sequence[Role] | None = None,
    ) -> None:
        """Keep the function that tokenises the texts. Without `roles` all texts are documents."""
        self.texts = texts
        self.spans = spans
        self.roles: Sequence[Role] = ["document"] * len(texts) if roles is None else roles
        self._tokenized = tokenized

    @cached_property
    def _tokens(self) -> TokenizedTexts:
        return self._tokenized(Texts(self.texts, self.spans, self.roles))

    @cached_property
    def same_text(self) -> Ints:
        """For each text, the row of the first text that is the same: int64 (n,)."""
        return same_text(self.texts)

    @property
    def ids(self) -> list[Ints]:
        """The same as in `TokenizedTexts`."""
        return self._tokens.ids

    @property
    def entity_tokens(self) -> list[list[Ints]]:
        """The same as in `TokenizedTexts`."""
        return self._tokens.entity_tokens

    @property
    def unpooled(self) -> Ints:
        """The same as in `TokenizedTexts`."""
        return self._tokens.unpooled

    @cached_property
    def is_query(self) -> npt.NDArray[np.bool_]:
        """The same as in `TokenizedTexts`. It needs no tokens."""
        return _are_queries(self.roles)

    def __len__(self) -> int:
        return len(self.texts)

    def read(self, rows: Ints) -> Texts:
        """Return the given texts, with the spans and the role of each."""
        return Texts(
            *([column[i] for i in rows] for column in (self.texts, self.spans, self.roles))
        )

    def take(self, rows: npt.ArrayLike) -> LazyTokens:
        """Return the given rows, in the given order."""
        index = np.asarray(rows, np.int64)
        found = self.read(index)
        part = LazyTokens(found.texts, found.spans, self._tokenized, found.roles)
        if "_tokens" in vars(self):
            # Tokens are taken only if they exist. Otherwise all texts would be tokenised, even if
            # few of them are needed.
            vars(part)["_tokens"] = self._tokens.take(index)
        return part


class Reader(Protocol):
    """The part of a model that decides which tokens of a text it sees.

    It may also have `prompts`, the words that it reads before a text of each role; `max_lengths`,
    the limits of roles that have one of their own; `pools_prompt`, which is False if the tokens
    of a prompt are not part of a text's vector; and `parts`, the reader of each role if they
    differ.
    """

    @property
    def tokenizer(self) -> Any:
        """A fast tokenizer of transformers."""

    @property
    def max_length(self) -> int:
        """The largest number of tokens in a text, special tokens included."""


class Placed(Protocol):
    """The part of a model that decides how a batch of tokens is padded, and on which device."""

    @property
    def tokenizer(self) -> Any:
        """The tokenizer whose padding token is used."""

    @property
    def device(self) -> torch.device:
        """The device of the batch."""


@dataclass(frozen=True)
class Batch:
    """Tokenised texts, padded to the longest of them.

    Attributes:
        input_ids: int64 (B, T).
        attention_mask: int64 (B, T), 1 for tokens, 0 for padding.
        entity_mask: bool (E, T), the tokens of each entity.
        entity_row: int64 (E,), the text of each entity.
        unpooled: int64 (B,), how many tokens at the start of each text are not pooled.
        is_query: bool (B,), whether each text is a query; the others are documents.
    """

    input_ids: Tensor
    attention_mask: Tensor
    entity_mask: Tensor
    entity_row: Tensor
    unpooled: Tensor
    is_query: Tensor

    @property
    def pooled_mask(self) -> Tensor:
        """The tokens that are pooled, at least the last of each text: bool (B, T)."""
        place = torch.arange(self.input_ids.shape[1], device=self.input_ids.device)
        last = self.attention_mask.sum(dim=1, keepdim=True) - 1
        pooled = place >= torch.minimum(self.unpooled.unsqueeze(1), last)
        return pooled & self.attention_mask.bool()

    def take(self, texts: Tensor, entities: Tensor) -> Batch:
        """Return some of the texts, padded to the longest of them.

        Args:
            texts: int64 (b,), rising, the texts that are taken.
            entities: int64 (e,), the entities of these texts.
        """
        mask = self.attention_mask[texts]
        longest = max(1, int(mask.sum(dim=1).max()))
        return Batch(
            self.input_ids[texts, :longest],
            mask[:, :longest],
            self.entity_mask[entities, :longest],
            torch.searchsorted(texts, self.entity_row[entities]),
            self.unpooled[texts],
            self.is_query[texts],
        )


def tokenize(
    model: Reader,
    texts: Sequence[str],
    spans: Sequence[Spans],
    roles: Sequence[Role] | None = None,
) -> TokenizedTexts:
    """Tokenise texts, each after the prompt of its role, and find the tokens of their entities.

    A token belongs to an entity if token_start < char_end and token_end > char_start. An entity is
    left out if all its tokens are cut, because they are past the limit of its text.

    Args:
        model: the model whose tokenizer, limits and prompts are used.
        texts: n texts.
        spans: the entities of each text, in code points of the text without its prompt.
        roles: the role of each text; None means that all are documents.

    Raises:
        ValueError: `spans` or `roles` is not as long as `texts`.
    """
    for name, column in (("entities", spans), ("roles", roles)):
        if column is not None and len(column) != len(texts):
            raise ValueError(f"{len(texts)} texts, and {name} of {len(column)}; expected as many")
    before = [""] * len(texts)
    if roles is None:
        roles = ["document"] * len(texts)
    else:
        prompts = prompts_of(model)
        before = [prompts.get(role, "") for role in roles]
    if any(before):
        texts = [prompt + text for prompt, text in zip(before, texts, strict=True)]
        spans = [
            np.asarray(targets, np.int64).reshape(-1, 2) + len(prompt)
            for prompt, targets in zip(before, spans, strict=True)
        ]
    ids: list[Ints] = [_NO_IDS] * len(texts)
    entity_tokens: list[list[Ints]] = [[] for _ in texts]
    unpooled = np.zeros(len(texts), np.int64)
    # Only texts with entities need the offsets of their tokens, which double the time.
    for (annotated, role), rows in _alike(spans, roles).items():
        reader = reader_for(model, role)
        known = getattr(reader, "vocabulary", len(reader.tokenizer))
        limit = limit_of(model, role)
        with TOKENIZING:
            encodings = _encodings(reader, [texts[row] for row in rows], limit, annotated)
        for row, encoding in zip(rows, encodings, strict=True):
            ids[row] = known_ids(reader.tokenizer, np.asarray(encoding.ids, np.int64), known)
            if annotated:
                entity_tokens[row] = _tokens_of(encoding.offsets, spans[row])
        if not getattr(reader, "pools_prompt", True):
            unpooled[rows] = prompt_length(reader, before[rows[0]])
    return TokenizedTexts(ids, entity_tokens, unpooled, _are_queries(roles))


def _alike(spans: Sequence[Spans], roles: Sequence[Role]) -> dict[tuple[bool, Role], list[int]]:
    """Group the rows of texts by whether they have entities, and by their role."""
    rows: dict[tuple[bool, Role], list[int]] = {}
    for row, (targets, role) in enumerate(zip(spans, roles, strict=True)):
        rows.setdefault((len(targets) > 0, role), []).append(row)
    return rows


def _are_queries(roles: Sequence[Role]) -> npt.NDArray[np.bool_]:
    return np.fromiter((role == "query" for role in roles), np.bool_, len(roles))


def reader_for(model: Reader, role: Role) -> Reader:
    """Return the reader of texts of a role, which is the model itself unless it has `parts`."""
    parts: Mapping[Role, Reader] = getattr(model, "parts", MappingProxyType({}))
    return parts.get(role, model)


def prompts_of(model: Reader) -> Mapping[Role, str]:
    """Return the words that a model reads before a text of each role; empty without prompts."""
    found: Mapping[Role, str] = getattr(model, "prompts", MappingProxyType({}))
    return found


def limit_of(model: Reader, role: Role) -> int:
    """Return the largest number of tokens in a text of a role, with special tokens and prompt."""
    limits: Mapping[Role, int] = getattr(model, "max_lengths", MappingProxyType({}))
    return limits.get(role, model.max_length)


def prompt_length(model: Reader, prompt: str) -> int:
    """Count the tokens of a prompt and the special tokens before it, as sentence-transformers does.

    A special token at the end, such as the one that ends a text, does not count.
    """
    if not prompt:
        return 0
    tokenizer = model.tokenizer
    with TOKENIZING:
        ids = tokenizer([prompt], truncation=True, max_length=model.max_length)["input_ids"][0]
    # A prompt may be without a token.
    return len(ids) - any(token in tokenizer.all_special_ids for token in ids[-1:])


def _encodings(model: Reader, texts: list[str], limit: int, offsets: bool) -> Sequence[Any]:
    """Return the encodings of the tokenizer itself, without the lists that transformers makes.

    To make the lists takes half as long as to tokenise, and a GPU would wait for them. One text
    goes through transformers, which sets the limit of the tokenizer. All texts do so if the class
    of the tokenizer does more than that.
    """
    own = _does_more(model.tokenizer.__class__)
    encoded = model.tokenizer(
        texts if own else texts[:1], truncation=True, max_length=limit, verbose=False
    )
    if own:
        return cast("Sequence[Any]", encoded.encodings)
    backend = model.tokenizer.backend_tokenizer
    whole = backend.encode_batch
    encode = whole if offsets else getattr(backend, "encode_batch_fast", whole)
    return cast("Sequence[Any]", encode(texts))


def known_ids(tokenizer: Any, ids: Ints, known: int) -> Ints:
    """Replace the ids for which an encoder has no embedding with that of the unknown token.

    Args:
        tokenizer: the tokenizer of the encoder.
        ids: int64 (n,).
        known: the number of rows in the encoder's table of embeddings.
    """
    if len(tokenizer) <= known or ids.max(initial=0) < known:
        return ids
    return np.where(ids < known, ids, tokenizer.unk_token_id)


@functools.cache
def _does_more(tokenizer: type) -> bool:
    """Return whether a class of tokenizers prepares texts in a way of its own."""
    from transformers import PreTrainedTokenizerFast

    return any(
        getattr(tokenizer, name, None) is not getattr(PreTrainedTokenizerFast, name, None)
        for name in ("__call__", "_encode_plus", "_batch_encode_plus")
    )


def _tokens_of(offsets: Sequence[tuple[int, int]], spans: Spans) -> list[Ints]:
    """Return the places of the tokens of each entity that has one, in a text with these offsets."""
    start, end = np.asarray(offsets).reshape(-1, 2).T  # a text may be without a token
    found = (np.flatnonzero((start < stop) & (end > begin)) for begin, stop in spans)
    return [tokens for tokens in found if len(tokens)]


def token_budget(device: torch.device, dtype: torch.dtype) -> int:
    """Return the number of tokens in a batch for embedding, padding included.

    On a CPU it depends on the dtype, so that a batch always fills the same part of the cache.
    """
    most = BATCH_TOKENS[device.type]
    return most * torch.float32.itemsize // dtype.itemsize if device.type == "cpu" else most


def batches_by_tokens(lengths: Ints, budget: int, padded: bool = True) -> Iterable[Ints]:
    """Cut texts into batches of similar length with at most `budget` tokens, padding included.

    The longest texts come first, so that memory runs out at once or not at all. Texts of equal
    length stay in the order of the input, so the batches depend only on the lengths. Batches that
    are not `padded` all have about the same number of tokens, as they may be embedded in parallel.
    """
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    if not padded and len(order):
        total, longest = int(ends[-1]), int(lengths[order[0]])
        budget = min(budget, -(-total // -(-total // budget)) + longest)
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))  # a text may be without a token
        before = int(ends[start] - lengths[order[start]])
        fit = int(np.searchsorted(ends, before + budget, "right")) - start
        rows = max(1, budget // longest if padded else fit)
        yield order[start : start + rows]
        start += rows


def collate(model: Placed, tokens: TokenizedTexts, rows: Ints) -> Batch:
    """Pad the given texts to the longest of them, on the model's device."""
    longest = max(1, *(len(tokens.ids[row]) for row in rows))  # a text may be without a token
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
        tokens.unpooled[rows],
        tokens.is_query[rows],
    )
    return Batch(*(on_device(array, model.device) for array in arrays))


def on_device(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Return an array as a tensor. A GPU copies it while it finishes earlier operations."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type != "cuda":
        # On other devices an asynchronous copy could read memory that has been reused.
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
