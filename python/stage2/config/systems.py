"""The settings that name a system to measure that is no model of ours: its vectors, runs or URL."""

from __future__ import annotations

from dataclasses import dataclass

from stage2.utils.setting import Group, setting


@dataclass(frozen=True)
class SystemConfig(Group):
    """The settings that name what ranks in place of a model, and what was there before it."""

    question_vectors: str | None = setting(
        None,
        "Vectors of the questions that another system made, in place of --model: NAME.npy with an "
        "id a line in NAME.ids.txt, or Parquet with the columns id and vector. It needs "
        "--corpus-vectors.",
        metavar="FILE",
    )
    corpus_vectors: str | None = setting(
        None, "Vectors of the chunks, in the same form as --question-vectors.", metavar="FILE"
    )
    run: str | None = setting(
        None,
        "A TREC run of any search engine, in place of --model: lines of question id, Q0, chunk id, "
        "rank, score and name. The score decides the order, as in trec_eval.",
        metavar="FILE",
    )
    endpoint: str | None = setting(
        None,
        "An embeddings server, in place of --model: a URL that ends in /embeddings (OpenAI's form) "
        "or in /embed (text-embeddings-inference). The environment variable STAGE2_ENDPOINT_KEY "
        "holds the key, if it needs one.",
        metavar="URL",
    )
    endpoint_model: str | None = setting(
        None, "The model that the server of --endpoint is asked for.", metavar="NAME"
    )
    before_model: str | None = setting(
        None, "The model that was there before, to compare with.", metavar="DIR|FILE.pt"
    )
    before_question_vectors: str | None = setting(
        None, "Vectors of the questions by the system that was there before.", metavar="FILE"
    )
    before_corpus_vectors: str | None = setting(
        None, "Vectors of the chunks by the system that was there before.", metavar="FILE"
    )
    before_run: str | None = setting(
        None, "A TREC run of the system that was there before.", metavar="FILE"
    )
    before_endpoint: str | None = setting(
        None, "The embeddings server that was there before.", metavar="URL"
    )
    before_endpoint_model: str | None = setting(
        None, "The model that the server of --before-endpoint is asked for.", metavar="NAME"
    )
