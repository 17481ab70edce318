"""The vectors of documents, which stay as they are if only the encoder of queries is trained.

They are computed once before training. In a step they are constants, so no document is embedded,
and neither is one when dev questions choose among the epochs.
"""

from __future__ import annotations

import numpy as np

from stage2.config import TrainingConfig
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import encode_tokens
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.utils.errors import BadInputError
from stage2.utils.progress import Progress

# The vectors of all texts of lists; those of queries are 0 and are not used.
Documents = Embeddings


def check_parts(model: Encoder, settings: TrainingConfig) -> None:
    """Refuse a model whose encoders are not those that the setting `train` trains.

    Raises:
        BadInputError: one encoder reads queries and documents, and only that of queries is to be
            trained; or there are two, and both are to be trained.
    """
    if settings.train == "query" and not model.parts:
        raise BadInputError(
            "--train query: this model reads questions and documents with one encoder; expected "
            "--model DIR of a sentence-transformers or Hugging Face model, which is then given an "
            "encoder of its own for each"
        )
    if settings.train == "both" and model.parts:
        raise BadInputError(
            "--train both: this model has one encoder for questions and another for documents; "
            "only that of questions can be trained further. Give --train query"
        )


def documents_of(model: Encoder, lists: RankingLists, settings: TrainingConfig) -> Documents | None:
    """Return the vectors of all documents of `lists`, or None if documents are trained too."""
    if not model.parts:
        return None
    rows = np.flatnonzero(~lists.tokens.is_query)
    size = len(lists.tokens)
    found = Embeddings.empty(size, model.embedding_dim, distance=model.distance)
    found.put(rows, encode_tokens(model, lists.tokens.take(rows), precision=settings.precision))
    return found


def embed(
    model: Encoder,
    lists: RankingLists,
    settings: TrainingConfig,
    progress: Progress | None,
    documents: Documents | None,
) -> Embeddings:
    """Embed the texts of `lists`, or only the queries if the vectors of documents are known."""
    if documents is None:
        return encode_tokens(model, lists.tokens, precision=settings.precision, progress=progress)
    rows = np.flatnonzero(lists.tokens.is_query)
    queries = encode_tokens(
        model, lists.tokens.take(rows), precision=settings.precision, progress=progress
    )
    found = documents.take(np.arange(len(documents)))
    found.put(rows, queries)
    return found
