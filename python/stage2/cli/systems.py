"""The systems that are measured without a model of ours: vectors, runs and servers.

A system ranks the questions of a command, and mines their negatives. A kind of system is a class
here and a row in `_KINDS`; its settings stand in `config/systems.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from stage2._core import TextColumn
from stage2.cli import console
from stage2.cli.inputs import Inputs
from stage2.config import Settings
from stage2.data.dataset import Samples
from stage2.data.trec import Run, read_run
from stage2.encoding.cache import EmbeddingCache, folder_of
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.endpoint import Endpoint
from stage2.encoding.ranking_lists import ranking_lists
from stage2.encoding.tokens import LazyTokens, Role, Texts
from stage2.encoding.vector_files import VectorFile, ids_of, read_vectors
from stage2.encoding.vectors import Similarity, distance_of
from stage2.evaluation.evaluate import Evaluation, rank_lists
from stage2.evaluation.headroom import Scorer
from stage2.evaluation.prompts import Readings, given_prompts
from stage2.evaluation.ranking import corpus_scores
from stage2.evaluation.run_ranks import RunScores, candidate_scores, evaluate_run
from stage2.mining.corpus import CorpusMining, mine_corpus
from stage2.mining.doubts import Scored, score_run
from stage2.mining.run_negatives import mine_run
from stage2.mining.second_source import SecondSource
from stage2.utils import files
from stage2.utils.arrays import Floats, Ints
from stage2.utils.errors import BadInputError
from stage2.utils.memory import default_budget
from stage2.variants import SIMILARITIES

# The prefix of the settings that name the system that was there before.
BEFORE = "before_"


class System(ABC):
    """A system that ranks the texts of a command."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the system, for people."""

    @property
    def reads(self) -> tuple[str | Path, ...]:
        """The files that it is read from and that no setting names."""
        return ()

    @abstractmethod
    def hashes_of(self, name: str) -> dict[str, str]:
        """Return the hashes of what its ranks depend on; `name` is the key of a model's weights."""

    @abstractmethod
    def check(self, inputs: Inputs) -> None:
        """Check that the system can rank the questions, before anything is written.

        Raises:
            BadInputError: it is of other questions or of another corpus.
        """

    @abstractmethod
    def rank(self, inputs: Inputs, corpus: bool) -> Evaluation:
        """Rank the candidates of each question, and all contexts if `corpus` is set."""

    def scorer(self, ranked: Evaluation, _samples: Samples) -> Scorer:
        """Return the function that scores the corpus for some questions, once it is ranked."""
        return partial(corpus_scores, ranked.lists, ranked.embeddings)

    def read_otherwise(self, _inputs: Inputs, _ranked: Evaluation) -> Readings | None:
        """Return how texts are read with prompts where they are read without, or the reverse.

        None if no prompts of the system are known.
        """
        return None


@dataclass(frozen=True)
class NamedSystem(System):
    """A system that is named in place of a model. It can mine too.

    Attributes:
        settings: the settings of the command.
        hashes: the hashes of what its ranks depend on, by name.
    """

    settings: Settings
    hashes: Mapping[str, str]

    def hashes_of(self, _name: str) -> dict[str, str]:
        """Return its hashes. There are no weights for which a name could be the key."""
        return dict(self.hashes)

    @abstractmethod
    def mine(self, inputs: Inputs, second: SecondSource | None) -> CorpusMining:
        """Mine the negatives of each question from the corpus, some from a second source.

        A run has no score of what it did not find, so that it takes no second source.
        """

    def candidate_scores(self, ranked: Evaluation, _samples: Samples) -> Floats:
        """Return the scores of the candidates, float32 (m,), that an audit is told."""
        return ranked.candidates.scores

    def doubted(self, _samples: Samples) -> Scored | None:
        """Return what tells of doubtful labels, if it is not the vectors that `rank` gives."""
        return None


