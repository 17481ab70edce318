"""The questions and candidates of samples, as rows of the distinct texts that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stage2._core import Annotations, Samples
from stage2.data.dataset import check_similarity
from stage2.encoding.encoder import Encoder, LazyModel, loaded
from stage2.encoding.tokens import LazyTokens, Role, Spans, Texts, TokenizedTexts, tokenize
from stage2.utils.arrays import Floats, Ints, Mask


@dataclass(frozen=True)
class RankingLists:
    """n questions and the contexts that each is ranked against, as rows of distinct texts.

    Attributes:
        tokens: the t distinct texts with their entities, tokenised when the tokens are first used.
        qa_ids: the ids of the questions.
        questions: int64 (n,), the row of each question in `tokens`.
        candidates: int64 (m,), the row of each candidate in `tokens`: one list after another, each
            with its ground truths first.
        contexts: int64 (m,), the place of each candidate in `corpus`, if there is a corpus.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: int64 (n,), the number of ground truths at the start of each list.
        tie_keys: int64 (m,), the place of each candidate's chunk id in sorted order.
        corpus: int64 (N,), the row of each context in `tokens`; empty if it was not asked for.
        grades: float64 (m,), the relevance of each candidate, 0 for negatives; None if all ground
            truths are equally relevant.
        aside: bool (m,), the ground truths that do not count when a model is chosen on these
            questions; None if all count. Only `training.train.evaluate_dev` heeds it.
        taught: float32 (m,), a teacher's score of each candidate, NaN for those that it has not
            scored; None without a teacher.
        taught_vectors: float32 (t, D), a teacher's vector of each text, 0 for those that it has not
            read; None without one.
    """

    tokens: LazyTokens
    qa_ids: list[str]
    questions: Ints
    candidates: Ints
    contexts: Ints
    offsets: Ints
    num_relevant: Ints
    tie_keys: Ints
    corpus: Ints
    grades: npt.NDArray[np.float64] | None = None
    aside: Mask | None = None
    taught: Floats | None = None
    taught_vectors: Floats | None = None

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def question_texts(self) -> list[str]:
        """The texts of the questions, without prompts."""
        return [self.tokens.texts[row] for row in self.questions]

    @property
    def lengths(self) -> Ints:
        """The number of candidates of each question: int64 (n,)."""
        return np.diff(self.offsets)

    @property
    def is_relevant(self) -> npt.NDArray[np.bool_]:
        """Whether each candidate is a ground truth: bool (m,)."""
        place = np.arange(len(self.candidates)) - np.repeat(self.offsets[:-1], self.lengths)
        return np.asarray(place < np.repeat(self.num_relevant, self.lengths))

    @property
    def first_ground_truths(self) -> Ints:
        """The smallest row in `tokens` of each question's ground truths: int64 (n,).

        It is equal if one question comes twice, with its ground truths in another order. Texts that
        are the same count as the first of them.
        """
        flat = self.tokens.same_text[self.candidates]
        is_relevant = self.is_relevant
        found = np.full(len(self), len(self.tokens), np.int64)
        rows = np.repeat(np.arange(len(self)), self.lengths)
        np.minimum.at(found, rows[is_relevant], flat[is_relevant])
        return found

    @property
    def truths_aside(self) -> Mask | None:
        """Return which of the g ground truths do not count: bool (g,); None if all count."""
        return None if self.aside is None else self.aside[self.is_relevant]

    def setting_aside(self, truths: Mask | None) -> RankingLists:
        """Let the ground truths that `truths` marks, bool (g,), not count; None marks none."""
        if truths is None:
            return self
        aside = np.zeros(len(self.candidates), np.bool_)
        aside[self.is_relevant] = truths
        return replace(self, aside=aside)

    def read_by(self, model: Encoder | LazyModel) -> RankingLists:
        """Return the same lists with the same texts as another model reads them, no entities."""
        texts, roles = self.tokens.texts, self.tokens.roles
        return replace(self, tokens=_tokens_of(model, texts, [()] * len(texts), roles))

    def subset(self, rows: Sequence[int] | Ints) -> RankingLists:
        """Return the given questions, in the given order, with only the texts that they need."""
        return self.select(rows).trimmed()

    def select(self, rows: Sequence[int] | Ints) -> RankingLists:
        """Return the given questions, in the given order, with all texts."""
        flat = np.concatenate(
            [np.arange(self.offsets[row], self.offsets[row + 1]) for row in rows]
            or [np.empty(0, np.int64)]
        )
        index = np.asarray(rows, np.int64)
        return replace(
            self,
            qa_ids=[self.qa_ids[row] for row in rows],
            questions=self.questions[index],
            candidates=self.candidates[flat],
            contexts=self.contexts[flat],
            offsets=np.concatenate([[0], np.cumsum(self.lengths[index])]).astype(np.int64),
            num_relevant=self.num_relevant[index],
            grades=None if self.grades is None else self.grades[flat],
            aside=None if self.aside is None else self.aside[flat],
            taught=None if self.taught is None else self.taught[flat],
            tie_keys=self.tie_keys[flat],
        )

    def trimmed(self) -> RankingLists:
        """Return the same lists with only the texts that they need."""
        needed = (self.questions, self.candidates, self.corpus)
        used, places = np.unique(np.concatenate(needed), return_inverse=True)
        questions, candidates, corpus = np.split(
            places.astype(np.int64), np.cumsum([len(part) for part in needed])[:-1]
        )
        return replace(
            self,
            tokens=self.tokens.take(used),
            questions=questions,
            candidates=candidates,
            corpus=corpus,
            taught_vectors=None if self.taught_vectors is None else self.taught_vectors[used],
        )

    def among(self, kept: Ints) -> RankingLists:
        """Return the same lists with a part of the corpus.

        Args:
            kept: int64, rising, the contexts that are kept, with all ground truths. A candidate
                that is not kept becomes -1 in `contexts`.
        """
        place = np.searchsorted(kept, self.contexts)
        there = kept[np.minimum(place, len(kept) - 1)] == self.contexts
        return replace(
            self, corpus=self.corpus[kept], contexts=np.where(there, place, -1).astype(np.int64)
        )

    def without(self, dropped: npt.NDArray[np.bool_]) -> RankingLists:
        """Leave out the candidates that `dropped` marks, bool (m,). It marks no ground truth."""
        kept = np.concatenate([[0], np.cumsum(~dropped)]).astype(np.int64)
        return replace(
            self,
            candidates=self.candidates[~dropped],
            contexts=self.contexts[~dropped],
            grades=None if self.grades is None else self.grades[~dropped],
            aside=None if self.aside is None else self.aside[~dropped],
            taught=None if self.taught is None else self.taught[~dropped],
            tie_keys=self.tie_keys[~dropped],
            offsets=kept[self.offsets],
        )

    def without_negatives(self) -> RankingLists:
        """Leave out all candidates except the ground truths."""
        return self.without(~self.is_relevant)


def ranking_lists(
    model: Encoder | LazyModel | None,
    samples: Samples,
    annotations: Annotations | None,
    *,
    similarity: str = "auto",
    corpus: bool = False,
    by_id: bool = False,
) -> RankingLists:
    """Make the lists of samples. Each text of a role is there once, with its annotated entities.

    Args:
        model: the model whose tokenizer is used; None if no text will be tokenised.
        samples: the questions with their candidates.
        annotations: the entity annotations, or None.
        similarity: `sentence` leaves the entities out; `entity` requires annotations.
        corpus: whether every context of the samples is needed, or only the candidates.
        by_id: whether each question and then each context that is needed has a row of its own,
            because what ranks them goes by ids and not by texts.
    """
    check_similarity(similarity, annotations)
    flat = np.asarray(samples.candidates)
    wanted = np.arange(len(samples.contexts)) if corpus else np.unique(flat)
    contexts = samples.contexts.take(wanted)
    questions = list(samples.questions)

    row_of: dict[tuple[Role, str], int] = {}

    def rows_of(role: Role, column: Sequence[str]) -> Ints:
        rows = (row_of.setdefault((role, text), len(row_of)) for text in column)
        return np.fromiter(rows, np.int64, len(column))

    roles: list[Role]
    if by_id:
        question_rows, context_rows = np.split(
            np.arange(len(questions) + len(contexts)), [len(questions)]
        )
        texts = [*questions, *contexts]
        roles = ["query"] * len(questions)
        roles += ["document"] * len(contexts)
    else:
        question_rows, context_rows = rows_of("query", questions), rows_of("document", contexts)
        roles, texts = [role for role, _ in row_of], [text for _, text in row_of]
    spans: list[Spans] = [()] * len(texts)
    if annotations is not None and similarity != "sentence":
        found, offsets = annotations.spans_for(texts)
        spans = [found[offsets[i] : offsets[i + 1]] for i in range(len(texts))]

    places = np.searchsorted(wanted, flat)
    id_order = tie_keys_of(samples.context_ids.take(wanted))
    lists = RankingLists(
        tokens=_tokens_of(model, texts, spans, roles),
        qa_ids=list(samples.qa_ids),
        questions=question_rows,
        candidates=context_rows[places],
        contexts=flat,
        offsets=np.asarray(samples.offsets),
        num_relevant=np.asarray(samples.num_relevant),
        tie_keys=id_order[places],
        corpus=context_rows if corpus else np.empty(0, np.int64),
    )
    if samples.grades is None:
        return lists
    grades = np.zeros(len(flat))
    grades[lists.is_relevant] = samples.grades
    return replace(lists, grades=grades)


def tie_keys_of(ids: Sequence[str]) -> Ints:
    """Return the place of each id in sorted order, of equal ids the first first: int64 (N,)."""
    found = np.empty(len(ids), np.int64)
    found[sorted(range(len(ids)), key=lambda i: (ids[i], i))] = np.arange(len(ids))
    return found


def _tokens_of(
    model: Encoder | LazyModel | None,
    texts: Sequence[str],
    spans: Sequence[Spans],
    roles: Sequence[Role],
) -> LazyTokens:
    def tokenized(part: Texts) -> TokenizedTexts:
        if model is None:
            raise ValueError("there is no model whose tokenizer could read the texts")
        return tokenize(loaded(model), *part)

    return LazyTokens(texts, spans, tokenized, roles)
