"""Counts of the tokens that a model does not see: those past its limit, and unknown ones.

They are counted once in each stage, whether vectors come from the model or from the cache. Only as
many texts are counted as can be tokenised in a few seconds.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stage2._core import Samples, TextColumn
from stage2.encoding.encoder import Encoder, LazyModel
from stage2.encoding.tokens import Reader, Role, limit_of, prompts_of, reader_for
from stage2.utils.arrays import Ints

# At most so many texts of each role are counted, evenly spaced. With 800 characters each, they are
# tokenised in two to four seconds on one core, a tenth of the time that MiniLM takes to embed them.
SAMPLE = 4_000

_WINDOW = 1024


@dataclass(frozen=True)
class Account:
    """The counts of what a model sees of the texts of one role.

    Attributes:
        texts: the number of all texts.
        counted: the number of texts that were counted. The other numbers are about these.
        max_length: the largest number of tokens in a text, special tokens included.
        cut: the number of texts that are longer than this.
        tokens: the number of tokens in all counted texts, uncut, without special tokens.
        lost: the number of these tokens that are past the limit.
        unknown: the number of these tokens that the vocabulary lacks.
        prompt: the words that the model reads before each of them.
    """

    texts: int
    counted: int
    max_length: int
    cut: int
    tokens: int
    lost: int
    unknown: int
    prompt: str = ""

    @property
    def lost_share(self) -> float:
        """The share of the tokens that are past the limit."""
        return self.lost / max(1, self.tokens)

    @property
    def unknown_share(self) -> float:
        """The share of the tokens that the vocabulary lacks."""
        return self.unknown / max(1, self.tokens)


def account_of(reader: Reader, texts: Sequence[str], total: int, role: Role) -> Account:
    """Tokenise texts without a limit, and count the tokens past the limit and unknown ones.

    Args:
        reader: the tokenizer, limits and prompts of the model.
        texts: the texts that are counted.
        total: the number of all texts of their role.
        role: the role of the texts. Its prompt leaves less room for them.
    """
    backend, room = _uncut(reader, role)
    encode = getattr(backend, "encode_batch_fast", backend.encode_batch)
    unknown_id = reader_for(reader, role).tokenizer.unk_token_id
    cut = tokens = lost = unknown = 0
    for start in range(0, len(texts), _WINDOW):
        for encoding in encode(list(texts[start : start + _WINDOW]), add_special_tokens=False):
            ids = encoding.ids
            cut += len(ids) > room
            lost += max(0, len(ids) - room)
            # A tokenizer of words leaves out those that it does not know.
            dropped = getattr(encoding, "dropped", 0)
            tokens += len(ids) + dropped
            unknown += dropped if unknown_id is None else ids.count(unknown_id)
    limit, prompt = limit_of(reader, role), prompts_of(reader).get(role, "")
    return Account(total, len(texts), limit, cut, tokens, lost, unknown, prompt)


def _uncut(reader: Reader, role: Role) -> tuple[Any, int]:
    """Return a tokenizer without a limit, and how many tokens of a text of a role are read."""
    # The tokenizer is copied, because it keeps its limit and others may be using it.
    tokenizer = reader_for(reader, role).tokenizer
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.no_truncation()
    backend.no_padding()
    room = limit_of(reader, role) - tokenizer.num_special_tokens_to_add()
    prompt = prompts_of(reader).get(role, "")
    return backend, room - len(backend.encode(prompt, add_special_tokens=False).ids)


@dataclass(frozen=True)
class Seen:
    """The part of a text that a model reads.

    Attributes:
        start: the first code point of it.
        stop: the code point after it; 0 if it is not known where the tokens of the text stand.
        tokens: the number of tokens in the text, uncut, without special tokens.
        lost: the number of these tokens that are not read.
    """

    start: int
    stop: int
    tokens: int
    lost: int

    @property
    def known(self) -> bool:
        """True if it is known where the part begins and ends."""
        return not self.lost or self.stop > 0

    @property
    def lost_share(self) -> float:
        """The share of the tokens that are not read."""
        return self.lost / max(1, self.tokens)


def seen_of(reader: Reader, texts: Sequence[str], role: Role) -> list[Seen]:
    """Find the part of each text that a model reads.

    Args:
        reader: the tokenizer, limits and prompts of the model.
        texts: the texts.
        role: the role of the texts. Its prompt leaves less room for them.
    """
    backend, room = _uncut(reader, role)
    side = getattr(reader_for(reader, role).tokenizer, "truncation_side", "right")
    found = []
    for start in range(0, len(texts), _WINDOW):
        part = list(texts[start : start + _WINDOW])
        encodings = backend.encode_batch(part, add_special_tokens=False)
        for text, encoding in zip(part, encodings, strict=True):
            count = len(encoding.ids)
            places, lost = encoding.offsets, max(0, count - room)
            first, stop = 0, len(text)
            if lost and side == "left":
                first, stop = places[lost][0], stop if places[-1][1] else 0
            elif lost:
                stop = places[room - 1][1]
            found.append(Seen(first, stop, count, lost))
    return found


def accounts(model: Encoder | LazyModel, samples: Samples) -> dict[str, Account]:
    """Count what the model sees of the questions and of the chunks of samples."""
    reader = reader_of(model)
    columns: tuple[tuple[str, TextColumn, Role], ...] = (
        ("questions", samples.questions, "query"),
        ("chunks", samples.contexts, "document"),
    )
    return {
        name: account_of(reader, column.take(spread(len(column))), len(column), role)
        for name, column, role in columns
    }


def reader_of(model: Encoder | LazyModel) -> Reader:
    """Return the part of a model that decides which tokens it sees, without loading the rest."""
    return model.reader if isinstance(model, LazyModel) else model


def facts(found: Mapping[str, Account]) -> dict[str, Any]:
    """Return the counts in the form in which `run.json` records them."""
    return {
        role: asdict(account)
        | {"lost_share": account.lost_share, "unknown_share": account.unknown_share}
        for role, account in found.items()
    }


def spread(count: int) -> Ints:
    """Return at most `SAMPLE` of `count` rows, evenly spaced."""
    if count <= SAMPLE:
        return np.arange(count)
    return np.linspace(0, count - 1, SAMPLE).astype(np.int64)
