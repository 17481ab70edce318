"""Training with MultipleNegativesRankingLoss of sentence-transformers, from the same model."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
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
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.training_args import BatchSamplers

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
    seed: int
    bf16: bool


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
            loss=MultipleNegativesRankingLoss(model),
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
