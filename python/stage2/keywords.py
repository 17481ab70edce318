"""The settings as keywords of the Python functions, typed for editors and type checkers.

What each means, its default and its range stand in `config/`. `tests/test_keywords.py` holds the
two together.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

from stage2.data.dataset import Dataset, Samples

Path: TypeAlias = str | os.PathLike[str]


class ArrowStream(Protocol):
    """A table that another library gives by Arrow's PyCapsule interface, such as a DataFrame."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a capsule with a stream of batches."""


class Batches(Protocol):
    """A table of the library `datasets`."""

    def with_format(self, kind: str, /) -> Any:
        """Return the table with rows of another kind."""

    def iter(self, batch_size: int, /) -> Any:
        """Return an iterator of so many rows at a time."""


# The losses of stage2. One that was added by `stage2.add_loss` is given by its name too.
LossName: TypeAlias = (
    Literal[
        "margin",
        "in-batch",
        "infonce",
        "triplet",
        "margin-mse",
        "distill-kl",
        "listnet",
        "similarity-mse",
    ]
    | str
)

# A file or a folder in any format of --data, or the same in memory.
Data: TypeAlias = Path | Dataset | Samples | ArrowStream | Batches


class Keywords(TypedDict, total=False):
    """Every setting, under the name of its flag with `_` for `-`."""

    output_dir: Path
    seed: int
    device: str
    qa: Path | None
    chunks: Path | None
    entities: Path | None
    on_error: Literal["strict", "skip"]
    max_decompressed: str | None
    negatives: int
    source: Literal["candidates", "corpus"]
    range_min: int
    range_max: int | None
    absolute_margin: float | None
    relative_margin: float | None
    max_score: float | None
    min_score: float | None
    sampling: Literal["top", "random"]
    second_source: Path | None
    second_share: float
    memory_budget: str | None
    data: Data | None
    format: (
        Literal[
            "samples",
            "beir",
            "trec",
            "squad",
            "flagembedding",
            "tevatron",
            "llamaindex",
            "csv",
            "tsv",
            "parquet",
            "arrow",
            "datasets",
            "datasetdict",
            "hub",
            "sentence-transformers",
        ]
        | None
    )
    columns: str | None
    title: Literal["join", "ignore"]
    model: Path | None
    init: bool
    backbone: Path | None
    embedding_dim: int
    max_length: int | None
    pooling: (
        Literal["cls", "lasttoken", "max", "mean", "mean_sqrt_len_tokens", "weightedmean"] | None
    )
    query_prompt: str | None
    document_prompt: str | None
    query_max_length: int | None
    document_max_length: int | None
    save_dtype: Literal["fp32", "bf16", "fp16"] | None
    fit: bool
    fit_steps: int
    question_vectors: Path | None
    corpus_vectors: Path | None
    run: Path | None
    endpoint: str | None
    endpoint_model: str | None
    before_model: Path | None
    before_question_vectors: Path | None
    before_corpus_vectors: Path | None
    before_run: Path | None
    before_endpoint: str | None
    before_endpoint_model: str | None
    near_duplicate: float
    cross_encoder: Path | None
    cross_encoder_margin: float
    drop_false_negatives: bool
    topk: int
    similarity: Literal["auto", "entity", "sentence", "cosine", "dot", "euclidean", "manhattan"]
    corpus: Literal["auto", "always", "never"]
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    compile: bool
    embedding_cache: Path
    epochs: int
    rounds: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    margin: float
    pairs: Literal["all", "graded"]
    loss: LossName | Callable[..., Any]
    temperature: float
    teacher: Path | None
    teacher_scale: float | None
    batches: Literal["random", "similar"]
    guide_margin: float | None
    matryoshka: str | None
    accumulate: int
    micro_batch: int | None
    gradient_checkpointing: bool
    interpolation: float
    warmup: float
    schedule: Literal["constant", "linear", "cosine"]
    max_grad_norm: float | None
    freeze: Literal["none", "embeddings", "backbone"]
    lora: int | None
    train: Literal["both", "query"]
    patience: int | None
    eval_every: int | None
    refit: bool
    resume: Path
    save_every: int | None
    keep_checkpoints: int | None
    report_to: str
    train_on: Literal["hard", "all"]
    replay: float
    dev_data: Path | None
    split: Literal["chunk", "none"]
    split_file: Path | None
    dev_share: float
    test_share: float
    folds: int | None
    method: Literal["interpolate", "soup", "sum", "reciprocal-rank"]
    alpha: float | None
    fail_if_regressed: bool
    guard: Path | None
    guard_margin: float
    recall_at: str
    bm25: bool
    untouched_backbone: bool
    language: Literal["en", "zh"]
    overwrite: bool
    gazetteer: Path | None
    spacy: str | None
    ignore_case: bool
    unicode_form: Literal["nfc", "nfkc", "none"]
    min_length: int
    gain: float
