"""Second-stage training of retrieval encoders: mine hard examples, train on them, prove it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stage2._core import __version__ as __version__
from stage2._core import match_annotations
from stage2.arrays import rank
from stage2.data import Annotations, Dataset, Samples
from stage2.errors import BadInputError, RunFailedError
from stage2.hard_negatives import MinedNegatives, Positives, Rules, mine_negatives
from stage2.search import topk

if TYPE_CHECKING:
    from stage2.embeddings import Embeddings
    from stage2.loss import margin_ranking_loss
    from stage2.mining import similarity
    from stage2.model import ProbabilisticGBERTV4

__all__ = [
    "Annotations",
    "BadInputError",
    "Dataset",
    "Embeddings",
    "MinedNegatives",
    "Positives",
    "ProbabilisticGBERTV4",
    "Rules",
    "RunFailedError",
    "Samples",
    "margin_ranking_loss",
    "match_annotations",
    "mine_negatives",
    "rank",
    "similarity",
    "topk",
]

# Imported when first asked for: they need torch, which takes seconds and half a gigabyte, and
# reading, joining, sampling and searching do not.
_WITH_TORCH = {
    "Embeddings": "stage2.embeddings",
    "ProbabilisticGBERTV4": "stage2.model",
    "margin_ranking_loss": "stage2.loss",
    "similarity": "stage2.mining",
}


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_WITH_TORCH[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
