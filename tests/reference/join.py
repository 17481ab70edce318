"""Which annotation belongs to a text, and where its spans are in that text."""

from __future__ import annotations


def match_annotation(text: str, annotations: list[str]) -> int:
    """Compare a text with every annotation; return the index of its annotation, or -1."""
    text = " ".join(text.split())
    normal = [" ".join(annotation.split()) for annotation in annotations]

    def contained(other: str) -> bool:
        lengths = sorted([len(text), len(other)])
        near = 10 * (lengths[1] - lengths[0]) < lengths[1]
        return near and (text in other or other in text)

    equal = [other for other in normal if other == text]
    found = equal or [other for other in normal if contained(other)]
    if not found:
        return -1
    return max(i for i, other in enumerate(normal) if other == found[0])


def transfer_spans(
    annotation: str, spans: list[tuple[int, int]], text: str
) -> list[tuple[int, int]]:
    """Move the spans of an annotation to the text that it belongs to, code point by code point.

    A span covers letters and the gaps between words. A gap counts as one code point.
    """
    if annotation == text:
        return spans
    theirs, ours = _places(annotation), _places(text)
    normal = ["".join(c for c, _ in places) for places in (theirs, ours)]
    if normal[0] in normal[1]:
        shift = normal[1].index(normal[0])
    elif normal[1] in normal[0]:
        shift = -normal[0].index(normal[1])
    else:
        return []
    moved = []
    for start, end in spans:
        covered = [i for i, (_, at) in enumerate(theirs) if set(at) & set(range(start, end))]
        if covered and covered[0] + shift >= 0 and covered[-1] + shift < len(ours):
            first, last = ours[covered[0] + shift][1], ours[covered[-1] + shift][1]
            moved.append((first[0], last[-1] + 1))
    return moved


def _places(text: str) -> list[tuple[str, list[int]]]:
    """Return the code points of the normalised text, each with its indices in the original."""
    places: list[tuple[str, list[int]]] = []
    for i, c in enumerate(text):
        if not c.isspace():
            places.append((c, [i]))
        elif places and places[-1][0] == " ":
            places[-1][1].append(i)
        elif places:
            places.append((" ", [i]))
    if places and places[-1][0] == " ":
        places.pop()
    return places
