"""A cross-encoder, which reads a question and a context together and gives one score."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stage2.encoding.batches import autocast
from stage2.encoding.tokens import BATCH_TOKENS, batches_by_tokens, known_ids
from stage2.models import hub
from stage2.models.hub import longest_input
from stage2.models.model_check import TEXTS, check_tokenizer
from stage2.models.sentence_transformers.chat_reranker import ChatReranker
from stage2.utils import files
from stage2.utils.arrays import Floats
from stage2.utils.device import resolve_precision
from stage2.utils.errors import BadInputError
from stage2.utils.progress import Progress
from stage2.utils.tensors import weight_files

# The largest number of tokens in a question and a context together. A model may take fewer.
MAX_LENGTH = 512
# So many pairs are tokenised and sorted by length at a time.
_WINDOW = 16_384


@dataclass(frozen=True)
class CrossEncoder:
    """A sequence classifier with one output, and its tokenizer."""

    model: Any
    tokenizer: Any
    max_length: int

    @classmethod
    def load(cls, name: str, device: torch.device, what: str = "--cross-encoder") -> CrossEncoder:
        """Load any `AutoModelForSequenceClassification` with one output.

        Args:
            name: a folder or a hub id.
            device: the device on which the model will run.
            what: the word for the model in messages.

        Raises:
            BadInputError: the model cannot be loaded, has another number of outputs, has no trained
                head, or gives no scores.
        """
        folder = hub.folder_of(name, what)
        model = hub.load_classifier(folder, what)
        tokenizer = hub.load_tokenizer(folder, what)
        outputs = model.config.num_labels
        if outputs != 1:
            raise BadInputError(
                f"{what} {name} has {outputs} outputs; expected one, a relevance score"
            )
        length = min(MAX_LENGTH, longest_input(model.base_model, tokenizer))
        found = cls(model.eval().to(device), tokenizer, length)
        probe_pairs(found, f"{what} {name}")
        return found

    def score(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        *,
        precision: str = "auto",
        progress: Progress | None = None,
    ) -> Floats:
        """Score pairs of a question and a context.

        A score is the output of the model without a sigmoid, so margins are in logits. If a pair
        has too many tokens, the longer of its texts is cut.

        Args:
            questions: m texts.
            contexts: m texts.
            precision: `auto`, `fp32` or `bf16`.
            progress: called with the number of pairs done and of all pairs.

        Returns:
            float32 (m,).
        """
        out = np.empty(len(questions), np.float32)
        for start in range(0, len(questions), _WINDOW):
            rows = slice(start, min(start + _WINDOW, len(questions)))
            out[rows] = self._score(questions[rows], contexts[rows], precision)
            if progress is not None:
                progress(rows.stop, len(questions))
        return out

    def _score(self, questions: Sequence[str], contexts: Sequence[str], precision: str) -> Floats:
        encoded = self.tokenizer(
            list(questions),
            list(contexts),
            truncation="longest_first",
            max_length=self.max_length,
            padding=False,
        )
        known = self.model.get_input_embeddings().num_embeddings
        if len(self.tokenizer) > known:
            rows_of_ids = (np.asarray(ids, np.int64) for ids in encoded["input_ids"])
            encoded["input_ids"] = [
                known_ids(self.tokenizer, ids, known).tolist() for ids in rows_of_ids
            ]
        lengths = np.fromiter(map(len, encoded["input_ids"]), np.int64)
        device = self.model.device
        dtype = resolve_precision(precision, device)
        out = np.empty(len(lengths), np.float32)
        with torch.inference_mode(), autocast(device, dtype):
            for rows in batches_by_tokens(lengths, BATCH_TOKENS[device.type]):
                batch = {key: [values[row] for row in rows] for key, values in encoded.items()}
                padded = self.tokenizer.pad(batch, return_tensors="pt").to(device)
                out[rows] = self.model(**padded).logits[:, 0].float().cpu().numpy()
        return out


def cross_encoder_hash(name: str) -> str:
    """Return the SHA-256 of a cross-encoder's weights, or its id if it comes from the hub."""
    if not Path(name).is_dir():
        return os.fspath(name)
    digests = [files.sha256(path) for path in weight_files(Path(name))]
    # If the weights are in several files, the hashes of these files are hashed.
    return digests[0] if len(digests) == 1 else sha256("".join(digests).encode()).hexdigest()


def probe_pairs(model: CrossEncoder | ChatReranker, name: str) -> None:
    """Check that a reranker can score three short pairs of texts.

    Raises:
        BadInputError: it gives no scores, or scores that are not finite.
    """
    try:
        check_tokenizer(model.tokenizer, model.model, name)
        scores = model.score(TEXTS, TEXTS[::-1], precision="fp32")
    except BadInputError:
        raise
    except Exception as error:  # Whatever a library raises here, the model is at fault.
        reason = str(error).strip().split("\n", 1)[0]
        raise BadInputError(
            f"{name}: cannot score a pair of texts ({reason}); expected a cross-encoder and its "
            "own tokenizer"
        ) from error
    if not np.isfinite(scores).all():
        raise BadInputError(f"{name}: its scores of short texts are not finite")
