"""The fitting of a whole stage-1 model, its encoder too, so that it ranks as the encoder did.

`init_model` fits a projection alone. With it 64 dimensions keep what the chunks show to matter, but
the states that are projected stay those that the encoder made for its own width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stage2.encoding.batches import with_weights_of
from stage2.encoding.encode import encode
from stage2.encoding.encoder import Encoder
from stage2.encoding.kernels import unpadded
from stage2.encoding.tokens import Role, TokenizedTexts, batches_by_tokens, collate, tokenize
from stage2.models.gbert.fit_heads import temperature_of
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.models.init_model import own_encoder, sentences, shuffled, spans
from stage2.utils.arrays import Ints
from stage2.utils.device import resolve_precision
from stage2.utils.progress import Bar, Progress, no_bar

LEARNING_RATE = 1e-4
# In each step so many chunks are drawn, each with so many of its nearest, and so many short texts
# of each are compared with all of them.
DRAWN, NEAREST, SHORT = 7, 3, 3
CHUNKS = DRAWN * (1 + NEAREST)
# Sentences of a chunk that are read, and parts of these, at most.
SHORT_TEXTS = 8
# Texts that tell the spread of the similarities.
_SPREAD = 500


def fit_model(
    model: ProbabilisticGBERTV4,
    backbone: str | None,
    chunks: Sequence[str],
    *,
    steps: int,
    seed: int,
    precision: str = "auto",
    bar: Bar = no_bar,
) -> None:
    """Train all weights of a model until its cosines rank chunks as those of its encoder do.

    In each step sentences of some chunks, and parts of these, are compared with these chunks. The
    softmax of their cosines is held to that of the untouched encoder's own by their cross-entropy,
    as in `gbert.fit_heads`, with the same temperature. Chunks are drawn with their nearest, since
    among distant ones there is nothing to tell. The learning rate of AdamW falls linearly to 0, and
    nothing is dropped out. The encoder's own similarities are computed in float32.

    Args:
        model: the model, whose heads `init_model` has fitted.
        backbone: what `init_model` was given.
        chunks: the texts to fit on, at least two. Of many, as many are read as the steps compare:
            with a part of them the model forgets the others.
        steps: the number of updates.
        seed: the seed of the draws.
        precision: that of the matrix products of training: auto, fp32, bf16 or fp16.
        bar: opens a bar for each part of the work.
    """
    generator = np.random.default_rng((seed, 1))
    own = own_encoder(backbone).to(model.device)
    drawn = shuffled(list(dict.fromkeys(chunks)), generator)
    compared = CHUNKS * steps
    texts = drawn[: max(2, compared)]
    # No more short texts of a chunk than are drawn of it.
    most = min(SHORT_TEXTS, -(-SHORT * compared // len(texts)))
    short, of = _short_texts(texts, most, generator)
    with bar("reading sentences", "text") as progress:
        asked = _directions(own, short, "query", progress)
    with bar("reading chunks", "text") as progress:
        ranked = _directions(own, texts, "document", progress)
    dtype = resolve_precision(precision, model.device)
    if dtype == torch.float16:
        # Without a scaled loss, small gradients would be 0.
        dtype = torch.float32
    tokens = _tokens(model, short), _tokens(model, texts)
    job = _Fitting(model, asked, ranked, *tokens, of, generator, dtype)
    # Out of training nothing is dropped out.
    model.eval()
    with bar("fitting the model", "step") as progress, model.guard.training():
        optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
        for step in range(steps):
            optimizer.zero_grad()
            job.loss().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(step + 1, steps)


class _Fitting:
    """The texts of a fitting, and the loss of a draw of them.

    Args:
        model: the model.
        asked: float32 (n, D), the encoder's own vectors of the short texts, of unit length.
        ranked: float32 (N, D), those of the chunks.
        short: the tokens of the short texts.
        chunks: the tokens of the chunks.
        of: int64 (n,), the chunk of each short text.
        generator: it draws.
        dtype: the dtype of matrix products.
    """

    def __init__(
        self,
        model: ProbabilisticGBERTV4,
        asked: Tensor,
        ranked: Tensor,
        short: TokenizedTexts,
        chunks: TokenizedTexts,
        of: Ints,
        generator: np.random.Generator,
        dtype: torch.dtype,
    ) -> None:
        self.dtype = dtype
        self.model, self.asked, self.ranked = model, asked, ranked
        self.short, self.chunks, self.generator = short, chunks, generator
        self.rows = [np.flatnonzero(of == chunk) for chunk in range(len(chunks))]
        self.temperature = temperature_of(asked[:_SPREAD] @ ranked.T)

    def loss(self) -> Tensor:
        """Draw chunks, their nearest and short texts of all; return the cross-entropy of these."""
        draw = self.generator.choice
        drawn = draw(len(self.ranked), min(DRAWN, len(self.ranked)), replace=False)
        near = self.ranked[drawn] @ self.ranked.T
        near[torch.arange(len(drawn)), torch.from_numpy(drawn)] = -torch.inf
        nearest = near.topk(min(NEAREST, len(self.ranked) - 1)).indices.flatten().tolist()
        chunks = np.array(list(dict.fromkeys([*drawn.tolist(), *nearest])))
        short = np.concatenate([self.generator.permutation(self.rows[i])[:SHORT] for i in chunks])
        wanted = self.asked[short] @ self.ranked[chunks].T
        asked, ranked = self.embed(self.short, short), self.embed(self.chunks, chunks)
        given = asked @ ranked.T / self.temperature
        return F.cross_entropy(given, (wanted / self.temperature).softmax(dim=1))

    def embed(self, tokens: TokenizedTexts, rows: Ints) -> Tensor:
        """Return the model's vectors of some texts, of unit length: float32 (n, d)."""
        forward = with_weights_of(self.model, self.dtype)
        found, order = [], []
        with unpadded.end_to_end(self.model, self.dtype):
            for batch in batches_by_tokens(tokens.lengths[rows], unpadded.GROUP_TOKENS):
                found.append(forward(collate(self.model, tokens, rows[batch])).mu)
                order.append(batch)
        places = torch.from_numpy(np.argsort(np.concatenate(order))).to(self.model.device)
        return F.normalize(torch.cat(found)[places], dim=-1)


def _short_texts(
    chunks: Sequence[str], most: int, generator: np.random.Generator
) -> tuple[list[str], Ints]:
    """Return sentences of each chunk and parts of these, `most` of each, and the chunk of each."""
    found: list[str] = []
    of: list[int] = []
    for number, chunk in enumerate(chunks):
        whole = shuffled(sentences([chunk]), generator)[:most] or [chunk]
        texts = whole + spans(whole, most, generator)
        found += texts
        of += [number] * len(texts)
    return found, np.array(of)


def _tokens(model: ProbabilisticGBERTV4, texts: Sequence[str]) -> TokenizedTexts:
    """Return the tokens of texts without entities."""
    return tokenize(model, texts, [()] * len(texts))


def _directions(
    own: Encoder, texts: Sequence[str], role: Role, progress: Progress | None
) -> Tensor:
    """Return an encoder's vectors of texts, of unit length: float32 (n, D)."""
    mu = encode(own, texts, role=role, precision="fp32", progress=progress).mu
    return F.normalize(torch.from_numpy(mu).to(own.device), dim=-1)
