"""Second-stage training of retrieval encoders: mine hard examples, train on them, prove it."""

from importlib.metadata import version

from stage2._core import match_annotations
from stage2.arrays import rank, topk
from stage2.data import Annotations, Dataset, Samples
from stage2.encode import Embeddings
from stage2.errors import BadInputError, RunFailedError
from stage2.loss import margin_ranking_loss
from stage2.mining import similarity
from stage2.model import ProbabilisticGBERTV4

__version__ = version("stage2")

__all__ = [
    "Annotations",
    "BadInputError",
    "Dataset",
    "Embeddings",
    "ProbabilisticGBERTV4",
    "RunFailedError",
    "Samples",
    "margin_ranking_loss",
    "match_annotations",
    "rank",
    "similarity",
    "topk",
]
