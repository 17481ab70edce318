"""Texts to tokens, and tokens to batches on a device."""

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

# Of one text: (char_start, char_end) pairs.
Spans = Sequence[tuple[int, int]] | Ints

# A text is a query or a document to a model. A model may have a prompt for each role, and reads it
# before the text. Texts are embedded, cached and compared as (role, text).
Role = Literal["query", "document"]

# Padding is waste and a batch's activations should fit the cache: short texts go many at a time,
# long ones few. A GPU wants more at once.
BATCH_TOKENS = {"cpu": 1024, "cuda": 32768, "mps": 8192}

# A tokenizer remembers where it was told to cut: no two threads tell it, or use it, at once.
TOKENIZING = threading.RLock()

_NO_IDS = np.empty(0, np.int64)


class Texts(NamedTuple):
    """n texts as an encoder reads them.

    Attributes:
        texts: n texts, without prompts.
        spans: for each text its entities.
        roles: for each text its role.
    """

    texts: Sequence[str]
    spans: Sequence[Spans]
    roles: Sequence[Role]


@dataclass(frozen=True)
class TokenizedTexts:
    """Tokens of n texts.

    Attributes:
        ids: for each text, int64 (tokens,), special tokens included.
        entity_tokens: for each text, for each entity with a token left, int64 (its tokens,).
        unpooled: int64 (n,), how many of a text's first tokens the model reads but does not pool.
            They are those of its prompt, where the model says so.
    """

    ids: list[Ints]
    entity_tokens: list[list[Ints]]
    unpooled: Ints

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Ints:
        """Tokens of each text, int64 (n,)."""
        return np.fromiter(map(len, self.ids), np.int64, len(self.ids))

    def take(self, rows: npt.ArrayLike) -> TokenizedTexts:
        """Select the given rows, in the given order."""
        index = np.asarray(rows, np.int64)
        return TokenizedTexts(
            [self.ids[i] for i in index],
            [self.entity_tokens[i] for i in index],
            self.unpooled[index],
        )

    @staticmethod
    def joined(parts: Sequence[TokenizedTexts]) -> TokenizedTexts:
        """The texts of all parts, one part after the other."""
        return TokenizedTexts(
            [ids for part in parts for ids in part.ids],
            [found for part in parts for found in part.entity_tokens],
            np.concatenate([_NO_IDS, *(part.unpooled for part in parts)]),
        )


class LazyTokens(TokenizedTexts):
    """Texts that are tokenised when their tokens are first looked at.

    Attributes:
        texts: n texts.
        spans: for each text its entities.
        roles: for each text its role.
    """

    def __init__(
        self,
        texts: Sequence[str],
        spans: Sequence[Spans],
        tokenized: Callable[[Texts], TokenizedTexts],
        roles: Sequence[Role] | None = None,
    ) -> None:
        """Remember how texts are tokenised; without `roles` all are documents."""
        self.texts = texts
        self.spans = spans
        self.roles: Sequence[Role] = ["document"] * len(texts) if roles is None else roles
        self._tokenized = tokenized

    @cached_property
    def _tokens(self) -> TokenizedTexts:
        return self._tokenized(Texts(self.texts, self.spans, self.roles))

    @cached_property
    def same_text(self) -> Ints:
        """For each text the first that is the same, however typed: int64 (n,)."""
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

    def __len__(self) -> int:
        return len(self.texts)

    def read(self, rows: Ints) -> Texts:
        """The given texts, with the spans and the role of each."""
        return Texts(
            *([column[i] for i in rows] for column in (self.texts, self.spans, self.roles))
        )

    def take(self, rows: npt.ArrayLike) -> LazyTokens:
        """Select the given rows, in the given order."""
        index = np.asarray(rows, np.int64)
        found = self.read(index)
        part = LazyTokens(found.texts, found.spans, self._tokenized, found.roles)
        if "_tokens" in vars(self):
            # There already: a few texts of many are not a reason to tokenise them all.
            vars(part)["_tokens"] = self._tokens.take(index)
        return part


