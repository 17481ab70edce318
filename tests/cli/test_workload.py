"""A plan counts the work, and more work takes longer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stage2 import Dataset, ProbabilisticGBERTV4
from stage2.cli import workload
from stage2.cli.dry_run import Work
from stage2.cli.workload import Pace
from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.models.cross_encoder import CrossEncoder
from stage2.training.schedule import updates_an_epoch


@pytest.fixture
def lists(model: ProbabilisticGBERTV4, corpus: dict[str, Path]) -> RankingLists:
    dataset = Dataset.load(corpus["qa"], corpus["chunks"])
    return ranking_lists(model, dataset.construct(negatives=5, seed=0), None, corpus=True)


PACE = Pace(0.001, {"query": 10.0, "document": 100.0}, 1e-6)


def test_a_pace_is_measured(model: ProbabilisticGBERTV4, lists: RankingLists) -> None:
    pace = Pace.measure(model, lists.tokens, "fp32")
    assert pace.token > 0
    assert pace.score > 0
    lengths, is_query = lists.tokens.lengths, lists.tokens.is_query
    assert pace.tokens == {
        "query": pytest.approx(lengths[is_query].mean()),
        "document": pytest.approx(lengths[~is_query].mean()),
    }


def test_texts_are_counted_once_by_role(lists: RankingLists) -> None:
    queries, documents = workload.counts_of(lists)
    assert (queries, documents) == (12, 20)
    assert queries + documents == len(lists.tokens)


def test_an_evaluation_embeds_and_ranks(lists: RankingLists) -> None:
    texts, ranks = workload.evaluation(PACE, lists, "model")
    seconds = 0.001 * (12 * 10 + 20 * 100)
    assert texts.count == 32
    assert texts.seconds[0] < seconds < texts.seconds[1]
    assert (ranks.what, ranks.count) == ("questions to rank the corpus for, model", 12)
    without = replace(lists, corpus=lists.corpus[:0])
    assert len(workload.evaluation(PACE, without, "model")) == 1


def test_a_training_counts_its_updates(lists: RankingLists) -> None:
    settings = Settings(epochs=3, batch_size=4, train_on="all")
    updates, _ = workload.training(PACE, settings, lists, 10, 2)
    assert updates.count == 3 * updates_an_epoch(10, settings) == 9
    # Before questions are ranked, nobody knows which are hard.
    hard, _ = workload.training(PACE, replace(settings, train_on="hard"), lists, 10, 2)
    assert hard.seconds[0] < updates.seconds[0]
    assert hard.seconds[1] == updates.seconds[1]
    again = workload.training(PACE, replace(settings, refit=True), lists, 10, 2)[-1]
    assert (again.what, again.seconds[0]) == ("updates of the refit", 0.0)
    # Lists of candidates are longer than their ground truths, and a query encoder embeds neither.
    batch = workload.training(PACE, replace(settings, loss="in-batch"), lists, 10, 2)[0]
    query = workload.training(PACE, replace(settings, train="query"), lists, 10, 2)[0]
    assert query.seconds < batch.seconds < updates.seconds


def test_each_round_but_the_first_embeds_the_corpus_again(lists: RankingLists) -> None:
    settings = Settings(epochs=3, rounds=3, source="corpus", loss="infonce", train_on="all")
    before, after = (
        {work.what: work for work in workload.training(PACE, one, lists, 10, 2)}
        for one in (replace(settings, rounds=1), settings)
    )
    texts, ranks = (after.pop(f"{what} again{where}") for what, where in (
        ("texts to embed to mine", ""), ("questions to mine", " for"),
    ))  # fmt: skip
    assert after == before
    assert (texts.count, ranks.count) == (2 * (10 + 20), 2 * 10)
    seconds = 0.001 * 2 * (10 * 10 + 20 * 100)
    assert texts.seconds == PACE.embed("", 20, 40).seconds
    assert texts.seconds[0] < seconds < texts.seconds[1]
    assert ranks.seconds == PACE.search("", 20, 20).seconds
    # Documents that are not trained keep their vectors, and a part may be mined of more chunks.
    (few, _) = workload.mining_again(PACE, replace(settings, train="query"), (10, 20))
    assert few.count == 2 * 10
    more = workload.training(PACE, settings, lists, 10, 2, mined=100)
    assert {work.what: work.count for work in more}[texts.what] == 2 * (10 + 100)
    # It is not known what is hard, but the corpus is embedded whatever that is.
    hard, _ = workload.mining_again(PACE, settings, (10, 20), least=0.1)
    assert hard.seconds == (PACE.embed("", 2, 40).seconds[0], texts.seconds[1])


def test_a_refit_has_rounds_of_its_own(lists: RankingLists) -> None:
    settings = Settings(
        epochs=2, rounds=2, source="corpus", loss="infonce", train_on="all", refit=True
    )
    found = {work.what: work for work in workload.training(PACE, settings, lists, 10, 2)}
    again = found["texts to embed to mine again in the refit"]
    assert again.count == 10 + 2 + 20
    # No round is reached where stage 1 or an early epoch is chosen.
    assert again.seconds == (0.0, PACE.embed("", 12, 20).seconds[1])


def test_rounds_that_do_not_count_take_no_time(lists: RankingLists) -> None:
    """A settings file may hold what a call does not use."""
    settings = Settings(epochs=3, rounds=3, source="candidates", loss="infonce")
    assert workload.mining_again(PACE, settings, (10, 20)) == []


def test_heads_are_fitted_if_asked() -> None:
    assert workload.fitting(PACE, Settings(fit=False)) == []
    assert workload.fitting(PACE, Settings(), makes=False) == []
    (heads,) = workload.fitting(PACE, Settings(fit_steps=0))
    assert heads.count == 125_000
    # Twenty-eight chunks, and three sentences of each.
    _, model = workload.fitting(PACE, Settings(fit_steps=10))
    tokens = 10 * 28 * (PACE.tokens["document"] + 3 * 20)
    assert model.count == 10
    # At most, the encoder reads as many beforehand.
    factors = 1.5, 4.5 + 1.6
    assert model.seconds == pytest.approx(tuple(by * tokens * PACE.token for by in factors))


def test_pairs_of_a_cross_encoder(cross_encoder: Path, corpus: dict[str, Path]) -> None:
    samples = Dataset.load(corpus["qa"], corpus["chunks"]).construct(negatives=5, seed=0)
    assert workload.cross_encoding(None, samples, "fp32") == []
    scorer = CrossEncoder.load(str(cross_encoder), None)
    (work,) = workload.cross_encoding(scorer, samples, "fp32")
    assert work.count == int(np.diff(samples.offsets).sum())
    assert 0 < work.seconds[0] < work.seconds[1]


def test_parts_are_summed_piece_by_piece() -> None:
    part = [Work("updates", 2, (1.0, 3.0)), Work("texts", 5, (0.5, 1.0))]
    assert workload.together([part, part]) == [
        Work("updates", 4, (2.0, 6.0)), Work("texts", 10, (1.0, 2.0)),
    ]  # fmt: skip
    assert workload.together([]) == []
