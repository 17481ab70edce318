"""Training with sentence-transformers on the lists of `stage2 run`, from the same model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
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
    MultipleNegativesRankingLoss,
    TripletDistanceMetric,
    TripletLoss,
)
from sentence_transformers.sentence_transformer.training_args import BatchSamplers
from torch import nn

from stage2.encoding.encoder import Encoder
from stage2.models.export import export
from stage2.utils.errors import BadInputError

Row = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """The settings that a peer's training shares with ours."""

    epochs: int
    batch_size: int
    learning_rate: float
    margin: float
    seed: int
    bf16: bool


def triplets(rows: Sequence[Row]) -> Row:
    """Make a row for each negative."""
    found = [
        (row["question"], row["ground_truth_contexts"][0], negative)
        for row in rows
        for negative in row["negative_contexts"]
    ]
    names = ("anchor", "positive", "negative")
    return dict(zip(names, map(list, zip(*found, strict=True)), strict=True))


def tuples(rows: Sequence[Row]) -> Row:
    """Make a row for each question, with as many negatives as every question has."""
    columns = pairs(rows)
    for place in range(min(len(row["negative_contexts"]) for row in rows)):
        columns[f"negative_{place}"] = [row["negative_contexts"][place] for row in rows]
    return columns


def pairs(rows: Sequence[Row]) -> Row:
    """Make a row for each question without negatives; other rows of its batch serve as such."""
    return {
        "anchor": [row["question"] for row in rows],
        "positive": [row["ground_truth_contexts"][0] for row in rows],
    }


def _triplet_loss(model: SentenceTransformer, recipe: Recipe) -> nn.Module:
    # The default is a Euclidean margin of 5, but unit vectors are never so far apart.
    return TripletLoss(model, TripletDistanceMetric.COSINE, recipe.margin)


def _ranking_loss(model: SentenceTransformer, _: Recipe) -> nn.Module:
    return MultipleNegativesRankingLoss(model)


# The loss of each peer, and the function that makes its columns.
PEERS: dict[str, tuple[Callable[..., nn.Module], Callable[[Sequence[Row]], Row]]] = {
    "TripletLoss": (_triplet_loss, triplets),
    "MultipleNegativesRankingLoss": (_ranking_loss, tuples),
    # This is our own default loss, which does not use the lists' negatives.
    "the same, pairs alone": (_ranking_loss, pairs),
}


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


def train(name: str, model: SentenceTransformer, rows: Sequence[Row], recipe: Recipe) -> None:
    """Train a model in place with the peer's own trainer and our number of questions a step."""
    disable_progress_bars()
    make_loss, columns = PEERS[name]
    data = Dataset.from_dict(columns(rows))
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(Path(folder)),
            num_train_epochs=recipe.epochs,
            per_device_train_batch_size=recipe.batch_size * max(1, len(data) // len(rows)),
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
            model=model, args=arguments, train_dataset=data, loss=make_loss(model, recipe)
        )
        trainer.train()


def scores(
    model: SentenceTransformer, questions: Sequence[str], chunks: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Return the cosines, float32 (questions, chunks)."""
    left, right = (
        model.encode(list(texts), show_progress_bar=False) for texts in (questions, chunks)
    )
    return np.asarray(left @ right.T, np.float32)
