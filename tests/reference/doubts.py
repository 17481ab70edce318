"""The similarity adjusted for hubs, from the whole matrix of scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def adjusted(
    scores: npt.NDArray[np.floating], texts: list[str], labels: list[list[int]], most: int
) -> list[tuple[dict[int, float], dict[int, float]]]:
    """Return for each question its labelled passages and the best others, with their scores.

    Args:
        scores: floats (n, N), of every question and passage.
        texts: N texts.
        labels: the labelled passages of each question.
        most: so many others are returned.
    """
    near = [float(np.mean(sorted(row, reverse=True)[:10])) for row in scores]
    back = [float(np.mean(sorted(column, reverse=True)[:10])) for column in scores.T]

    def value(row: int, passage: int) -> float:
        return 2 * float(scores[row, passage]) - near[row] - back[passage]

    found = []
    for row, own in enumerate(labels):
        copies = {texts[one] for one in own}
        others = [one for one in range(len(texts)) if texts[one] not in copies]
        others.sort(key=lambda one: (-scores[row, one], one))
        found.append(
            ({one: value(row, one) for one in own}, {one: value(row, one) for one in others[:most]})
        )
    return found
