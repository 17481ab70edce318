"""The choice of the questions that are trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.questions import Recipe, answers_of_others, with_replay
from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl


def test_replay_adds_easy_questions_of_those_allowed(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["run", *data_flags(corpus), "--model", model_dir, "--topk", 5, "--epochs", 1]
    flags += ["--train-on", "hard", "--source", "candidates"]
    stage2(*flags, "--output-dir", tmp_path / "hard")
    stage2(*flags, "--replay", 0.5, "--output-dir", tmp_path / "both")
    hard, both = (
        json.loads((tmp_path / name / files.SPLIT).read_text()) for name in ("hard", "both")
    )
    added = set(both["trained_on"]) - set(hard["trained_on"])
    assert set(hard["trained_on"]) < set(both["trained_on"]) <= set(hard["train"])
    assert len(added) <= round(0.5 * len(hard["trained_on"]))
    log = read_jsonl(tmp_path / "both" / files.TRAINING_LOG)
    assert log[0]["train_examples"] == len(both["trained_on"])


def test_replay_draws_by_seed_and_id(lists: RankingLists) -> None:
    hard, allowed = np.asarray([0, 1, 2]), np.arange(10)
    drawn = with_replay(hard, allowed, lists, Settings(replay=1.0))
    assert len(drawn) == 6
    assert drawn.tolist() == with_replay(hard, allowed, lists, Settings(replay=1.0)).tolist()
    seeds = {tuple(with_replay(hard, allowed, lists, Settings(replay=1.0, seed=s)).tolist())
             for s in range(6)}  # fmt: skip
    assert len(seeds) > 1
    # One more question replaces at most one that was drawn.
    more = with_replay(hard, np.arange(11), lists, Settings(replay=1.0))
    assert len(set(drawn.tolist()) - set(more.tolist())) <= 1
    assert with_replay(hard, allowed, lists, Settings()).tolist() == [0, 1, 2]
    everyone = with_replay(hard, allowed, lists, Settings(replay=9.0))
    assert everyone.tolist() == allowed.tolist()


def test_what_a_teacher_is_asked_holds_all_that_is_trained_on(lists: RankingLists) -> None:
    """The draw of easy questions depends on which may be seen, so any of these may come."""
    hard, nothing = np.asarray([0, 1, 7]), np.zeros(len(lists.candidates), np.bool_)
    for settings in (Settings(), Settings(replay=1.0), Settings(train_on="all")):
        recipe = Recipe(lists, hard, nothing, settings)
        asked = set(recipe.at_most(np.arange(11)).tolist())
        for visible in (np.arange(6), np.arange(3, 11), np.arange(11)):
            assert set(recipe.rows(visible).tolist()) <= asked
        assert (asked == {0, 1, 7}) == (settings == Settings())


@pytest.fixture
def lists(corpus: dict[str, Path], model: Any) -> RankingLists:
    from stage2 import Dataset
    from stage2.encoding.ranking_lists import ranking_lists

    samples = Dataset.load(corpus["qa"], corpus["chunks"]).construct(3)
    return ranking_lists(model, samples, None)


def test_what_answers_only_held_out_questions_is_no_negative(lists: RankingLists) -> None:
    none = np.zeros(len(lists.candidates), np.bool_)
    recipe = Recipe(lists, np.empty(0, np.int64), none, Settings(train_on="all"))
    everyone = np.arange(len(lists))
    assert len(recipe.lists_of(everyone).candidates) == len(lists.candidates)
    visible, hidden = everyone[::2], everyone[1::2]
    texts = lists.tokens.texts

    def truths(rows: Any) -> set[str]:
        chosen = lists.select(rows)
        return {texts[row] for row in chosen.candidates[chosen.is_relevant]}

    held_out = truths(hidden) - truths(visible)
    found = recipe.lists_of(visible)
    negatives = [found.tokens.texts[row] for row in found.candidates[~found.is_relevant]]
    chosen = lists.select(visible)
    before = [texts[row] for row in chosen.candidates[~chosen.is_relevant]]
    assert negatives == [text for text in before if text not in held_out]
    assert len(negatives) < len(before)


def test_a_run_mines_no_answer_of_a_held_out_question(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = [*data_flags(corpus), "--model", model_dir, "--topk", 1, "--epochs", 1]
    stage2("run", *flags, "--max-score", 2, "--output-dir", tmp_path)
    split = json.loads((tmp_path / files.SPLIT).read_text())
    rows = {row["qa_id"]: row for row in read_jsonl(tmp_path / files.CONSTRUCTED)}
    truths = {
        side: {text for name in split[side] for text in rows[name]["ground_truth_contexts"]}
        for side in ("train", "dev", "test")
    }
    hidden = {"train": truths["dev"] | truths["test"], "dev": truths["test"] - truths["train"]}
    hidden["train"] -= truths["train"]
    for side, texts in hidden.items():
        assert texts
        for name in split[side]:
            assert rows[name]["negative_contexts"]
            assert not texts & {*rows[name]["negative_contexts"]}


def test_an_answer_that_is_held_out_elsewhere_is_no_negative_either(lists: RankingLists) -> None:
    everyone, none = np.arange(len(lists)), np.zeros(len(lists.candidates), np.bool_)
    texts = [lists.tokens.texts[row] for row in lists.candidates]
    truths = {text for text, one in zip(texts, lists.is_relevant, strict=True) if one}
    wrong = next(text for text in texts if text not in truths)
    right = next(iter(truths))
    # Case and white space make no other text, and what answers a seen question too stays.
    held_out = (f"  {wrong.upper()} ", right)
    recipe = Recipe(lists, everyone, none, Settings(train_on="all"), held_out=held_out)
    marked = answers_of_others(lists, everyone, held_out)
    assert marked.tolist() == [text == wrong for text in texts]
    found = recipe.lists_of(everyone)
    assert [found.tokens.texts[row] for row in found.candidates] == [
        text for text in texts if text != wrong
    ]


def test_replay_draws_no_question_whose_negatives_are_all_held_out(lists: RankingLists) -> None:
    texts = lists.tokens.same_text[lists.candidates]
    negative, of_third = ~lists.is_relevant, np.zeros(len(texts), np.bool_)
    of_third[lists.offsets[3] : lists.offsets[4]] = True
    # The fourth question keeps only negatives that answer no question.
    lists = lists.without(of_third & negative & np.isin(texts, texts[~negative]))
    left = [lists.tokens.texts[row] for row in lists.select([3]).candidates[1:]]
    assert left
    everyone, none = np.arange(len(lists)), np.zeros(len(lists.candidates), np.bool_)
    settings = Settings(train_on="hard", replay=99.0)
    for held_out in ((), tuple(left)):
        recipe = Recipe(lists, everyone[:1], none, settings, held_out=held_out)
        assert (3 in recipe.rows(everyone)) == (not held_out)
        trained = recipe.lists_of(everyone)
        assert trained.qa_ids == [lists.qa_ids[row] for row in recipe.rows(everyone)]
        assert (trained.lengths[1:] > trained.num_relevant[1:]).all()
    # So it is with candidates that were dropped as false negatives.
    dropped = none.copy()
    dropped[lists.offsets[3] + 1 : lists.offsets[4]] = True
    assert 3 not in Recipe(lists, everyone[:1], dropped, settings).rows(everyone)
