"""The scores of a reranker on disk, so that it is not asked about a pair twice.

They stand in a file of the cache of vectors, each as a vector of width 1, by the texts of the pair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stage2.encoding.cache import KEY_BYTES, EmbeddingCache, Keys
from stage2.encoding.embeddings import Embeddings
from stage2.models.reranker import Reranker
from stage2.utils.arrays import Floats, Ints
from stage2.utils.progress import Progress

# So many pairs are scored before their scores are kept: what is stopped loses no more.
_WINDOW = 4096


@dataclass(frozen=True)
class KeptReranker:
    """A reranker that is asked only about pairs whose scores are not kept.

    Attributes:
        reranker: the reranker.
        cache: the file of its scores, of width 1, which are of `precision`.
        precision: `auto`, `fp32` or `bf16`. At another precision nothing is looked up or kept.
    """

    reranker: Reranker
    cache: EmbeddingCache
    precision: str

    def score(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        *,
        precision: str = "auto",
        progress: Progress | None = None,
    ) -> Floats:
        """Score pairs of a question and a context; see `Reranker.score`."""
        if precision != self.precision:
            return self.reranker.score(questions, contexts, precision=precision, progress=progress)
        keys = pair_keys(questions, contexts)
        found, absent = self.cache.get(keys)
        out = found.mu[:, 0].copy()
        done = len(keys) - len(absent)
        for start in range(0, len(absent), _WINDOW):
            rows = absent[start : start + _WINDOW]
            parts = ([texts[row] for row in rows.tolist()] for texts in (questions, contexts))
            out[rows] = self.reranker.score(
                *parts, precision=precision, progress=_after(done + start, len(keys), progress)
            )
            self._keep(keys[rows], out[rows])
        if progress is not None and not len(absent):
            progress(len(keys), len(keys))
        return out

    def unknown(self, questions: Sequence[str], contexts: Sequence[str]) -> Ints:
        """Return the rows of the pairs that the reranker would be asked about: int64, rising."""
        return self.cache.get(pair_keys(questions, contexts))[1]

    def _keep(self, keys: Keys, scores: Floats) -> None:
        """Keep the scores that are numbers: nobody can learn from the others, or should again."""
        rows = np.flatnonzero(np.isfinite(scores))
        kept = Embeddings.empty(len(rows), 1)
        kept.mu[:, 0] = scores[rows]
        self.cache.put(keys[rows], kept)


def pair_keys(questions: Sequence[str], contexts: Sequence[str]) -> Keys:
    """Return the key of each pair, a hash of both texts: void (m,)."""
    digests = bytearray()
    for pair in zip(questions, contexts, strict=True):
        digest = hashlib.blake2b(digest_size=KEY_BYTES)
        for text in pair:
            content = text.encode("utf-8", "surrogatepass")
            # The length keeps ("a", "bc") from ("ab", "c").
            digest.update(len(content).to_bytes(8, "little") + content)
        digests += digest.digest()
    return np.frombuffer(bytes(digests), f"V{KEY_BYTES}")


def _after(done: int, total: int, progress: Progress | None) -> Progress | None:
    """Return the progress of a part of the pairs as that of all."""
    if progress is None:
        return None

    def tell(count: int, _: int, tokens: int = 0) -> None:
        progress(done + count, total, tokens)

    return tell