@dataclass(frozen=True)
class VectorSystem(NamedSystem):
    """A system that is known by the vectors that it made.

    Attributes:
        questions: the vectors of the questions.
        corpus: the vectors of the chunks.
        ids: the files of ids.
    """

    questions: VectorFile
    corpus: VectorFile
    ids: tuple[Path, ...]

    @classmethod
    def named(cls, settings: Settings, prefix: str) -> VectorSystem:
        """Read the files that the settings name."""
        named = {name: getattr(settings, prefix + name) for name in _VECTORS}
        if missing := [name for name, path in named.items() if path is None]:
            (other,) = (name for name in _VECTORS if name not in missing)
            raise BadInputError(
                f"{_flag(prefix + other)} needs {_flag(prefix + missing[0])} FILE too: scores are "
                "those of the vectors of questions and chunks"
            )
        found = {name: read_vectors(path) for name, path in named.items()}
        questions, corpus = (found[name] for name in _VECTORS)
        if questions.width != corpus.width:
            raise BadInputError(
                f"{questions.path} has vectors of width {questions.width}, {corpus.path} of width "
                f"{corpus.width}; expected one width: one system made both"
            )
        beside = {prefix + name: ids for name, path in named.items() if (ids := ids_of(path))}
        hashes = {prefix + name: files.sha256(path) for name, path in named.items()}
        hashes |= {f"{name}_ids": files.sha256(path) for name, path in beside.items()}
        return cls(settings, hashes, questions, corpus, tuple(beside.values()))

    @property
    def name(self) -> str:
        """The name of the system, for people."""
        return f"{self.questions.path} + {self.corpus.path}"

    @property
    def reads(self) -> tuple[str | Path, ...]:
        """The files of ids."""
        return self.ids

    def check(self, inputs: Inputs) -> None:
        """Check that it is of these questions and contexts; see `System.check`."""
        _check_ids(inputs.samples, "vectors")
        self._vectors(inputs.samples, inputs)

    def rank(self, inputs: Inputs, corpus: bool) -> Evaluation:
        """Rank as `System.rank` says."""
        samples = inputs.samples
        lists = ranking_lists(None, samples, None, corpus=corpus, by_id=True)
        vectors = self._vectors(samples, inputs)
        if not corpus:
            contexts = np.unique(np.asarray(samples.candidates))
            questions = np.arange(len(samples))
            vectors = vectors.take(np.concatenate([questions, len(samples) + contexts]))
        with console.bar("ranking the corpus", "question") as progress:
            return rank_lists(lists, vectors, progress)

    def mine(self, inputs: Inputs, second: SecondSource | None) -> CorpusMining:
        """Mine the negatives of each question from the corpus."""
        if inputs.dataset is None:
            raise ValueError("there is no corpus to mine; see check_mining")
        vectors, count = self._vectors(inputs.samples, inputs), len(inputs.samples)
        questions, chunks = vectors.at(slice(count)), vectors.at(slice(count, None))
        return mine_corpus(questions, chunks, inputs.dataset, self.settings, (), second)

    def _vectors(self, samples: Samples, inputs: Inputs) -> Embeddings:
        """Return the vectors of the questions, then those of all contexts."""
        known = self._kept
        if not known:
            how = _similarity(self.settings)
            whole = inputs.has_corpus and self.settings.on_error == "strict"
            # Files of judgements and of a split may leave out questions.
            asks_all = whole and self.settings.data is None and self.settings.split_file is None
            parts = (
                self.questions.of(list(samples.qa_ids), "questions", asks_all, how),
                self.corpus.of(list(samples.context_ids), "chunks", whole, how),
            )
            size, width = sum(map(len, parts)), self.questions.width
            out = Embeddings.empty(size, width, distance=distance_of(how))
            out.mu[: len(parts[0])], out.mu[len(parts[0]) :] = (part.mu for part in parts)
            known.append(out)
        return known[0]

    @cached_property
    def _kept(self) -> list[Embeddings]:
        """The vectors, once they were looked up. The questions of a command stay the same."""
        return []


