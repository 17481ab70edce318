"""What a model does not see of the texts: tokens past its limit, and those that it does not know.

Counted once a stage, whether vectors come from the model or from the cache, on as many texts as
are tokenised in a few seconds.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stage2._core import Samples, TextColumn
from stage2.encoding.encoder import Encoder, LazyModel
from stage2.encoding.tokens import Reader, Role, limit_of, prompts_of
from stage2.utils.arrays import Ints

# Of each role so many texts are looked at, evenly spaced where there are more: of 800 characters
# each they are tokenised in two to four seconds on one core, a tenth of what MiniLM takes to embed
# them once.
SAMPLE = 4_000

_WINDOW = 1024


@dataclass(frozen=True)
class Account:
    """How much of the texts of one role a model sees.

    Attributes:
        texts: how many there are.
        counted: how many of them the other numbers are of.
        max_length: most tokens of a text, special tokens included.
        cut: texts of which something is past that.
        tokens: of all texts counted, uncut, without special tokens.
        lost: those past the limit.
        unknown: those that the vocabulary lacks, uncut.
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
        """Share of the tokens that are past the limit."""
        return self.lost / max(1, self.tokens)

    @property
    def unknown_share(self) -> float:
        """Share of the tokens that the vocabulary lacks."""
        return self.unknown / max(1, self.tokens)


def account_of(reader: Reader, texts: Sequence[str], total: int, role: Role) -> Account:
    """Tokenise texts without a limit, and count what the model's limit and vocabulary take away.

    Args:
        reader: what of a model is needed.
        texts: those to count.
        total: how many there are of their role.
        role: theirs, whose prompt leaves so much less room.
    """
    # A tokenizer of its own: where texts are cut is kept in it, and others may be using it.
    backend = copy.deepcopy(reader.tokenizer.backend_tokenizer)
    backend.no_truncation()
    backend.no_padding()
    encode = getattr(backend, "encode_batch_fast", backend.encode_batch)
    limit = limit_of(reader, role)
    room = limit - reader.tokenizer.num_special_tokens_to_add()
    prompt = prompts_of(reader).get(role, "")
    room -= len(backend.encode(prompt, add_special_tokens=False).ids)
    unknown_id = reader.tokenizer.unk_token_id
    cut = tokens = lost = unknown = 0
    for start in range(0, len(texts), _WINDOW):
        for encoding in encode(list(texts[start : start + _WINDOW]), add_special_tokens=False):
            ids = encoding.ids
            cut += len(ids) > room
            lost += max(0, len(ids) - room)
            tokens += len(ids)
            unknown += 0 if unknown_id is None else ids.count(unknown_id)
    return Account(total, len(texts), limit, cut, tokens, lost, unknown, prompt)


def accounts(model: Encoder | LazyModel, samples: Samples) -> dict[str, Account]:
    """Count how much the model sees of the questions and of the chunks they meet."""
    reader = model.reader if isinstance(model, LazyModel) else model
    columns: tuple[tuple[str, TextColumn, Role], ...] = (
        ("questions", samples.questions, "query"),
        ("chunks", samples.contexts, "document"),
    )
    return {
        name: account_of(reader, column.take(_spread(len(column))), len(column), role)
        for name, column, role in columns
    }


def facts(found: Mapping[str, Account]) -> dict[str, Any]:
    """The counts by role as `run.json` has them."""
    return {
        role: asdict(account)
        | {"lost_share": account.lost_share, "unknown_share": account.unknown_share}
        for role, account in found.items()
    }


def _spread(count: int) -> Ints:
    """At most `SAMPLE` of so many rows, evenly spaced."""
    if count <= SAMPLE:
        return np.arange(count)
    return np.linspace(0, count - 1, SAMPLE).astype(np.int64)
