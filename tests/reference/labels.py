"""Judgements in labels, the slow and obvious way: pair by pair, over all rows and all copies."""

from __future__ import annotations

Labels = list[tuple[list[int], list[int]]]


def relabelled(
    questions: list[str],
    chunks: list[str],
    labels: Labels,
    judged: list[tuple[int, int, str, str]],
    agree: int,
    negatives: bool,
) -> Labels:
    """Return the answers and the negatives of each question after judgements.

    Args:
        questions: a key of each question, equal for questions that are the same.
        chunks: a key of each chunk.
        labels: the answers and the negatives of each question.
        judged: question, chunk, judgement and judge, in the order of the file.
        agree: so many judges must say the same.
        negatives: whether what is no answer becomes a negative.
    """
    found = [(set(own), set(others)) for own, others in labels]
    pairs = dict.fromkeys((questions[q], chunks[c]) for q, c, *_ in judged)
    for question, chunk in pairs:
        here = [row for row in judged if (questions[row[0]], chunks[row[1]]) == (question, chunk)]
        said = list({by: kind for _, _, kind, by in here}.values())
        answers, nots = said.count("answer"), said.count("not")
        named = here[0][1]
        copies = {c for c, text in enumerate(chunks) if text == chunk}
        for row, text in enumerate(questions):
            own, others = found[row]
            if text != question:
                continue
            if answers >= agree and not nots and not own & copies:
                others -= copies
                own.add(named)
            if nots >= agree and not answers:
                dropped = own & copies
                own -= copies
                if negatives and dropped:
                    others |= dropped
                elif negatives and not others & copies:
                    others.add(named)
    return [(sorted(own), sorted(others)) for own, others in found]
