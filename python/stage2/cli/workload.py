"""How much a command would compute, and how long that is likely to take on this machine.

The model's own forward pass is measured for a fraction of a second on texts of the data, and a
search on a few rows. All else follows by counting. What was measured is stated as a range, for
batches are larger than those measured, and a machine may have other work.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stage2.cli.dry_run import Work, Workload
from stage2.config import ModelConfig, Settings
from stage2.data.dataset import Samples
from stage2.encoding.batches import WINDOW
from stage2.encoding.cache import EmbeddingCache, keys_of
from stage2.encoding.encode import encode_tokens
from stage2.encoding.encoder import Encoder, LazyModel, loaded
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.tokens import LazyTokens, Role, tokenize
from stage2.evaluation.baselines import Backbone
from stage2.models.fit_model import CHUNKS, SHORT
from stage2.models.hub import default_model
from stage2.models.init_model import CHUNK_TOKENS, QUESTION_TOKENS
from stage2.models.kept_scores import KeptReranker
from stage2.models.reranker import Reranker
from stage2.training.dev_corpus import DEV_CORPUS
from stage2.training.model_selection import ALPHAS
from stage2.training.rounds import has_rounds
from stage2.training.schedule import updates_an_epoch
from stage2.utils.arrays import Ints
from stage2.variants import LOSSES

# The seconds that the forward pass is measured for, after a first batch that does not count.
MEASURED = 0.4
_BATCH, _SAMPLE = 16, 64
# The questions and chunks of the search that is measured, and the times it is repeated.
_SEARCH, _REPEATS = (64, 4096), 3

# The time of work as multiples of what was measured. Its batches are larger and sorted.
_EMBEDDING = (0.6, 1.6)
# A step goes forwards and backwards, which is twice as much again, and updates the weights.
_TRAINING = (1.5, 4.5)
# A sentence that a model is fitted with, or a part of one.
_SENTENCE_TOKENS = 20
# A score is compared with that of each ground truth.
_SEARCHING = (1.0, 8.0)

_ROLES: tuple[Role, ...] = ("query", "document")


@dataclass(frozen=True)
class Pace:
    """How fast this machine is with a model.

    Attributes:
        token: the seconds of a forward pass for each token; 0 if nothing is to be embedded.
        tokens: the mean number of tokens of a text of each role, as the model reads it.
        score: the seconds for each score of a question and a chunk.
    """

    token: float
    tokens: Mapping[Role, float]
    score: float

    @staticmethod
    def measure(model: Encoder | LazyModel, tokens: LazyTokens, precision: str) -> Pace:
        """Measure the pace on some texts of the data, evenly spaced in each role."""
        is_query = tokens.is_query
        rows = [_spread(np.flatnonzero(is_query == (role == "query"))) for role in _ROLES]
        encoder = loaded(model)
        read = [tokenize(encoder, *tokens.read(part)) for part in rows]
        mean = {role: float(part.lengths.mean()) if len(part) else 0.0
                for role, part in zip(_ROLES, read, strict=True)}  # fmt: skip
        seconds = done = 0.0
        batches = [part.take(np.arange(start, min(start + _BATCH, len(part))))
                   for part in reversed(read) for start in range(0, len(part), _BATCH)]  # fmt: skip
        for batch in (*batches[:1], *batches):
            began = time.perf_counter()
            encode_tokens(encoder, batch, precision=precision)
            took = time.perf_counter() - began
            if batch is batches[0] and not done and not seconds:
                seconds = 1e-9  # the first call is slower than all later ones
                continue
            seconds, done = seconds + took, done + float(batch.lengths.sum())
            if seconds > MEASURED:
                break
        return Pace(seconds / max(1.0, done), mean, _score(encoder.embedding_dim))

    def embed(self, what: str, queries: int, documents: int) -> Work:
        """Return the work of embedding so many texts."""
        seconds = self._forward(queries, documents)
        return Work(what, queries + documents, _times(seconds, _EMBEDDING))

    def search(self, what: str, questions: int, chunks: int) -> Work:
        """Return the work of scoring every chunk for every question."""
        return Work(what, questions, _times(questions * chunks * self.score, _SEARCHING))

    def train(
        self,
        what: str,
        settings: Settings,
        questions: int,
        lists: RankingLists,
        least: float = 1.0,
    ) -> Work:
        """Return the work of training on so many questions for all epochs.

        Args:
            what: what is done.
            settings: the settings of the training.
            questions: the number of questions to train on, at most.
            lists: the lists that the questions are taken from.
            least: the share of the questions that is trained on at least.
        """
        updates = settings.epochs * updates_an_epoch(questions, settings)
        each = lists.num_relevant if LOSSES[settings.loss].negatives == "batch" else lists.lengths
        contexts = 0.0 if settings.train == "query" else float(each.mean()) * questions
        seconds = settings.epochs * self._forward(questions, contexts)
        low, high = _times(seconds, _TRAINING)
        return Work(what, updates, (least * low, high))

    def _forward(self, queries: float, documents: float) -> float:
        counts = zip(_ROLES, (queries, documents), strict=True)
        return self.token * sum(self.tokens[role] * count for role, count in counts)


def load_of(lists: RankingLists, work: Sequence[Work], default: bool = False) -> Workload:
    """Return pieces of work together with the counts of the data.

    Args:
        lists: the data.
        work: the pieces of work.
        default: whether the model is the default one, which no setting names.
    """
    counts = {"questions": len(lists), "texts, each once": len(lists.tokens)}
    if len(lists.corpus):
        counts["chunks"] = len(lists.corpus)
    return Workload(counts, work, {"model (default)": default_model()} if default else {})


def counts_of(lists: RankingLists, cache: EmbeddingCache | None = None) -> tuple[int, int]:
    """Return how many queries and documents of lists are to be embedded, not being in the cache."""
    tokens, missing = lists.tokens, np.ones(len(lists.tokens), np.bool_)
    if cache is not None:
        for start in range(0, len(tokens), WINDOW):
            rows = np.arange(start, min(start + WINDOW, len(tokens)))
            _, absent = cache.get(keys_of(*tokens.read(rows)))
            missing[rows] = False
            missing[rows[absent]] = True
    queries = int((missing & tokens.is_query).sum())
    return queries, int(missing.sum()) - queries


def fitting(pace: Pace, settings: ModelConfig, makes: bool = True) -> list[Work]:
    """Return the work of fitting a new model, if one is made; see `init_model` and `fit_model`."""
    if not (makes and settings.fit):
        return []
    count = CHUNK_TOKENS + QUESTION_TOKENS
    # The model and its encoder each read them; a small corpus has fewer.
    low, high = _times(2 * count * pace.token, _EMBEDDING)
    found = [Work("tokens to fit the heads on", count, (0.1 * low, high))]
    if settings.fit_steps:
        # A step compares chunks and some sentences of each, which are a few words each. The encoder
        # reads each chunk once, and a small corpus has fewer.
        count = settings.fit_steps * CHUNKS
        tokens = count * (pace.tokens["document"] + SHORT * _SENTENCE_TOKENS)
        (_, read), (low, high) = (_times(tokens * pace.token, by) for by in (_EMBEDDING, _TRAINING))
        found.append(Work("updates to fit the model", settings.fit_steps, (low, read + high)))
    return found


def evaluation(
    pace: Pace, lists: RankingLists, name: str, cache: EmbeddingCache | None = None
) -> list[Work]:
    """Return the work of embedding all texts of lists by a model, and of ranking the corpus."""
    found = [pace.embed(f"texts to embed, {name}", *counts_of(lists, cache))]
    if len(lists.corpus):
        found.append(
            pace.search(f"questions to rank the corpus for, {name}", len(lists), len(lists.corpus))
        )
    return found


def of_backbone(pace: Pace, lists: RankingLists, backbone: Backbone | None) -> list[Work]:
    """Return the work of the baseline that is the untouched backbone, if there is one.

    It is as large as the model, so the pace is that of the model.
    """
    if backbone is None:
        return []
    return evaluation(pace, lists.read_by(backbone.model), backbone.name, backbone.cache)


def cross_encoding(cross_encoder: Reranker | None, samples: Samples, precision: str) -> list[Work]:
    """Return the work of scoring candidates with a cross-encoder, but those that it has scored."""
    if cross_encoder is None or not len(samples.candidates):
        return []
    asked = np.repeat(np.arange(len(samples)), np.diff(samples.offsets))
    candidates = np.asarray(samples.candidates)
    model, unknown = cross_encoder, np.arange(len(asked))
    if isinstance(cross_encoder, KeptReranker):
        model = cross_encoder.reranker
        unknown = cross_encoder.unknown(
            samples.questions.take(asked), samples.contexts.take(candidates)
        )
    rows = _spread(unknown)[:_BATCH]
    if not len(rows):
        return []
    pairs = samples.questions.take(asked[rows]), samples.contexts.take(candidates[rows])
    model.score(*pairs, precision=precision)
    began = time.perf_counter()
    model.score(*pairs, precision=precision)
    seconds = (time.perf_counter() - began) / len(rows) * len(unknown)
    return [Work("pairs for the cross-encoder", len(unknown), _times(seconds, _EMBEDDING))]


def training(
    pace: Pace,
    settings: Settings,
    lists: RankingLists,
    train: int,
    dev: int,
    where: str = "",
    mined: int | None = None,
) -> list[Work]:
    """Return the work of one training with its dev questions.

    Args:
        pace: the pace with the model.
        settings: the settings of the training.
        lists: the lists that both sides are taken from.
        train: the number of questions on the training side. Which of them are hard is not known.
        dev: the number of dev questions.
        where: what to add to the name of the work.
        mined: the number of chunks in which negatives are mined again; None if it is that of the
            corpus of the lists.
    """
    least = 1.0 if settings.train_on == "all" else 0.05
    mined = len(lists.corpus) if mined is None else mined
    chunks = min(len(lists.corpus), DEV_CORPUS) or int(lists.lengths.mean() * dev)
    work = [pace.train(f"updates{where}", settings, train, lists, least)]
    # Interpolations are made only if no epoch is better than stage 1.
    times = settings.epochs + len(ALPHAS)
    texts = pace.embed(f"texts to embed to choose an epoch{where}", times * dev, times * chunks)
    share = settings.epochs / times
    work.append(Work(texts.what, texts.count, (share * texts.seconds[0], texts.seconds[1])))
    work += mining_again(pace, settings, (train, mined), where, least)
    if settings.refit:
        again = [
            pace.train(f"updates of the refit{where}", settings, train + dev, lists, least),
            *mining_again(pace, settings, (train + dev, mined), f" in the refit{where}", least),
        ]
        # It goes as far as the chosen epoch, and not at all where stage 1 is chosen.
        work += [Work(one.what, one.count, (0.0, one.seconds[1])) for one in again]
    return work


def mining_again(
    pace: Pace, settings: Settings, counts: tuple[int, int], where: str = "", least: float = 1.0
) -> list[Work]:
    """Return the work of mining negatives again in each round but the first, if there are rounds.

    Args:
        pace: the pace with the model.
        settings: the settings of the training.
        counts: the number of questions that are trained on, at most, and that of all chunks.
        where: what to add to the name of the work.
        least: the share of the questions that is trained on at least.
    """
    if not has_rounds(settings):
        return []
    questions, chunks = ((settings.rounds - 1) * count for count in counts)
    # Documents that are not trained keep their vectors.
    texts = 0 if settings.train == "query" else chunks
    found = []
    for asked in (round(least * questions), questions):
        found.append((
            pace.embed(f"texts to embed to mine again{where}", asked, texts),
            pace.search(f"questions to mine again for{where}", asked, counts[1]),
        ))  # fmt: skip
    return [
        Work(most.what, most.count, (few.seconds[0], most.seconds[1]))
        for few, most in zip(*found, strict=True)
    ]


def together(parts: Sequence[Sequence[Work]]) -> list[Work]:
    """Return the sums of pieces of work that are done in several parts, in each the same ones."""
    return [
        Work(
            same[0].what,
            sum(work.count for work in same),
            (sum(work.seconds[0] for work in same), sum(work.seconds[1] for work in same)),
        )
        for same in zip(*parts, strict=True)
    ]


def _times(seconds: float, factors: tuple[float, float]) -> tuple[float, float]:
    return factors[0] * seconds, factors[1] * seconds


def _spread(rows: Ints) -> Ints:
    """Return at most `_SAMPLE` of some rows, evenly spaced."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(np.int64)]


def _score(width: int) -> float:
    """Measure the seconds of one score in a product of a few rows."""
    generator = np.random.default_rng(0)
    few, many = (generator.random((rows, width), np.float32) for rows in _SEARCH)
    _ = few @ many.T
    began = time.perf_counter()
    for _repeat in range(_REPEATS):
        _ = few @ many.T
    return (time.perf_counter() - began) / (_REPEATS * len(few) * len(many))
