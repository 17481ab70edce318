"""The check of a model on a few texts, before anything is written."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import collate, tokenize
from stage2.utils.errors import BadInputError

TEXTS = ("Who?", "The ship sailed from the island to the harbour.", "第一句。 Zweiter Satz.")
# The largest number of words in the long text. Most tables of positions end before it, and a longer
# text would take seconds.
_LONGEST = 1024
# Two vectors may differ by this share of the largest value, since the order of summation differs.
_CLOSE = 1e-2


def check_model(model: Encoder, name: str | os.PathLike[str]) -> None:
    """Check that a model can embed three short texts and a long one.

    Args:
        model: the model, on any device.
        name: the name of the model in messages.

    Raises:
        BadInputError: it gives no vectors, or vectors that cannot be used. The message says why.
    """
    check_tokenizer(model.tokenizer, model.backbone, name)
    long = "word " * min(model.max_length, _LONGEST)
    try:
        with torch.inference_mode():
            tokens = tokenize(model, [*TEXTS, long], [()] * 4)
            if not (tokens.lengths.all() or getattr(model.tokenizer, "drops_words", False)):
                raise BadInputError("its tokenizer gives no token of a text")
            short, alone, longest = (
                _hidden(model, tokens, rows) for rows in ((0, 1, 2), (0,), (3,))
            )
    except Exception as error:  # Whatever a library raises here, the model is at fault.
        reason = str(error).strip().split("\n", 1)[0]
        raise BadInputError(
            f"{name}: cannot embed a text ({reason}); expected an encoder of texts and its own "
            "tokenizer"
        ) from error
    width = model.backbone.config.hidden_size
    for found, rows in ((short, 3), (longest, 1)):
        if found.shape[0] != rows or found.shape[2:] != (width,):
            raise BadInputError(
                f"{name}: gives vectors of shape {tuple(found.shape)}; expected a vector of width "
                f"{width} for each token of {rows} texts"
            )
        if not torch.isfinite(found).all():
            raise BadInputError(
                f"{name}: its vectors of short texts are not finite; expected weights that float32 "
                "can compute with"
            )
    same = short[0, : alone.shape[1]]
    if (same - alone[0]).abs().max() > _CLOSE * alone.abs().max():
        raise BadInputError(
            f"{name}: a text has another vector beside longer ones: the encoder looks at padding. "
            "Expected one that goes by the attention mask"
        )


def _hidden(model: Encoder, tokens: Any, rows: tuple[int, ...]) -> torch.Tensor:
    batch = collate(model, tokens, np.array(rows))
    hidden = model.hidden(batch.input_ids, batch.attention_mask).float()
    # A vector in the place of padding belongs to no token.
    return hidden.masked_fill(batch.attention_mask.unsqueeze(-1) == 0, 0)


def check_tokenizer(tokenizer: Any, encoder: Any, name: str | os.PathLike[str]) -> None:
    """Check that a tokenizer has a padding token, and that its tokens have embeddings.

    A token that was added to the vocabulary, such as a mask token, may have no embedding if there
    is an unknown token, which then replaces it in texts; see `tokens.known_ids`.

    Raises:
        BadInputError: there is no padding token, or a token has no embedding.
    """
    rows = encoder.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        added = set() if tokenizer.unk_token_id is None else set(tokenizer.added_tokens_decoder)
        most = max(set(tokenizer.get_vocab().values()) - added, default=0)
        if most >= rows:
            raise BadInputError(
                f"{name}: its tokenizer has a token number {most}, and its table of embeddings has "
                f"{rows} rows; expected the tokenizer of this encoder"
            )
    if tokenizer.pad_token_id is None:
        raise BadInputError(
            f"{name}: its tokenizer has no padding token; name one as pad_token in "
            "tokenizer_config.json"
        )
    if tokenizer.pad_token_id >= rows:
        raise BadInputError(
            f"{name}: its padding token has number {tokenizer.pad_token_id}, and its table of "
            f"embeddings {rows} rows; expected the tokenizer of this encoder"
        )
