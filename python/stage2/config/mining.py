"""The settings of candidates, hard negatives and false negatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stage2.config.data import RunConfig
from stage2.config.model import EncodingConfig
from stage2.utils.errors import BadInputError
from stage2.utils.setting import Group, setting, size_of
from stage2.variants import BM25, SIMILARITIES

Sampling = Literal["top", "random"]


@dataclass(frozen=True)
class CandidatesConfig(Group):
    """The candidates of a question beside its ground truths."""

    negatives: int = setting(5, "Negatives a question.", kind=int, low=1, metavar="N")
    source: str = setting(
        "candidates",
        "Rank against random negatives, or mine the corpus for the hardest ones. Default: corpus "
        "where --data or --chunks has one and --corpus is not never.",
        choices=("candidates", "corpus"),
    )


@dataclass(frozen=True)
class MiningRules(Group):
    """The rules that choose the hard negatives among the chunks near a question."""

    range_min: int = setting(
        0,
        "The first rank that --source corpus looks at for negatives. Ranks start at 0 and count "
        "only chunks that are no ground truth; mine_hard_negatives counts ground truths too.",
        kind=int, low=0, metavar="N",
    )  # fmt: skip
    range_max: int | None = setting(
        None,
        "The rank to stop before. Default: --negatives ranks; with a margin or limit of scores ten "
        "times as many, and up to 5,000 for a question that then has too few.",
        kind=int, low=1, metavar="N",
    )  # fmt: skip
    absolute_margin: float | None = setting(
        None,
        "Leave out chunks that score above the ground truth less this number. Of several ground "
        "truths, the one with the lowest score counts.",
        kind=float, metavar="X",
    )  # fmt: skip
    relative_margin: float | None = setting(
        None,
        "The same margin as a share of the ground truth's score. Default: 0.05 where the corpus is "
        "mined, and neither --source nor another margin or limit is stated.",
        kind=float, low=0, metavar="X",
    )  # fmt: skip
    max_score: float | None = setting(
        None, "Leave out chunks that score above this.", kind=float, metavar="X"
    )
    min_score: float | None = setting(
        None, "Leave out chunks that score below this.", kind=float, metavar="X"
    )
    sampling: Sampling = setting(
        "top",
        "From the chunks that are left take the top ones, or draw some by --seed and the "
        "question's id.",
        choices=("top", "random"),
    )
    second_source: str | None = setting(
        None,
        "Take some of the negatives from another system, beside those that the model mines: "
        f"{BM25}, or the TREC run of any engine. Margins and scores are those of the model all the "
        "same.",
        metavar=f"{BM25}|FILE",
    )
    second_share: float = setting(
        0.5,
        "The share of --negatives that is of --second-source; 1 takes all from there.",
        kind=float, low=0, high=1, metavar="X",
    )  # fmt: skip


@dataclass(frozen=True)
class SearchConfig(Group):
    """The search of a whole corpus."""

    memory_budget: str | None = setting(
        None,
        "Memory that a search of the corpus may take beside the vectors, such as 512MB or 4GB; "
        "beyond it vectors go to disk. Default: a quarter of the machine's.",
        metavar="SIZE",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.budget == 0:
            raise BadInputError("--memory-budget is 0; expected some memory, such as 512MB")

    @property
    def budget(self) -> int | None:
        """`memory_budget` in bytes."""
        if self.memory_budget is None:
            return None
        return size_of("--memory-budget", self.memory_budget)


@dataclass(frozen=True)
class FalseNegativesConfig(Group):
    """The settings that find negatives that are probably false, and may leave them out."""

    near_duplicate: float = setting(
        0.8,
        "Texts are near-duplicates when this share of their character 5-grams is common to both.",
        kind=float, low=0.01, high=1, metavar="X",
    )  # fmt: skip
    cross_encoder: str | None = setting(
        None,
        "Score each candidate with this cross-encoder too: a sequence classifier with one output, "
        "or a language model with a chat template for a query and a document.",
        metavar="DIR|ID",
    )
    cross_encoder_margin: float = setting(
        0.0,
        "A negative is probably false when the cross-encoder scores it above the lowest ground "
        "truth less this, in logits.",
        kind=float, metavar="X",
    )  # fmt: skip
    drop_false_negatives: bool = setting(
        False,
        "Leave out of hard_negatives.jsonl, and of what losses with listed negatives train on, the "
        "negatives that are a ground truth or nearly one, that contain the answer, or that "
        "--cross-encoder scores above the ground truth.",
        kind=bool,
    )


@dataclass(frozen=True)
class RankingConfig(Group):
    """The settings that say how questions are ranked, and which of them are hard."""

    topk: int = setting(
        3, "A question is hard when its ground truth ranks below this.", kind=int, low=1,
        metavar="K",
    )  # fmt: skip
    similarity: str = setting(
        "auto",
        "Compare by entities where both sides have them (auto, entity) or by sentence only; with "
        "--question-vectors or --endpoint: by cosine (auto), dot, or a distance.",
        choices=("auto", "entity", "sentence", *SIMILARITIES),
        row=9,
    )
    corpus: str = setting(
        "auto",
        "Evaluate against every chunk too, not only the candidates; auto: where there is a corpus. "
        "Above 5,000 chunks epochs are chosen among a part of them, which is said.",
        choices=("auto", "always", "never"),
    )


@dataclass(frozen=True)
class MiningConfig(
    RunConfig, CandidatesConfig, MiningRules, SearchConfig, RankingConfig, EncodingConfig
):
    """The settings that mining a corpus needs."""
