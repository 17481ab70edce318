"""The teacher of a training: the kinds of --teacher, how each is told, loaded and asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from stage2.cli import console
from stage2.cli.dry_run import Work
from stage2.cli.inputs import Inputs
from stage2.cli.rerankers import reranker
from stage2.cli.stage1 import embedding_cache, hashes_of_model, model_when_needed
from stage2.cli.workload import Pace, cross_encoding, evaluation
from stage2.config import Settings
from stage2.data.given_scores import GivenScores
from stage2.encoding.cache import EmbeddingCache
from stage2.encoding.encoder import Encoder, LazyModel
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.encoding.similarity import at_precision
from stage2.evaluation.evaluate import embed
from stage2.evaluation.ranking import score
from stage2.models import hub
from stage2.models.model_path import model_in
from stage2.models.reranker import Reranker, is_reranker, reranker_hash
from stage2.training.teacher import lacking
from stage2.utils import files
from stage2.utils.arrays import Floats, Ints
from stage2.utils.errors import BadInputError
from stage2.utils.progress import Progress
from stage2.variants import DATA_TEACHER, LOSSES

FLAG = "--teacher"


@dataclass(frozen=True)
class Told:
    """The scores that a teacher gives to lists with m candidates and t texts.

    Attributes:
        scores: float32 (m,), rounded as all scores are.
        vectors: float32 (t, D), whose inner products are the scores; None if it has none.
    """

    scores: Floats
    vectors: Floats | None = None


class Teacher(Protocol):
    """A teacher that is ready to be asked.

    Attributes:
        kind: the name of its kind, for people and `run.json`.
        has_vectors: whether it has a vector for each text.
    """

    kind: ClassVar[str]
    has_vectors: ClassVar[bool]

    @property
    def name(self) -> str:
        """The value of --teacher."""

    @property
    def hashes(self) -> Mapping[str, str]:
        """The hashes of its files, which are inputs of the training."""

    @classmethod
    def holds(cls, name: str) -> bool:
        """Return whether a name is that of such a teacher."""

    @classmethod
    def load(cls, settings: Settings, inputs: Inputs, name: str, rows: Ints, /) -> Teacher:
        """Make it ready to be asked about the questions at `rows`."""

    @property
    def shown(self) -> str:
        """The name for people and `run.json`: the absolute path of a folder."""

    def tell(self, lists: RankingLists, chunk_ids: Sequence[str], progress: Progress, /) -> Told:
        """Score every candidate, whose m chunk ids are given too. The lists have no entities."""

    def work(self, inputs: Inputs, /) -> list[Work]:
        """Return the work of scoring all candidates of the inputs, at most."""


@dataclass(frozen=True)
class DataTeacher:
    """The scores in the data."""

    kind: ClassVar[str] = "data"
    has_vectors: ClassVar[bool] = False
    given: GivenScores
    name: str

    @property
    def shown(self) -> str:
        """The word itself."""
        return self.name

    @property
    def hashes(self) -> Mapping[str, str]:
        """The word alone, for the data are hashed already."""
        return {"teacher": DATA_TEACHER}

    @classmethod
    def holds(cls, name: str) -> bool:
        """A folder of that name is written as ./data."""
        return name == DATA_TEACHER

    @classmethod
    def load(cls, settings: Settings, inputs: Inputs, name: str, rows: Ints, /) -> DataTeacher:
        """Check that every candidate of the questions at `rows` has a score."""
        where = settings.data or settings.qa or "the built-in sample"
        if settings.source == "corpus":
            raise BadInputError(
                f"{FLAG} {DATA_TEACHER}: --source corpus mines other negatives than those that the "
                "data have scores of; expected --source candidates, or --teacher DIR|ID"
            )
        if inputs.scores is None:
            raise BadInputError(
                f"{FLAG} {DATA_TEACHER}: {where} has no scores of a teacher; expected pos_scores "
                "and neg_scores (FlagEmbedding), a score beside each text or a list of them as "
                "label (sentence-transformers). --teacher DIR|ID asks a model"
            )
        found, samples = cls(inputs.scores, name), inputs.samples
        offsets, flat = np.asarray(samples.offsets), np.asarray(samples.candidates)
        lengths = np.diff(offsets)
        places = np.flatnonzero(np.isin(np.repeat(np.arange(len(samples)), lengths), rows))
        asked = np.repeat(np.arange(len(samples)), lengths)[places]
        ids = samples.context_ids.take(flat[places])
        scores = found.given.of(
            [samples.qa_ids[row] for row in asked.tolist()], samples.questions.take(asked), ids
        )
        missing = np.flatnonzero(~np.isfinite(scores))
        if len(missing):
            first = missing[0]
            raise BadInputError(
                f"{FLAG} {DATA_TEACHER}: {len(missing)} of {len(scores)} candidates of the "
                f"training questions have no score in {where}; the first is the chunk "
                f"{ids[first]!r} of the question {samples.qa_ids[int(asked[first])]!r}. Expected a "
                "score for each: add them, leave these texts or questions out, or give --teacher "
                "DIR|ID"
            )
        return found

    def tell(self, lists: RankingLists, chunk_ids: Sequence[str], progress: Progress, /) -> Told:
        """Look the scores up."""
        rows = np.repeat(np.arange(len(lists)), lists.lengths).tolist()
        texts = lists.question_texts
        scores = self.given.of([lists.qa_ids[row] for row in rows], [texts[row] for row in rows],
                               chunk_ids)  # fmt: skip
        progress(len(rows), len(rows))
        return Told(at_precision(scores))

    def work(self, _inputs: Inputs, /) -> list[Work]:
        """Looking up takes no time."""
        return []


@dataclass(frozen=True)
class CrossEncoderTeacher:
    """A cross-encoder, whose scores are logits."""

    kind: ClassVar[str] = "cross-encoder"
    has_vectors: ClassVar[bool] = False
    name: str
    hashes: Mapping[str, str]
    model: Reranker
    precision: str

    @property
    def shown(self) -> str:
        """The absolute path, or the id of a model from the hub."""
        return _shown(self.name)

    @classmethod
    def holds(cls, name: str) -> bool:
        """Tell it by the files in its folder."""
        folder = _folder(name)
        return folder.is_dir() and is_reranker(folder)

    @classmethod
    def load(
        cls, settings: Settings, _inputs: Inputs, name: str, _rows: Ints, /
    ) -> CrossEncoderTeacher:
        """Load it on the device of the run, with the scores that are kept of it."""
        model = reranker(settings, name, FLAG)
        return cls(name, {"teacher": reranker_hash(name)}, model, settings.precision)

    def tell(self, lists: RankingLists, _chunk_ids: Sequence[str], progress: Progress, /) -> Told:
        """Score each question with each of its candidates, prompts left out."""
        texts = lists.tokens.texts
        pairs = np.repeat(lists.questions, lists.lengths), lists.candidates
        questions, contexts = ([texts[row] for row in rows.tolist()] for rows in pairs)
        found = self.model.score(questions, contexts, precision=self.precision, progress=progress)
        return Told(at_precision(found.astype(np.float64)))

    def work(self, inputs: Inputs, /) -> list[Work]:
        """Return the work of scoring all pairs."""
        return [
            replace(work, what="pairs for the teacher")
            for work in cross_encoding(self.model, inputs.samples, self.precision)
        ]


@dataclass(frozen=True)
class EmbeddingTeacher:
    """An embedding model of any family and width, which reads the texts in its own way."""

    kind: ClassVar[str] = "embedding model"
    has_vectors: ClassVar[bool] = True
    name: str
    hashes: Mapping[str, str]
    model: Encoder | LazyModel
    settings: Settings
    cache: EmbeddingCache | None

    @property
    def shown(self) -> str:
        """The absolute path, or the id of a model from the hub."""
        return _shown(self.name)

    @classmethod
    def holds(cls, name: str) -> bool:
        """Take every name that is of no other kind; loading refuses a wrong one."""
        return bool(name)

    @classmethod
    def load(
        cls, settings: Settings, _inputs: Inputs, name: str, _rows: Ints, /
    ) -> EmbeddingTeacher:
        """Load it, or have it loaded when it is needed if its vectors are in the cache."""
        # How the student reads its texts is no matter of the teacher.
        own = replace(
            settings, model=None, backbone=None, max_length=None, pooling=None, query_prompt=None,
            document_prompt=None, query_max_length=None, document_max_length=None, train="both",
            save_dtype=None, entities=None, similarity="sentence", given=frozenset(),
        )  # fmt: skip
        try:
            model = model_when_needed(own, name)
            hashes = hashes_of_model(own, name, "teacher")
            if LOSSES[settings.loss].teacher == "vectors" and model.distance is not None:
                raise BadInputError(
                    f"its vectors are compared by {model.distance} distance, and --loss "
                    f"{settings.loss} learns inner products; expected another teacher or loss"
                )
            return cls(name, hashes, model, own, embedding_cache(own, name))
        except BadInputError as error:
            raise BadInputError(f"{FLAG} {name}: {error}") from error

    def tell(self, lists: RankingLists, _chunk_ids: Sequence[str], progress: Progress, /) -> Told:
        """Embed every text once, and compare."""
        own = lists.read_by(self.model)
        found = embed(
            self.model, own, self.settings.precision, progress, self.cache,
            Path(self.settings.output_dir), self.settings.budget,
        )  # fmt: skip
        return Told(score(own, found).scores, found.mu)

    def work(self, inputs: Inputs, /) -> list[Work]:
        """Return the work of embedding all texts of the candidates."""
        lists = ranking_lists(self.model, inputs.samples, None)
        pace = Pace.measure(self.model, lists.tokens, self.settings.precision)
        return evaluation(pace, lists, "by the teacher", self.cache)


# The first kind that holds a name is that of the teacher.
KINDS: tuple[type[Teacher], ...] = (DataTeacher, CrossEncoderTeacher, EmbeddingTeacher)


def load_teacher(
    settings: Settings, inputs: Inputs, model_hashes: Mapping[str, str], rows: Ints
) -> tuple[Teacher | None, Settings]:
    """Load the teacher that the loss learns from, if it is another than the model.

    Args:
        settings: the settings of the command.
        inputs: the inputs of the command.
        model_hashes: what the model that is trained was read from, by name.
        rows: int64, the questions that may be trained on.

    Returns:
        The teacher, and the settings. If --teacher names the model that is trained, they have no
        teacher any more, since it is its own without one.

    Raises:
        BadInputError: it cannot be loaded, the scores in the data are not whole, or the loss needs
            a teacher of another kind.
    """
    kind = LOSSES[settings.loss]
    if kind.teacher is None:
        return None, settings
    name = settings.teacher
    if name is not None:
        one = next(one for one in KINDS if one.holds(name))
        teacher = one.load(settings, inputs, name, rows)
        if kind.teacher == "scores" or teacher.has_vectors:
            if teacher.hashes["teacher"] != model_hashes.get("model"):
                return teacher, settings
            if kind.teacher == "vectors":
                raise BadInputError(
                    f"{FLAG} {name} is the model that is trained: it has nothing to learn from its "
                    "own vectors; expected another embedding model"
                )
            console.say(f"{FLAG} {name} is the model that is trained: the teacher is the model "
                        "before training, as without --teacher")  # fmt: skip
            return None, replace(settings, teacher=None, teacher_scale=None)
    if kind.teacher == "vectors":
        given = "" if name is None else f" {FLAG} {name} gives scores of pairs alone"
        raise BadInputError(f"--loss {settings.loss} {lacking(kind, settings)}.{given}")
    return None, settings


def teacher_hashes(teacher: Teacher | None) -> Mapping[str, str]:
    """Return what a teacher was read from, as an input of the training; {} without one."""
    return {} if teacher is None else teacher.hashes


def _shown(name: str) -> str:
    return files.written(name) if Path(name).exists() else name


def _folder(name: str) -> Path:
    """Return the folder of the model that a name stands for."""
    try:
        return model_in(name) if Path(name).is_dir() else hub.folder_of(name, FLAG)
    except BadInputError as error:
        text = str(error)
        raise error if text.startswith(FLAG) else BadInputError(f"{FLAG} {name}: {text}") from error