@dataclass(frozen=True)
class RunSystem(NamedSystem):
    """A system that is known by a run.

    Attributes:
        path: the file of the run.
        found: what it holds.
    """

    path: str
    found: Run

    @classmethod
    def named(cls, settings: Settings, prefix: str) -> RunSystem:
        """Read the file that the settings name."""
        path = getattr(settings, f"{prefix}run")
        found = read_run(path, settings.decompressed)
        return cls(settings, {f"{prefix}run": files.sha256(path)}, path, found)

    @property
    def name(self) -> str:
        """The name of the system, for people."""
        return self.path

    def check(self, inputs: Inputs) -> None:
        """Check that it is of these questions and contexts; see `System.check`."""
        _check_ids(inputs.samples, "the documents of a run")
        qa_ids = list(inputs.samples.qa_ids)
        asked = self.found.questions.keys() & set(qa_ids)
        if not asked:
            raise BadInputError(
                f"{self.path}: has no question of the data, such as {qa_ids[0]!r}, but "
                f"{next(iter(self.found.questions))!r}; expected a run of its questions"
            )
        if lacking := len(qa_ids) - len(asked):
            console.warn(
                f"{self.path}: {lacking} of {len(qa_ids)} questions have no line; their ground "
                "truths count as found last"
            )
        if other := len(self.found.questions) - len(asked):
            console.say(f"{self.path}: {other} questions are not in the data; they are not used")
        unknown = self._looked_up(inputs.samples)[1]
        if unknown:
            told = f"{self.path}: {len(unknown)} documents, such as {unknown[0]!r}, are "
            if inputs.has_corpus and self.settings.on_error == "strict":
                raise BadInputError(f"{told}not in the corpus; expected a run over its chunks")
            console.say(f"{told}among no candidates; they are not used")

    def rank(self, inputs: Inputs, corpus: bool) -> Evaluation:
        """Rank as `System.rank` says."""
        lists = ranking_lists(None, inputs.samples, None, corpus=corpus)
        with console.bar("ranking the corpus", "question") as progress:
            return evaluate_run(lists, self.scores(inputs.samples), progress)

    def scorer(self, _ranked: Evaluation, samples: Samples) -> Scorer:
        """Return the function that gives each context the score of the run, if it has one."""
        run, size = self.scores(samples), len(samples.contexts)
        return lambda rows: run.of_corpus(rows, size)

    def mine(self, inputs: Inputs, _second: SecondSource | None) -> CorpusMining:
        """Mine the negatives of each question from the corpus."""
        if inputs.dataset is None:
            raise ValueError("there is no corpus to mine; see check_mining")
        return mine_run(self.scores(inputs.samples), inputs.dataset, self.settings)

    def candidate_scores(self, _ranked: Evaluation, samples: Samples) -> Floats:
        """Return the scores of the candidates. What the run lacks is above nothing."""
        candidates, offsets = np.asarray(samples.candidates), np.asarray(samples.offsets)
        return candidate_scores(candidates, offsets, self.scores(samples))

    def doubted(self, samples: Samples) -> Scored:
        """Return the scores of the run, and name what they cannot tell."""
        console.say(
            f"{self.path}: a run has no vectors. Not looked at: whether a passage is near every "
            "question (doubts are not adjusted for hubs), and passages that the run did not return"
        )
        return score_run(samples, self.scores(samples))

    def scores(self, samples: Samples) -> RunScores:
        """Return what the run has for the questions, as places of their contexts."""
        return self._looked_up(samples)[0]

    def _looked_up(self, samples: Samples) -> tuple[RunScores, list[str]]:
        questions = self.found.questions.items()
        return RunScores.of(samples, {one: (q.documents, q.scores) for one, q in questions})