class Reader(Protocol):
    """The part of a model that decides which tokens of a text it sees.

    It may have `prompts`, the words that it reads before a text of each role; `max_lengths`, the
    limit of a role whose limit is another; and `pools_prompt`, False where the tokens of a prompt
    are no part of a text's vector.
    """

    @property
    def tokenizer(self) -> Any:
        """A fast tokenizer of transformers."""

    @property
    def max_length(self) -> int:
        """Most tokens of a text, special tokens included."""


class Placed(Protocol):
    """The part of a model that decides how a batch of tokens is padded, and on which device."""

    @property
    def tokenizer(self) -> Any:
        """Whose padding is used."""

    @property
    def device(self) -> torch.device:
        """Where the batch goes."""


@dataclass(frozen=True)
class Batch:
    """Tokenised texts, padded to the longest of them.

    Attributes:
        input_ids: int64 (B, T).
        attention_mask: int64 (B, T), 1 on tokens, 0 on padding.
        entity_mask: bool (E, T), the tokens of each entity.
        entity_row: int64 (E,), the text that each entity stands in.
        unpooled: int64 (B,), how many of a text's first tokens are not pooled.
    """

    input_ids: Tensor
    attention_mask: Tensor
    entity_mask: Tensor
    entity_row: Tensor
    unpooled: Tensor

    @property
    def pooled_mask(self) -> Tensor:
        """Bool (B, T), the tokens that are pooled; at least the last of each text."""
        place = torch.arange(self.input_ids.shape[1], device=self.input_ids.device)
        last = self.attention_mask.sum(dim=1, keepdim=True) - 1
        pooled = place >= torch.minimum(self.unpooled.unsqueeze(1), last)
        return pooled & self.attention_mask.bool()


def tokenize(
    model: Reader,
    texts: Sequence[str],
    spans: Sequence[Spans],
    roles: Sequence[Role] | None = None,
) -> TokenizedTexts:
    """Tokenise texts, each after the prompt of its role, and find the tokens of their entities.

    A token belongs to an entity when token_start < char_end and token_end > char_start. An entity
    whose tokens all lie past the cut at `model.max_length` is absent.

    Args:
        model: whose tokenizer, limit and prompts are used.
        texts: n texts.
        spans: for each text its entities, in code points of the text without its prompt.
        roles: for each text its role; None: all are documents.

    Raises:
        ValueError: `spans` or `roles` are not as many as the texts.
    """
    for name, column in (("entities", spans), ("roles", roles)):
        if column is not None and len(column) != len(texts):
            raise ValueError(f"{len(texts)} texts, and {name} of {len(column)}; expected as many")
    if roles is None:
        roles = ["document"] * len(texts)
        before = [""] * len(texts)
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
    known = getattr(model, "vocabulary", len(model.tokenizer))
    # Where each token stands is asked of texts with entities alone: it takes as long again.
    for (annotated, limit), rows in _alike(model, spans, roles).items():
        with TOKENIZING:
            encodings = _encodings(model, [texts[row] for row in rows], limit, annotated)
        for row, encoding in zip(rows, encodings, strict=True):
            ids[row] = known_ids(model.tokenizer, np.asarray(encoding.ids, np.int64), known)
            if annotated:
                entity_tokens[row] = _tokens_of(encoding.offsets, spans[row])
    unpooled = np.zeros(len(texts), np.int64)
    if not getattr(model, "pools_prompt", True):
        lengths = {prompt: prompt_length(model, prompt) for prompt in set(before)}
        unpooled[:] = [lengths[prompt] for prompt in before]
    return TokenizedTexts(ids, entity_tokens, unpooled)


def _alike(
    model: Reader, spans: Sequence[Spans], roles: Sequence[Role]
) -> dict[tuple[bool, int], list[int]]:
    """The rows of texts that are tokenised in one way, by whether they have entities and limit."""
    rows: dict[tuple[bool, int], list[int]] = {}
    limits = {role: limit_of(model, role) for role in set(roles)}
    for row, (targets, role) in enumerate(zip(spans, roles, strict=True)):
        rows.setdefault((len(targets) > 0, limits[role]), []).append(row)
    return rows


