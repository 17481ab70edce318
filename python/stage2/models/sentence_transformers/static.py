"""Models that begin with a table of vectors of tokens: sentence-transformers' StaticEmbedding.

The library gives a text the mean of the vectors of its tokens. Here the table takes the place of
the transformer, and the mean is the pooling. So entities have vectors too.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

# A tokenizer that names no limit cuts no text.
_NO_LIMIT = 1 << 30


class TokenTable(nn.Module):
    """A table of vectors in the place of a transformer: the state of a token is its row.

    Attributes:
        embedding: the module of the library's model that holds the rows.
        config: the part of a transformer's configuration that is used.
    """

    def __init__(self, embedding: nn.EmbeddingBag) -> None:
        super().__init__()
        self.embedding = embedding
        self.config = SimpleNamespace(
            hidden_size=embedding.embedding_dim, pad_token_id=None, _attn_implementation=None
        )

    def get_input_embeddings(self) -> nn.EmbeddingBag:
        """Return the module that holds the rows."""
        return self.embedding

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:  # noqa: ARG002
        """Return the rows of tokens as `last_hidden_state`, float (B, T, D), padding included."""
        return SimpleNamespace(last_hidden_state=F.embedding(input_ids, self.embedding.weight))


@dataclass(frozen=True)
class Encoded:
    """Tokenised texts, as far as a tokenizer of transformers gives them.

    Attributes:
        encodings: the ids and the offsets of each text.
    """

    encodings: Sequence[Any]

    def __getitem__(self, name: str) -> list[list[int]]:
        """Return `input_ids`, the ids of each text."""
        return {"input_ids": [encoding.ids for encoding in self.encodings]}[name]


class PlainTokenizer:
    """A tokenizer of the package tokenizers, used like one of transformers.

    It puts no special token around a text, as the library does with static embeddings. There is no
    padding token: any row serves, because only the mask says what is padding.

    Attributes:
        backend_tokenizer: a copy of the library's tokenizer, which keeps its own limit.
        model_max_length: the largest number of tokens in a text.
        unk_token_id: the id of the unknown token, or None.
        truncation_side: `right` if the end of a long text is cut, `left` if its beginning is.
    """

    pad_token_id = 0
    all_special_ids: Sequence[int] = ()
    added_tokens_decoder: Mapping[int, Any] = MappingProxyType({})

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.backend_tokenizer = copy.deepcopy(tokenizer)
        told = tokenizer.truncation or {}
        self.model_max_length = int(told.get("max_length", _NO_LIMIT))
        # The ids of a vocabulary may have gaps.
        self._size = max(tokenizer.get_vocab().values(), default=-1) + 1
        self.truncation_side = told.get("direction", "right")
        unknown = getattr(tokenizer.model, "unk_token", None)
        self.unk_token_id = None if unknown is None else tokenizer.token_to_id(unknown)

    def __call__(
        self,
        texts: Sequence[str],
        *,
        max_length: int,
        truncation: bool = True,  # noqa: ARG002  texts are always cut
        verbose: bool = False,  # noqa: ARG002  nothing is said
    ) -> Encoded:
        """Tokenise texts, and cut them at `max_length` tokens."""
        self.backend_tokenizer.enable_truncation(max_length, direction=self.truncation_side)
        return Encoded(self.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False))

    def __len__(self) -> int:
        return self._size

    def get_vocab(self) -> dict[str, int]:
        """Return the id of each token."""
        return dict(self.backend_tokenizer.get_vocab())

    def num_special_tokens_to_add(self) -> int:
        """Return 0, because no special token is put around a text."""
        return 0
