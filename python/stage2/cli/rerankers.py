"""The rerankers that settings name, with the scores that are kept of them."""

from __future__ import annotations

from stage2.config import Settings
from stage2.encoding.cache import EmbeddingCache, folder_of
from stage2.models import hub
from stage2.models.kept_scores import KeptReranker
from stage2.models.reranker import FLAG, Reranker, content_hash, load_reranker
from stage2.utils import files
from stage2.utils.device import describe, resolve_device, resolve_precision


def reranker(settings: Settings, name: str, what: str = FLAG) -> Reranker:
    """Load a reranker, whose scores are kept where vectors are unless --embedding-cache is off.

    Args:
        settings: the settings of the command.
        name: a folder or a hub id.
        what: the word for the model in messages.

    Raises:
        BadInputError: it cannot be loaded, or gives no scores.
    """
    device = resolve_device(settings.device)
    found = load_reranker(name, device, what)
    folder = folder_of(settings.embedding_cache)
    if folder is None:
        return found
    precision = describe(resolve_precision(settings.precision, device))
    content = content_hash(hub.folder_of(name, what))
    cache = EmbeddingCache(
        folder,
        1,
        {"reranker": content, "precision": precision, "device": device.type},
        {"model": f"scores of {files.written(name)}", "precision": precision},
    )
    return KeptReranker(found, cache, settings.precision)