def prompts_of(model: Reader) -> Mapping[Role, str]:
    """The words that a model reads before a text of each role; none where it has no prompts."""
    found: Mapping[Role, str] = getattr(model, "prompts", MappingProxyType({}))
    return found


def limit_of(model: Reader, role: Role) -> int:
    """Most tokens of a text of a role, special tokens and those of its prompt included."""
    limits: Mapping[Role, int] = getattr(model, "max_lengths", MappingProxyType({}))
    return limits.get(role, model.max_length)


def prompt_length(model: Reader, prompt: str) -> int:
    """Tokens of a prompt and of what the tokenizer puts before it, as sentence-transformers counts.

    A last token that is special, such as that which ends a text, is none of them.
    """
    if not prompt:
        return 0
    tokenizer = model.tokenizer
    with TOKENIZING:
        ids = tokenizer([prompt], truncation=True, max_length=model.max_length)["input_ids"][0]
    return len(ids) - (ids[-1] in tokenizer.all_special_ids)


def _encodings(model: Reader, texts: list[str], limit: int, offsets: bool) -> Sequence[Any]:
    """What the tokenizer gives, before transformers makes lists of it, which takes half as long.

    A GPU would wait for those lists. One text goes by way of transformers, which tells the
    tokenizer where to cut; all do where a class of tokenizers does more than that.
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
    """Ids with that of the unknown token for those that an encoder has no row for.

    Args:
        tokenizer: of the encoder.
        ids: int64 (n,).
        known: rows of its table of embeddings.
    """
    if len(tokenizer) <= known or ids.max(initial=0) < known:
        return ids
    return np.where(ids < known, ids, tokenizer.unk_token_id)


@functools.cache
def _does_more(tokenizer: type) -> bool:
    """Whether a class of tokenizers prepares texts in a way of its own."""
    from transformers import PreTrainedTokenizerFast

    return any(
        getattr(tokenizer, name, None) is not getattr(PreTrainedTokenizerFast, name, None)
        for name in ("__call__", "_encode_plus", "_batch_encode_plus")
    )


def _tokens_of(offsets: Sequence[tuple[int, int]], spans: Spans) -> list[Ints]:
    """For each entity with a token left its tokens, of a text whose tokens stand at `offsets`."""
    start, end = np.asarray(offsets).T
    found = (np.flatnonzero((start < stop) & (end > begin)) for begin, stop in spans)
    return [tokens for tokens in found if len(tokens)]


def token_budget(device: torch.device, dtype: torch.dtype) -> int:
    """Tokens of a batch that is embedded, padding included: of a CPU's cache always as much."""
    most = BATCH_TOKENS[device.type]
    return most * torch.float32.itemsize // dtype.itemsize if device.type == "cpu" else most


def batches_by_tokens(lengths: Ints, budget: int, padded: bool = True) -> Iterable[Ints]:
    """Cut texts into batches of like length of at most `budget` tokens, padding included.

    The longest come first, so that memory runs out at once or not at all. Equal lengths stay in
    the order of the input: the batches are a function of the lengths alone. Batches that are not
    `padded` hold about as many tokens each, for they may be embedded side by side.
    """
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    if not padded and len(order):
        total, longest = int(ends[-1]), int(lengths[order[0]])
        budget = min(budget, -(-total // -(-total // budget)) + longest)
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        before = int(ends[start]) - longest
        fit = int(np.searchsorted(ends, before + budget, "right")) - start
        rows = max(1, budget // longest if padded else fit)
        yield order[start : start + rows]
        start += rows


def collate(model: Placed, tokens: TokenizedTexts, rows: Ints) -> Batch:
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
        tokens.unpooled[rows],
    )
    return Batch(*(on_device(array, model.device) for array in arrays))


def on_device(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """An array as a tensor; a GPU copies it while it does what it was told before."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type != "cuda":
        # Elsewhere a copy that is not waited for may read memory that is in use again.
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
