"""Training of the first dimensions of a vector as vectors of their own.

Kusupati et al. 2022, "Matryoshka representation learning": the loss is the mean of the losses at
several widths, so that an index may keep fewer dimensions.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from stage2.config import TrainingConfig
from stage2.encoding.encoder import Encoder
from stage2.encoding.vectors import Vectors
from stage2.utils.errors import BadInputError


def check_dimensions(settings: TrainingConfig, model: Encoder, has_entities: bool) -> None:
    """Refuse widths that the model does not have, and texts that are compared by entities.

    Args:
        settings: the setting `matryoshka` is used.
        model: that is to be trained.
        has_entities: whether texts are compared by their entities too.

    Raises:
        BadInputError: as said.
    """
    for width in settings.widths:
        if width > model.embedding_dim:
            raise BadInputError(
                f"--matryoshka {settings.matryoshka}: {width} dimensions of a vector that has "
                f"{model.embedding_dim}; expected at most {model.embedding_dim}"
            )
    if settings.widths and has_entities:
        raise BadInputError(
            "--matryoshka: the mean of entities' vectors cannot be cut to fewer dimensions; give "
            "--similarity sentence"
        )


def cut(vectors: Vectors[Tensor], width: int, unit_length: bool) -> Vectors[Tensor]:
    """The first dimensions of vectors of texts without entities.

    Args:
        vectors: float (n, d).
        width: at most d.
        unit_length: whether they are compared by their cosine.
    """
    mu = vectors.mu[:, :width]
    mu = F.normalize(mu, dim=-1) if unit_length else mu
    entity = vectors.entity[:, :width]
    return Vectors(mu, entity, vectors.has_entity, distance=vectors.distance)
