"""The settings that say which model is used, how it reads texts, and how models are combined."""

from __future__ import annotations

from dataclasses import dataclass

from stage2.utils.setting import Group, setting


@dataclass(frozen=True)
class ModelConfig(Group):
    """The settings of the model from which a command starts, or of making such a model."""

    model: str | None = setting(
        None,
        "Model: a folder of sentence-transformers, of a Hugging Face encoder or of stage2 init; "
        "hub:org/name; a run folder; or a reference .pt with --backbone. Default: "
        "all-MiniLM-L6-v2.",
        metavar="DIR|ID|FILE.pt",
    )
    init: bool = setting(
        False,
        "Without --model: make a ProbabilisticGBERTV4 from --backbone, as stage2 init does, in "
        "place of taking all-MiniLM-L6-v2 as it is. --backbone asks for it too.",
        kind=bool,
    )
    backbone: str | None = setting(
        None,
        "Encoder: a Hugging Face folder; hub:org/name, or org/name where no folder org is here. "
        "Default: all-MiniLM-L6-v2.",
        metavar="DIR|ID",
    )
    embedding_dim: int = setting(
        64, "Width of the embeddings.", kind=int, low=1, high=4096, metavar="N"
    )
    max_length: int | None = setting(
        None,
        "Most tokens of a text; the rest is cut. Default: as many as the encoder itself takes; 128 "
        "with --no-fit, and of a .pt that does not say it.",
        kind=int, low=4, metavar="N",
    )  # fmt: skip
    pooling: str | None = setting(
        None,
        "How tokens become one vector, of an encoder whose folder does not say it. Default: mean, "
        "which is said.",
        choices=("cls", "lasttoken", "max", "mean", "mean_sqrt_len_tokens", "weightedmean"),
    )
    query_prompt: str | None = setting(
        None, "What the model reads before a question, in place of its own prompt.",
        metavar="TEXT",
    )  # fmt: skip
    document_prompt: str | None = setting(
        None, "What the model reads before a chunk, in place of its own prompt.", metavar="TEXT"
    )
    query_max_length: int | None = setting(
        None, "Most tokens of a question. Default: the model's own limit.", kind=int, low=4,
        metavar="N",
    )  # fmt: skip
    document_max_length: int | None = setting(
        None, "Most tokens of a chunk. Default: the model's own limit.", kind=int, low=4,
        metavar="N",
    )  # fmt: skip
    save_dtype: str | None = setting(
        None,
        "The type that weights are written in. Default: the one that they came in.",
        choices=("fp32", "bf16", "fp16"),
    )
    fit: bool = setting(
        True, "Fit the new heads to the encoder's own geometry, or leave them random.", kind=bool
    )
    fit_steps: int = setting(
        300,
        "Updates of the whole model, after its heads are fitted, that bring its ranks nearer to "
        "the encoder's own; 0 fits the heads alone, which is quick.",
        kind=int, low=0, metavar="N",
    )  # fmt: skip


@dataclass(frozen=True)
class EncodingConfig(Group):
    """The settings that say how texts are embedded."""

    precision: str = setting(
        "auto", "Precision of matrix products; auto is bf16 where that is faster.",
        choices=("auto", "fp32", "bf16", "fp16"), row=10,
    )  # fmt: skip
    compile: bool = setting(
        False,
        "Have torch compile the encoder for embedding: a minute or more at the first batch, which "
        "pays on a GPU and for many texts.",
        kind=bool,
    )
    embedding_cache: str = setting(
        "auto",
        "Where vectors and the scores of cross-encoders are kept, to be computed once: auto is the "
        "user's cache folder.",
        metavar="auto|off|DIR",
    )


@dataclass(frozen=True)
class MergeConfig(Group):
    """The settings that say how models are combined."""

    method: str = setting(
        "interpolate",
        "Combine weights: interpolate two models, or a soup, the mean of several; or scores: their "
        "weighted sum, or reciprocal ranks.",
        choices=("interpolate", "soup", "sum", "reciprocal-rank"),
    )
    alpha: float | None = setting(
        None,
        "Weight of the second model. Default: the best on the dev questions.",
        kind=float, low=0, high=1, metavar="X",
    )  # fmt: skip
