"""BM25: its tokens and ranks are those of the formula, in every script."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stage2
from stage2.evaluation import corpus_counts
from stage2.evaluation.bm25 import rank_by_bm25, tokens_of
from stage2.evaluation.corpus_counts import CorpusCounts
from tests import reference
from tests.rankings import of_texts

# Letters, digits and marks of many scripts, and what stands between words.
CHARACTERS = "aBéßİ_7²e\u0301 \t\n.-'❤\ufe0fの々ータｱ中國ไทยดี๑हिन्दीكلمة한ё"


@given(st.text(CHARACTERS, max_size=12))
def test_tokens_are_those_of_the_slow_version(text: str) -> None:
    assert tokens_of(text) == reference.bm25_tokens(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't stop_me, No. 7!", ["don", "t", "stop_me", "no", "7"]),
        ("", []),
        ("... — ❤\ufe0f", []),
        ("北京 a大學b", ["北京", "a", "大學", "b"]),
        ("東", ["東"]),
        ("東京タワーです。", ["東京", "京タ", "タワ", "ワー", "ーで", "です"]),
        ("ไทย", ["ไท", "ทย"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("한국어 위키", ["한국어", "위키"]),
        ("Ｆｕｌｌ cafe\u0301", ["full", "café"]),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert tokens_of(text) == tokens


WORDS = st.lists(st.sampled_from("abcde"), max_size=5).map(" ".join)


@st.composite
def corpora(draw: st.DrawFn) -> tuple[list[str], list[str], list[list[int]], list[list[float]]]:
    """Draw questions, a corpus, the ground truths of each question, and their grades."""
    documents = draw(st.lists(WORDS, min_size=1, max_size=5))
    questions = draw(st.lists(WORDS, min_size=1, max_size=3))
    places = st.lists(st.integers(0, len(documents) - 1), min_size=1, max_size=2, unique=True)
    relevant = [draw(places) for _ in questions]
    grades = [[draw(st.sampled_from([1.0, 2.0, 3.0])) for _ in row] for row in relevant]
    return questions, documents, relevant, grades


@given(corpora())
def test_ranks_are_those_of_the_formula(
    data: tuple[list[str], list[str], list[list[int]], list[list[float]]],
) -> None:
    questions, documents, relevant, grades = data
    found = rank_by_bm25(of_texts(questions, documents, relevant, grades))
    tokens = [text.split() for text in documents]
    for row, (question, right) in enumerate(zip(questions, relevant, strict=True)):
        scores = reference.bm25(question.split(), tokens) if any(tokens) else [0.0] * len(tokens)
        # A copy of a ground truth is not a wrong answer.
        answers = {documents[place] for place in right}
        wrong = [place for place, text in enumerate(documents) if text not in answers]
        ranked = np.array([scores[place] for place in right + wrong], np.float32)
        gains = grades[row] + [0.0] * len(wrong)
        rank = reference.expected(ranked.tolist(), gains, reference.first_place)
        assert found.ranking.rank[row] == pytest.approx(rank)
        assert found.lengths[row] == len(ranked)
        of_list = stage2.rank(ranked, [0, len(ranked)], relevance=gains)
        assert found.ranking.ndcg(10)[row] == pytest.approx(of_list.ndcg(10)[0])
        assert found.ranking.ties[row] == of_list.ties[0]


TEXTS = [
    "公司的总部位于上海市浦东新区。",
    "他在北京大学学习历史。",
    "長崎のカステラは有名です。",
    "京都の祇園祭は七月に行われます。",
    "กรุงเทพมหานครเป็นเมืองหลวง",
    "The harbour opened in 1871.",
    "El puerto de Cádiz, PORT 7.",
]


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("谁在北京大学？", 1),
        ("总部在哪里", 0),
        ("祇園祭はいつですか", 3),
        ("カステラ", 2),
        ("เมืองหลวงคือ", 4),
        ("When did the HARBOUR open?", 5),
        ("cádiz 7", 6),
        ("port, 北京大学", 1),
    ],
)
def test_a_text_is_found_in_every_script(question: str, place: int) -> None:
    """No flag says in which language a text is."""
    assert rank_by_bm25(of_texts([question], TEXTS, [[place]])).ranking.rank.tolist() == [1]


@pytest.mark.parametrize("documents", [TEXTS, ["", "...", "-"]])
def test_a_question_without_a_known_word_ties_everything(documents: list[str]) -> None:
    lists = of_texts(["", "?!", "unknown 語彙"], documents, [[0], [1], [2]])
    found = rank_by_bm25(lists).ranking
    assert found.rank.tolist() == [(len(documents) + 1) / 2] * 3
    assert found.ties.tolist() == [len(documents) - 1] * 3
    metrics = found.metrics()
    assert metrics["mrr"] == pytest.approx(metrics["chance"]["mrr"])


def test_equal_sums_tie_in_whatever_order_they_are_added() -> None:
    """Two texts have other words of the same rarity; in float32 their sums would differ."""
    first, second = ([f"{name}{i}" for i in range(30)] for name in "ab")
    fillers = [" ".join(first[i:] + second[i:]) for i in range(1, 30)]
    question = " ".join(first + second[::-1])
    documents = [" ".join(first), " ".join(second), *fillers]
    assert rank_by_bm25(of_texts([question], documents, [[0]])).ranking.ties.tolist() == [1]


@pytest.mark.parametrize("block", [1, 15, 1 << 22])
def test_only_a_block_of_scores_is_in_memory(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(list("abcdef"), 4)) for _ in range(29)]
    lists = of_texts(texts[:9], texts[9:], [[i, i + 9] for i in range(9)])
    whole = rank_by_bm25(lists)
    shapes: list[tuple[int, ...]] = []
    done: list[tuple[int, int]] = []
    add = CorpusCounts.add

    def seen(self: CorpusCounts, part: slice, first: int, scores: np.ndarray, own: object) -> None:
        shapes.append(scores.shape)
        add(self, part, first, scores, own)

    monkeypatch.setattr(CorpusCounts, "add", seen)
    monkeypatch.setattr(corpus_counts, "_BLOCK_SCORES", block)
    found = rank_by_bm25(lists, lambda *now: done.append(now))
    assert found.ranking.rank.tolist() == whole.ranking.rank.tolist()
    assert found.pairs() == {"entity": 0, "fallback": int(found.lengths.sum())}
    assert max(rows * width for rows, width in shapes) <= max(block, 20)
    assert done[-1] == (9, 9)
