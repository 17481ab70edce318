"""The variants among which a setting chooses, with the needs of each.

A new variant needs a row here and a function or a module in its package. No other file names a
variant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from stage2.utils.first_members import first_members
from stage2.utils.hub_folder import hub_files, side_word


@dataclass(frozen=True)
class Loss:
    """The needs of a loss. Its function stands in `training.losses`.

    Attributes:
        text: a description of the texts that it compares, for help.
        settings: the names of its parameters, which are settings.
        negatives: the texts that a question's ground truths must win against: the candidates of its
            own `list`, the ground truths of the other questions of its `batch`, or `both`.
        teacher: what it learns from, if it has a teacher: its `scores` of the candidates, or its
            `vectors`, which have a score for any two texts.
        spread: by default, how many times the spread of the model's own scores those of another
            teacher are given. docs/log.md has what was measured.
        untouched: those of its parameters that count only where the teacher is the model before
            training.
    """

    text: str
    settings: tuple[str, ...]
    negatives: Literal["list", "batch", "both"] = "list"
    teacher: Literal["scores", "vectors"] | None = None
    spread: float = 1.0
    untouched: tuple[str, ...] = ()


# Losses of one's own join these: see `training.own_loss`.
LOSSES: dict[str, Loss] = {
    "margin": Loss("the pairs of a list that --pairs names", ("margin", "pairs")),
    "in-batch": Loss(
        "with the other questions' ground truths as negatives and no others",
        ("temperature",),
        "batch",
    ),
    "infonce": Loss("with all of the batch's candidates", ("temperature",), "both"),
    "triplet": Loss("the hardest of each list", ("margin",)),
    "margin-mse": Loss(
        "the margins of a teacher, --teacher or else stage 1",
        ("margin",),
        teacher="scores",
        spread=2.0,
        untouched=("margin",),
    ),
    "distill-kl": Loss(
        "the softmax of a teacher's scores of each list, of --teacher or else stage 1",
        ("margin", "temperature"),
        teacher="scores",
        untouched=("margin",),
    ),
    "listnet": Loss("the softmax of each list's relevance", ("temperature",)),
    "similarity-mse": Loss(
        "the similarities that --teacher's vectors give to all of the batch's candidates",
        (),
        "both",
        teacher="vectors",
        spread=2.0,
    ),
}

# This as --teacher names the scores in the data.
DATA_TEACHER = "data"

# What --similarity names for vectors that were made elsewhere, and what a model may say itself.
SIMILARITIES: tuple[Literal["cosine", "dot", "euclidean", "manhattan"], ...] = (
    "cosine", "dot", "euclidean", "manhattan",
)  # fmt: skip

# This as --second-source names the ranking by words, which needs no file.
BM25 = "bm25"


def losses_that(fit: Callable[[Loss], bool]) -> str:
    """List the losses that fit, for help and messages."""
    *others, last = (name for name, loss in LOSSES.items() if fit(loss))
    return f"{', '.join(others)} or {last}" if others else last


def losses_with(setting: str) -> str:
    """List the losses that take a setting as a parameter, for help and messages."""
    return losses_that(lambda loss: setting in loss.settings)


@dataclass(frozen=True)
class Tracker:
    """A tool in which a training can be watched. Its module stands in `training.trackers`.

    Attributes:
        package: the package that must be installed for it.
        extra: the extra of stage2 that installs the package.
    """

    package: str
    extra: str


TRACKERS: Mapping[str, Tracker] = {
    "tensorboard": Tracker("tensorboard", "tensorboard"),
    "wandb": Tracker("wandb", "wandb"),
    "mlflow": Tracker("mlflow", "mlflow"),
    "trackio": Tracker("trackio", "trackio"),
}


@dataclass(frozen=True)
class Bounds:
    """How far a model in another form may be from the model that it was made of.

    Attributes:
        difference: the largest difference of a value of a vector, as a share of the model's largest
            value or, if that is below 1, of 1.
        spearman: the smallest rank correlation of the scores, the mean over questions.
        mrr: the largest loss of MRR.
    """

    difference: float
    spearman: float
    mrr: float


@dataclass(frozen=True)
class Export:
    """A format of another tool, in which something that stage2 computes can be written.

    Attributes:
        text: a description of what is written, for help and messages.
        of: what is written: a `model`, whose module stands in `models.export`; the `mined set` of a
            run, whose rows `data.exports` makes; or a run's `rankings`, `vectors` or
            `results`, which `cli.exports` writes.
        kinds: the kinds of files among which `--as` chooses, the default first; empty if there is
            one kind.
        options: the other flags that it takes.
        bounds: what a model may lose in this form; None if it gives the same vectors.
        packages: the packages that write and run it, which `extra` installs.
        extra: the extra of stage2 that installs them.
        note: a sentence for the card of a model in this form, on how it is to be run.
    """

    text: str
    of: Literal["model", "mined set", "rankings", "vectors", "results"]
    kinds: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    bounds: Bounds | None = None
    packages: tuple[str, ...] = ()
    extra: str = ""
    note: str = ""


_ROWS = ("jsonl", "parquet")
_PUSHED = ("push_to_hub",)
_RUNTIME = (("onnx", "onnxruntime"), "onnx")

EXPORTS: Mapping[str, Export] = {
    "sentence-transformers": Export(
        "a folder that SentenceTransformer reads", "model", (), _PUSHED
    ),
    "onnx": Export(
        "a graph for onnxruntime, in that folder",
        "model",
        (),
        _PUSHED,
        Bounds(1e-4, 0.999, 0.005),
        *_RUNTIME,
    ),
    "int8": Export(
        "that graph with 8 bits a weight", "model", (), _PUSHED, Bounds(0.1, 0.9, 0.02), *_RUNTIME
    ),
    "openvino": Export(
        "a graph for OpenVINO, in that folder",
        "model",
        (),
        _PUSHED,
        Bounds(1e-4, 0.999, 0.005),
        ("onnx", "openvino"),
        "openvino",
        "Measured with INFERENCE_PRECISION_HINT f32. Without it OpenVINO computes in bfloat16 on a "
        "processor that has it, and vectors are further from the model's.",
    ),
    "torch-fp16": Export(
        "that folder with 16 bits a weight", "model", (), _PUSHED, Bounds(5e-3, 0.99, 0.01)
    ),
    "pairs": Export("columns anchor, positive", "mined set", _ROWS, ("questions",)),
    "triplets": Export("columns anchor, positive, negative", "mined set", _ROWS, ("questions",)),
    "n-tuples": Export(
        "columns anchor, positive, negative_1 to negative_n", "mined set", _ROWS, ("questions",)
    ),
    "labeled-lists": Export("columns query, docs, labels", "mined set", _ROWS, ("questions",)),
    "scored-lists": Export("columns query, docs, scores", "mined set", _ROWS, ("questions",)),
    "flag-embedding": Export(
        "query, pos, neg, pos_scores, neg_scores", "mined set", (), ("questions",)
    ),
    "tevatron": Export("positive_passages, negative_passages", "mined set", (), ("questions",)),
    "trec": Export("runs before and after, and qrels", "rankings", (), ("depth",)),
    "embeddings": Export("of questions and corpus, with ids", "vectors", ("npy", "parquet")),
    "results": Export("a row for each question, source and system", "results", _ROWS),
}


def exports_of(kinds: Iterable[str]) -> str:
    """List the exports of some kinds with their descriptions, for help."""
    wanted = set(kinds)
    return "; ".join(f"{name}: {one.text}" for name, one in EXPORTS.items() if one.of in wanted)


# The words in the names of files that tell the side of the split, with that side. They are those of
# `datasets.load_dataset`.
SIDE_OF_FILE: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "validation": "dev",
    "valid": "dev",
    "val": "dev",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}

# The suffixes of the files, plain or compressed, that the core reads.
_PACKED = ("", ".gz", ".zst")


# The names that a column has in the tables of other tools, by what is in it; the first that is
# there counts. `negative` stands for every column whose name starts so.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "query", "anchor"),
    "positive": ("positive", "context", "text", "docs", "answer"),
    "negative": ("negative",),
    "label": ("label", "labels"),
    "score": ("score", "scores"),
    "question_id": ("question_id", "query_id", "qa_id"),
    "chunk_id": ("chunk_id", "docid"),
    "title": ("title",),
    "answer": ("answer",),
}

# Beside questions and the texts that answer them a format may have a place for these. The values
# are the words of messages.
HELD: Mapping[str, str] = {
    "question_ids": "ids of questions",
    "chunk_ids": "ids of chunks",
    "titles": "titles",
    "answers": "answers",
    "prompts": "prompts",
    "grades": "grades",
    "scores": "scores of a teacher",
    "negatives": "negatives",
    "unanswered": "questions without an answer in the corpus",
    "other_chunks": "chunks that are no question's",
    "sides": "questions on a side of a split",
}


@dataclass(frozen=True)
class Format:
    """A format of data sets that one path names. Its module stands in `data.formats`.

    Attributes:
        text: a description of such a data set, for help and messages.
        has_corpus: whether it has every chunk, or only the candidates of each question.
        parts: the patterns of `fnmatch` for the files in its folder, each of which must match a
            file; empty if the data set is a single file.
        judgements: the pattern of files with judgements. A folder may have several of them, one for
            each side of the split.
        suffixes: the suffixes of its single file.
        tables: the suffixes of the files in its folder, which are named after splits; see
            `utils.hub_folder`.
        members: the members of the first object in its single file, which is JSON: one of these
            lists of names is among them.
        columns: whether it has columns, whose names --columns may give.
        holds: what of `HELD` is written; None if the format is only read.
        extra: the extra of stage2 that reads it; None if none is needed.
    """

    text: str
    has_corpus: bool = True
    parts: tuple[str, ...] = ()
    judgements: str | None = None
    suffixes: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    members: tuple[tuple[str, ...], ...] = ()
    columns: bool = False
    holds: frozenset[str] | None = None
    extra: str | None = None

    def files(self, path: Path) -> dict[str, Path]:
        """Return the files of a data set by their paths in its folder. They may be compressed."""
        if self.tables:
            return {name: path / name for name in hub_files(path, self.tables, SIDE_OF_FILE)}
        names = {
            found.relative_to(path).as_posix()
            for part in self.parts
            for packed in _PACKED
            for found in path.glob(f"{part}{packed}")
            if not found.is_dir()
        }
        return {name: path / name for name in sorted(names)}

    def recognises(self, path: Path) -> bool:
        """Return whether a path looks like a data set of this format."""
        if path.is_dir():
            return self.fits(self.files(path))
        if self.parts or self.tables:
            return False
        if self.suffixes:
            return any(
                path.name.lower().endswith((s, f"{s}.gz", f"{s}.zst")) for s in self.suffixes
            )
        found = first_members(path)
        return any(found.issuperset(names) for names in self.members)

    def fits(self, names: Collection[str]) -> bool:
        """Return whether the files with these names may be a data set's folder."""
        if self.tables:
            return any(is_of(name.lower(), f"*{one}") for name in names for one in self.tables)
        return bool(self.parts) and all(
            any(is_of(name, part) for name in names) for part in self.parts
        )

    def sides(self, names: Iterable[str]) -> dict[str, str]:
        """Return the side of the split that each file with judgements is for.

        Args:
            names: the names of the files of the data set.

        Returns:
            The sides by the names of the files. The result is empty if there is only one such file,
            because that file is for all sides, whatever its name; or if all files are tables of
            one side.
        """
        judging = [name for name in names if self.tables or is_of(name, self.judgements or "")]
        if len(judging) < 2:
            return {}
        words = {name: side_word(name, SIDE_OF_FILE) for name in judging}
        found = {name: SIDE_OF_FILE[word] for name, word in words.items() if word is not None}
        return {} if self.tables and len(set(found.values())) < 2 else found