@dataclass(frozen=True)
class EndpointSystem(NamedSystem):
    """A server of embeddings.

    Attributes:
        endpoint: the server.
        width: the width of its vectors.
    """

    endpoint: Endpoint
    width: int

    @classmethod
    def named(cls, settings: Settings, prefix: str) -> EndpointSystem:
        """Ask the server that the settings name for the width of its vectors."""
        prompts: Mapping[Role, str | None] = {
            "query": settings.query_prompt, "document": settings.document_prompt,
        }  # fmt: skip
        endpoint = Endpoint(
            getattr(settings, f"{prefix}endpoint"),
            getattr(settings, f"{prefix}endpoint_model"),
            {role: text for role, text in prompts.items() if text is not None},
            _similarity(settings),
        )
        return cls(settings, {f"{prefix}endpoint": endpoint.name}, endpoint, endpoint.width())

    @property
    def name(self) -> str:
        """The name of the system, for people."""
        return self.endpoint.name

    def check(self, _inputs: Inputs) -> None:
        """Do nothing: a server takes any texts."""

    def read_otherwise(self, _inputs: Inputs, ranked: Evaluation) -> Readings | None:
        """Return how the server reads texts without the prompts of the call, if it gives some."""
        prompts = given_prompts(self.endpoint.prompts)
        if not prompts:
            return None
        plain = replace(self, endpoint=replace(self.endpoint, prompts={}))

        def embed(tokens: LazyTokens) -> Embeddings:
            return plain._embed(f"{self.name}, without prompts", len(tokens), tokens.read)

        return Readings(ranked.lists, ranked.embeddings, ranked.lists, embed, prompts, True)

    def rank(self, inputs: Inputs, corpus: bool) -> Evaluation:
        """Rank as `System.rank` says."""
        lists = ranking_lists(None, inputs.samples, None, similarity="sentence", corpus=corpus)
        vectors = self._embed(self.name, len(lists.tokens), lists.tokens.read)
        with console.bar("ranking the corpus", "question") as progress:
            return rank_lists(lists, vectors, progress)

    def mine(self, inputs: Inputs, second: SecondSource | None) -> CorpusMining:
        """Mine the negatives of each question from the corpus."""
        dataset = inputs.dataset
        if dataset is None:
            raise ValueError("there is no corpus to mine; see check_mining")
        questions = self._embed_column("questions", dataset.questions, "query")
        chunks = self._embed_column("corpus", dataset.chunk_texts, "document")
        return mine_corpus(questions, chunks, dataset, self.settings, (), second)

    def _embed_column(self, title: str, column: TextColumn, role: Role) -> Embeddings:
        def read(rows: Ints) -> Texts:
            return Texts(column.take(rows), [()] * len(rows), [role] * len(rows))

        return self._embed(title, len(column), read)

    def _embed(self, title: str, count: int, read: Callable[[Ints], Texts]) -> Embeddings:
        folder = folder_of(self.settings.embedding_cache)
        cache = None if folder is None else EmbeddingCache(
            folder, self.width, self.endpoint.depends_on,
            {"model": self.name, "precision": "endpoint"},
        )  # fmt: skip
        size = 2 * count * self.width * np.dtype(np.float32).itemsize
        beyond = size > (self.settings.budget or default_budget())
        with console.bar(title) as progress:
            return self.endpoint.embed(
                count, read, self.width, progress, cache,
                Path(self.settings.output_dir) if beyond else None,
            )  # fmt: skip


_VECTORS = ("question_vectors", "corpus_vectors")

# By the settings of which one must be given.
_KINDS: Mapping[tuple[str, ...], Callable[[Settings, str], NamedSystem]] = {
    _VECTORS: VectorSystem.named,
    ("run",): RunSystem.named,
    ("endpoint",): EndpointSystem.named,
}


def named_system(settings: Settings, prefix: str = "") -> NamedSystem | None:
    """Read the system that the settings name in place of a model; None if they name none.

    Args:
        settings: the settings of the command.
        prefix: `before_` for the system that was there before.

    Raises:
        BadInputError: they name several, or a model too; or what was named cannot be read.
    """
    kinds = {
        next(name for name in names if getattr(settings, prefix + name) is not None): read
        for names, read in _KINDS.items()
        if any(getattr(settings, prefix + name) is not None for name in names)
    }
    named = [*kinds, *(["model"] if getattr(settings, f"{prefix}model") is not None else [])]
    if len(named) > 1:
        listed = " and ".join(_flag(prefix + name) for name in named)
        raise BadInputError(f"{listed} each name a system; expected one of them")
    if kinds and settings.similarity in ("entity", "sentence"):
        raise BadInputError(
            f"--similarity {settings.similarity}: only a model of ours has vectors of entities; "
            f"expected auto or {' or '.join(SIMILARITIES)}"
        )
    return next((read(settings, prefix) for read in kinds.values()), None)


def _check_ids(samples: Samples, what: str) -> None:
    """Refuse contexts without an id, by which what a system says of them is found."""
    if "" in (ids := list(samples.context_ids)):
        raise BadInputError(
            f"{ids.count('')} contexts of the samples have no chunk id, by which {what} are found; "
            "expected samples that stage2 prepare or mine wrote, or --qa and --chunks"
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _similarity(settings: Settings) -> Similarity:
    """Return what the vectors of another system are compared by: the cosine if none is named."""
    return next((one for one in SIMILARITIES if one == settings.similarity), "cosine")
