"""Second-stage training of retrieval encoders: mine hard examples, train, prove the gain."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stage2._core import Gazetteer, match_annotations
from stage2._core import __version__ as __version__
from stage2.data.dataset import Annotations, Dataset, Samples
from stage2.utils.errors import BadInputError, RegressedError, RunFailedError

if TYPE_CHECKING:
    from stage2.api import (
        audit,
        check,
        convert,
        evaluate,
        merge,
        mine,
        relabel,
        run,
        sweep,
        train,
    )
    from stage2.config import Settings
    from stage2.data.annotate import annotate
    from stage2.encoding.embeddings import Embeddings
    from stage2.encoding.similarity import similarity
    from stage2.evaluation.ranking import rank
    from stage2.mining.hard_negatives import MinedNegatives, Positives, Rules, mine_negatives
    from stage2.mining.search import topk
    from stage2.models.auto import load_model
    from stage2.models.gbert.model import ProbabilisticGBERTV4
    from stage2.result import Result, SweepResult
    from stage2.training.losses import margin_ranking_loss
    from stage2.training.own_loss import add_loss

__all__ = [
    "Annotations",
    "BadInputError",
    "Dataset",
    "Embeddings",
    "Gazetteer",
    "MinedNegatives",
    "Positives",
    "ProbabilisticGBERTV4",
    "RegressedError",
    "Result",
    "Rules",
    "RunFailedError",
    "Samples",
    "Settings",
    "SweepResult",
    "add_loss",
    "annotate",
    "audit",
    "check",
    "convert",
    "evaluate",
    "load_model",
    "margin_ranking_loss",
    "match_annotations",
    "merge",
    "mine",
    "mine_negatives",
    "rank",
    "relabel",
    "run",
    "similarity",
    "sweep",
    "topk",
    "train",
]

# These are imported when they are first used. The import of torch takes seconds and half a
# gigabyte. That of numpy, whose threads wait busily, takes a tenth of the time of `stage2 prepare`.
# Reading, joining and sampling need neither.
_LATER = {
    "Embeddings": "stage2.encoding.embeddings",
    "MinedNegatives": "stage2.mining.hard_negatives",
    "Positives": "stage2.mining.hard_negatives",
    "ProbabilisticGBERTV4": "stage2.models.gbert.model",
    "Result": "stage2.result",
    "Rules": "stage2.mining.hard_negatives",
    "Settings": "stage2.config",
    "SweepResult": "stage2.result",
    "add_loss": "stage2.training.own_loss",
    "annotate": "stage2.data.annotate",
    "audit": "stage2.api",
    "check": "stage2.api",
    "convert": "stage2.api",
    "evaluate": "stage2.api",
    "load_model": "stage2.models.auto",
    "margin_ranking_loss": "stage2.training.losses",
    "merge": "stage2.api",
    "mine": "stage2.api",
    "mine_negatives": "stage2.mining.hard_negatives",
    "rank": "stage2.evaluation.ranking",
    "relabel": "stage2.api",
    "run": "stage2.api",
    "similarity": "stage2.encoding.similarity",
    "sweep": "stage2.api",
    "topk": "stage2.mining.search",
    "train": "stage2.api",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
