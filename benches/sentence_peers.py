"""Training with the losses of sentence-transformers, from the same model."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset, disable_progress_bars
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    GISTEmbedLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.sentence_transformer.training_args import BatchSamplers
from sentence_transformers.util import mine_hard_negatives

from stage2.encoding.encoder import Encoder
from stage2.encoding.kernels import unpadded
from stage2.encoding.tokens import TokenizedTexts, batches_by_tokens
from stage2.models.export import export
from stage2.models.sentence_transformers.model import SentenceEncoder
from stage2.training.gradient_cache import Groups
from stage2.utils.errors import BadInputError

Row = dict[str, Any]

MNRL = "MultipleNegativesRankingLoss"
# By its name the loss that is made of a model. The guide is the model before training.
LOSSES: Mapping[str, Callable[[SentenceTransformer], torch.nn.Module]] = {
    MNRL: MultipleNegativesRankingLoss,
    "CachedMultipleNegativesRankingLoss": lambda model: CachedMultipleNegativesRankingLoss(
        model, mini_batch_size=64
    ),
    "GISTEmbedLoss": lambda model: GISTEmbedLoss(model, _guide(model), temperature=1 / 20),
}


@dataclass(frozen=True)
class Recipe:
    """The settings that a peer's training shares with ours."""

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    bf16: bool
    loss: str = MNRL


def columns_of(rows: Sequence[Row]) -> Row:
    """Make the columns of questions with their answers and negatives.

    Each question has as many negatives as every question has. Without any, the other rows of its
    batch serve as such.
    """
    columns = {
        "anchor": [row["question"] for row in rows],
        "positive": [row["ground_truth_contexts"][0] for row in rows],
    }
    for place in range(min(len(row["negative_contexts"]) for row in rows)):
        columns[f"negative_{place}"] = [row["negative_contexts"][place] for row in rows]
    return columns


def sentence_transformer(model: Encoder) -> SentenceTransformer:
    """Write a model as sentence-transformers has it, and read it there."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "model"
        try:
            export(model, "sentence-transformers", written)
        except BadInputError:
            # A folder of a Hugging Face encoder is read as it is.
            model.save(written)
        return SentenceTransformer(str(written), device=str(model.device))


def with_forward_of(encoder: SentenceEncoder, precision: str) -> SentenceTransformer:
    """Return the library's model that shares its weights with an encoder, and its forward pass.

    The vectors are those of the library's own forward pass to 1e-5, with other draws of dropout.
    Trainer, loss, batches and optimiser stay the library's. Without padding a training takes a
    third of the time, so that many can be made.
    """
    assert encoder.source is not None
    library: SentenceTransformer = encoder.source.library

    def forward(features: dict[str, Any], **_: Any) -> dict[str, Any]:
        kept = features["attention_mask"].bool()
        ids = [
            row[mask].cpu().numpy() for row, mask in zip(features["input_ids"], kept, strict=True)
        ]
        count = len(ids)
        texts = TokenizedTexts(
            ids, [[] for _ in ids], np.zeros(count, np.int64), np.zeros(count, np.bool_)
        )
        rows = list(batches_by_tokens(texts.lengths, unpadded.GROUP_TOKENS, padded=False))
        seeds = torch.randint(2**63 - 1, (len(rows),)).tolist()
        parts = [texts.take(part) for part in rows]
        groups = Groups(encoder, parts, seeds, precision, cached=not torch.is_grad_enabled())
        encoder.train(library.training)
        grouped = torch.cat([group.mu for group in groups.embed()])
        order = torch.from_numpy(np.argsort(np.concatenate(rows)))
        return {**features, "sentence_embedding": grouped[order.to(grouped.device)]}

    # The method of the class stays, so that only this model is embedded so.
    vars(library)["forward"] = forward
    return library


def train(model: SentenceTransformer, rows: Sequence[Row], recipe: Recipe) -> None:
    """Train a model in place with the library's own trainer and our number of questions a step."""
    disable_progress_bars()
    data = Dataset.from_dict(columns_of(rows))
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(Path(folder)),
            num_train_epochs=recipe.epochs,
            per_device_train_batch_size=recipe.batch_size,
            # The chunk of one question must not be a negative of another with the same chunk.
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            learning_rate=recipe.learning_rate,
            seed=recipe.seed,
            bf16=recipe.bf16,
            use_cpu=not torch.cuda.is_available(),
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=data,
            loss=LOSSES[recipe.loss](model),
        )
        trainer.train()


def mine(model: SentenceTransformer, rows: Sequence[Row], corpus: Sequence[str]) -> list[Row]:
    """Give each row the negative that the library's `mine_hard_negatives` finds in a corpus.

    It is the first that scores below 95% of the ground truth, which is what the library's
    documentation shows. A row without such a one is left out, as the library has it.
    """
    pairs = {key: columns_of(rows)[key] for key in ("anchor", "positive")}
    found = mine_hard_negatives(
        Dataset.from_dict(pairs), model, corpus=list(dict.fromkeys(corpus)), num_negatives=1,
        relative_margin=0.05, sampling_strategy="top", output_format="triplet", verbose=False,
    )  # fmt: skip
    return [
        {"question": row["anchor"], "ground_truth_contexts": [row["positive"]],
         "negative_contexts": [row["negative"]]}
        for row in found
    ]  # fmt: skip


def _guide(model: SentenceTransformer) -> SentenceTransformer:
    """Copy a model as it is, with its own forward pass if it has another one's."""
    guide = copy.copy(model)
    guide.__dict__ = {key: value for key, value in vars(model).items() if key != "forward"}
    return copy.deepcopy(guide).eval()


def scores(
    model: SentenceTransformer, questions: Sequence[str], chunks: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Return the cosines, float32 (questions, chunks)."""
    left, right = (
        model.encode(list(texts), show_progress_bar=False) for texts in (questions, chunks)
    )
    return np.asarray(left @ right.T, np.float32)