def is_of(name: str, part: str) -> bool:
    """Return whether the name of a file, compressed or not, matches a pattern of a format."""
    return any(fnmatchcase(name, f"{part}{packed}") for packed in _PACKED)


_QRELS_HOLD = frozenset(
    ("question_ids", "chunk_ids", "titles", "grades", "unanswered", "other_chunks", "sides")
)

# The first format that recognises a path is its format.
FORMATS: Mapping[str, Format] = {
    "samples": Format(
        "constructed samples, a JSONL file such as hard_negatives.jsonl",
        has_corpus=False,
        members=(("ground_truth_contexts",), ("negative_contexts",), ("gt_chunk_id",)),
    ),
    "beir": Format(
        "a BEIR folder with corpus.jsonl, queries.jsonl and qrels/*.tsv",
        parts=("corpus.jsonl", "queries.jsonl", "qrels/*.tsv"),
        judgements="qrels/*.tsv",
        holds=_QRELS_HOLD,
    ),
    "trec": Format(
        "a TREC folder with corpus.jsonl, topics* and qrels*",
        parts=("corpus.jsonl", "topics*", "qrels*"),
        judgements="qrels*",
        holds=_QRELS_HOLD,
    ),
    "squad": Format("SQuAD JSON", members=(("data",),)),
    "flagembedding": Format(
        "JSONL of FlagEmbedding with query, pos and neg",
        members=(("query", "pos"),),
        holds=frozenset(("negatives", "scores", "prompts", "unanswered")),
    ),
    "tevatron": Format(
        "JSONL of Tevatron with query, positive_passages and negative_passages",
        members=(("query", "positive_passages"),),
        holds=frozenset(
            ("question_ids", "chunk_ids", "titles", "answers", "negatives", "unanswered")
        ),
    ),
    "llamaindex": Format(
        "a JSON data set of LlamaIndex with queries, corpus and relevant_docs",
        members=(("queries",), ("corpus",)),
    ),
    "csv": Format("a CSV file with columns", suffixes=(".csv",), columns=True),
    "tsv": Format("a TSV file with columns", suffixes=(".tsv",), columns=True),
    "parquet": Format(
        "a Parquet file",
        suffixes=(".parquet", ".pq"),
        columns=True,
        holds=frozenset(
            ("question_ids", "chunk_ids", "titles", "answers", "grades", "scores", "negatives")
        ),
        extra="parquet",
    ),
    "arrow": Format(
        "an Arrow IPC file",
        suffixes=(".arrow", ".feather", ".ipc"),
        columns=True,
        extra="parquet",
    ),
    "datasets": Format(
        "a folder that datasets saved to disk",
        parts=("state.json", "*.arrow"),
        columns=True,
        extra="parquet",
    ),
    "datasetdict": Format(
        "a folder of several splits that datasets saved to disk",
        parts=("dataset_dict.json", "*/state.json", "*/*.arrow"),
        judgements="*/state.json",
        columns=True,
        extra="parquet",
    ),
    "hub": Format(
        "a folder as the Hub has it, with Parquet, JSON, CSV or Arrow files named after splits",
        tables=(".parquet", ".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".arrow"),
        columns=True,
    ),
    "sentence-transformers": Format(
        "JSONL with the columns of sentence-transformers, such as anchor, positive and negative",
        members=tuple(
            (question, positive)
            for question in COLUMNS["question"]
            for positive in COLUMNS["positive"]
        ),
        columns=True,
        holds=frozenset(("grades", "scores", "negatives")),
    ),
}

# The formats that can be written.
WRITTEN = tuple(name for name, kind in FORMATS.items() if kind.holds is not None)

# Files with these suffixes are JSON.
_JSON = ("", ".json", ".jsonl", ".ndjson", ".jsonlines")


def format_of(path: Path, name: str | None) -> str | None:
    """Return the name of a data set's format: the given one, or the first that fits.

    JSON of which no member can be told, because it is damaged or not there, counts as samples,
    whose reader says what is wrong with it.
    """
    if name is not None:
        return name
    found = next((each for each, kind in FORMATS.items() if kind.recognises(path)), None)
    if found is None and not path.is_dir() and not first_members(path):
        suffixes = [suffix for suffix in path.suffixes if suffix.lower() not in _PACKED]
        if (suffixes[-1].lower() if suffixes else "") in _JSON:
            return "samples"
    return found


# The value of --guard that names the built-in guard: 60 questions of general knowledge over 120
# passages, in plain English. Half of the passages answer no question: each of them shares the words
# of a question, or the subject of its answer. The texts were written for this package.
BUILTIN_GUARD = "builtin"


def builtin_guard() -> dict[str, Path]:
    """Return the files of the built-in guard, by the names of the settings that read them."""
    folder = Path(__file__).parent / "data" / "guard"
    return {"qa": folder / "qa.jsonl", "chunks": folder / "chunks.jsonl"}
