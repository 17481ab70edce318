"""BM25, the ranking by words that every search engine has: what a user has without a model.

The variant is Lucene's, computed by `bm25s` (Lù, "BM25S: Orders of magnitude faster lexical search
via eager sparse scoring", 2024). For BM25 itself see Robertson and Zaragoza, "The probabilistic
relevance framework: BM25 and beyond", 2009.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
import regex

from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.corpus_counts import CorpusCounts
from stage2.evaluation.ranking import Ranked
from stage2.utils.arrays import Floats, Ints
from stage2.utils.progress import Progress

# The saturation of a word's frequency, and the weight of a text's length: the defaults of bm25s.
K1, B = 1.5, 0.75

# Chinese, Japanese and Thai are written without spaces. A Japanese word can mix three scripts.
_JAPANESE = r"\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}"
_THAI = r"\p{Thai}"
# As Unicode has it, marks are word characters: the vowel signs of Hindi are marks. No word begins
# with one, but an emoji can end with one.
_RUNS = regex.compile(
    rf"(?P<unspaced>[[{_JAPANESE}]&&\w]+|[[{_THAI}]&&\w]+)"
    rf"|[\w--[\p{{M}}{_JAPANESE}{_THAI}]][\w--[{_JAPANESE}{_THAI}]]*",
    regex.VERSION1,
)


def tokens_of(text: str) -> list[str]:
    """Cut a text into tokens: words in lower case, as they stand, and bigrams of characters.

    Words of Chinese, Japanese and Thai have no spaces between them, so each run of characters of
    these languages gives its pairs of neighbours, or itself if it is a single character. Neither
    endings nor frequent words are taken away. Width and composition of characters do not matter.

    Args:
        text: a text in any languages.
    """
    tokens = []
    for found in _RUNS.finditer(unicodedata.normalize("NFKC", text).lower()):
        run = found.group()
        if found.group("unspaced") and len(run) > 1:
            tokens += [run[place : place + 2] for place in range(len(run) - 1)]
        else:
            tokens.append(run)
    return tokens


def rank_by_bm25(lists: RankingLists, progress: Progress | None = None) -> Ranked:
    """Rank each question's ground truths among all N contexts of the samples by BM25.

    The texts are those that the model reads, without its prompts. Copies of a ground truth under
    other ids do not count. Only a block of scores is in memory at a time. A question without a word
    of the corpus gives all contexts the score 0: then the expected rank is that of chance.

    Args:
        lists: n questions, with a corpus.
        progress: called after each block with the number of questions done, and with n.
    """
    index, counts = Bm25(lists), CorpusCounts(lists)
    for part in counts.blocks(len(lists.corpus)):
        rows = counts.rows(part)
        scores = index.of_questions(rows)
        own = scores[counts.questions[part] - rows[0], counts.contexts[part]]
        counts.add(part, 0, scores, own)
        if progress is not None:
            progress(int(rows[-1]) + 1, len(lists))
    truths = counts.truths(np.zeros(len(counts.questions), np.bool_))
    return Ranked.of_truths(truths, counts.lengths, np.zeros(len(lists), np.int64))


class Bm25:
    """The BM25 scores of questions and all contexts of their samples.

    The texts are those that a model reads, without its prompts.
    """

    def __init__(self, lists: RankingLists) -> None:
        """Index the corpus of n questions."""
        texts = lists.tokens.texts
        self._size = len(lists.corpus)
        self._index = Bm25Index(
            (texts[row] for row in lists.questions), (texts[row] for row in lists.corpus)
        )

    def of_questions(self, rows: Ints) -> Floats:
        """Return the scores of all N contexts for the questions at `rows`: float32 (rows, N)."""
        scores = np.empty((len(rows), self._size), np.float32)
        for place, row in enumerate(rows.tolist()):
            scores[place] = self._index.scores(row)
        return scores


class Bm25Index:
    """The scores of every token of some questions in every document.

    Tokens that are in no question are one token of the index. They decide the length of a document
    and nothing else, and a corpus has many of them.
    """

    def __init__(self, questions: Iterable[str], documents: Iterable[str]) -> None:
        """Index the texts of N documents for the texts of some questions."""
        import bm25s  # it imports scipy, for which most commands have no use

        ids: dict[str, int] = {}
        self._questions = [tokens_of(text) for text in questions]
        for tokens in self._questions:
            for token in tokens:
                ids.setdefault(token, len(ids))
        other = len(ids)
        rows = [[ids.get(token, other) for token in tokens_of(text)] for text in documents]
        if not any(rows):
            # bm25s divides by the mean length.
            rows = [[other] for _ in rows]
        self._ids = ids
        # The same terms in another order must give the same score: equal scores are ties. In
        # float64 such sums differ far below the precision of the float32 that are compared.
        self._bm25 = bm25s.BM25(k1=K1, b=B, method="lucene", dtype="float64")
        # No token is empty.
        self._bm25.index((rows, {**ids, "": other}), show_progress=False)

    def scores(self, row: int) -> Floats:
        """Return each document's score for a question: float32 (N,).

        A repeated token counts each time.
        """
        ids = [self._ids[token] for token in self._questions[row]]
        found = self._bm25.get_scores_from_ids(ids)
        return np.asarray(found, np.float32)
