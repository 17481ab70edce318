"""The slow, obvious version of everything the core does; Hypothesis holds the two together.

Nothing here is fast and nothing here shares code with the core. Where the two differ, one is wrong.
"""

from __future__ import annotations

import itertools
import json
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

Matrix = Sequence[Sequence[float]]
T = TypeVar("T")

# --- parsing -------------------------------------------------------------------------------------


class BadRowError(ValueError):
    """A row that cannot be used; its argument is the reason."""


def parse_row(raw: bytes) -> dict[str, Any]:
    """One JSON object; every way of being none has the reason `json`."""

    def refuse(constant: str) -> NoReturn:
        raise BadRowError(f"json: {constant}")

    try:
        text = raw.decode("utf-8")
        value = json.loads(text, parse_constant=refuse)
        everything = json.loads(text, object_pairs_hook=_Members)
        json.dumps(everything, ensure_ascii=False).encode("utf-8")  # lone surrogates
    except (ValueError, RecursionError) as error:
        raise BadRowError("json") from error
    if _depth(everything) > 128:
        raise BadRowError("json")
    if not isinstance(value, dict):
        raise BadRowError("wrong_type")
    return value


class _Members(list[Any]):
    """An object's names and values, those included that a later one of the same name replaces."""


def _depth(value: Any) -> int:
    if isinstance(value, _Members):
        value = [member for _, member in value]
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def lines(data: bytes) -> list[bytes]:
    """The rows of a JSONL file."""
    return [
        line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip(b" \t\r")
    ]


def place_of(data: bytes, at: int) -> tuple[int, int]:
    """The line and column, in code points, of a byte offset; both from 1, a mark not counted."""
    before = data[:at].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "ignore")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def without_skippable_frames(data: bytes) -> bytes:
    """A Zstandard archive of raw blocks, as the tests make it, without what holds no text."""
    kept = b""
    while data:
        length = 8 + int.from_bytes(data[4:8], "little")
        if data[0] & 0xF0 != 0x50 or data[1:4] != b"\x2a\x4d\x18":
            end = 9
            last = 0
            while not last:
                block = int.from_bytes(data[end : end + 3], "little")
                last, end = block & 1, end + 3 + (block >> 3)
            kept, length = kept + data[:end], end
        data = data[length:]
    return kept


def first_of(row: dict[str, Any], *names: str) -> Any:
    """The first of these members that is there and not null."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def read_id(value: Any) -> str:
    if value is None:
        raise BadRowError("missing_field")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRowError("wrong_type")
    if value == "":
        raise BadRowError("empty_id")
    return str(value)


def read_text(value: Any, reason: str = "empty_text") -> str:
    if value is None:
        raise BadRowError("missing_field")
    if not isinstance(value, str):
        raise BadRowError("wrong_type")
    if not value.strip():
        raise BadRowError(reason)
    return value


def read_string(value: Any) -> str:
    if not isinstance(value, str | None):
        raise BadRowError("wrong_type")
    return value or ""


def read_chunk(row: dict[str, Any]) -> tuple[str, str, str]:
    """Id, text and title."""
    return (
        read_id(first_of(row, "chunk_id", "id", "_id")),
        read_text(first_of(row, "text", "chunk_text", "input", "content")),
        read_string(row.get("title")),
    )


Question = tuple[str, str, str | None, list[str], list[float]]


def read_question(row: dict[str, Any]) -> Question:
    """Question, answer, id if there is one, chunk ids, their grades."""
    question = read_text(row.get("question"), "empty_question")
    answer = read_string(row.get("answer"))
    qa_id = first_of(row, "qa_id", "id")
    qa_id = None if qa_id is None else read_id(qa_id)
    first = [] if row.get("chunk_id") is None else [read_id(row["chunk_id"])]
    others = [] if row.get("chunk_ids") is None else row["chunk_ids"]
    if not isinstance(others, list) or None in others:
        raise BadRowError("wrong_type")
    ids = [read_id(chunk) for chunk in others]
    listed = ids if first and first[0] in ids else first + ids
    if not listed:
        raise BadRowError("missing_field")
    grades = read_grades(row.get("grades"), len(listed))
    place = listed.index(first[0]) if first else 0
    order = [place, *(i for i in range(len(listed)) if i != place)]
    return question, answer, qa_id, [listed[i] for i in order], [grades[i] for i in order]


def read_grades(given: Any, count: int) -> list[float]:
    """A grade for each of the chunks, 1 where none are given; one at least is above 0."""
    if given is None:
        return [1.0] * count
    if not isinstance(given, list):
        raise BadRowError("wrong_type")
    for grade in given:
        if isinstance(grade, bool) or not isinstance(grade, int | float):
            raise BadRowError("wrong_type")
        with np.errstate(over="ignore"):
            narrow = np.float32(grade)
        if not np.isfinite(narrow) or (narrow == 0) != (grade == 0):
            raise BadRowError("json: beyond float32")
    if len(given) != count:
        raise BadRowError("length_mismatch")
    if max(given) <= 0:
        raise BadRowError("no_relevant_chunk")
    return [float(grade) for grade in given]


def relevant_chunks(chunks: Sequence[T], grades: Sequence[float]) -> list[tuple[T, float]]:
    """The chunks with a grade above 0, the highest first, and their grades."""
    graded = [pair for pair in zip(chunks, grades, strict=True) if pair[1] > 0]
    return sorted(graded, key=lambda pair: -pair[1])


def read_annotation(row: dict[str, Any]) -> tuple[str, list[tuple[int, int]]]:
    """Text and spans."""
    text = read_text(row.get("text"))
    targets = row.get("targets")
    if targets is None:
        raise BadRowError("missing_field")
    if not isinstance(targets, list):
        raise BadRowError("wrong_type")
    return text, [_read_target(target, text) for target in targets]


def _read_target(target: Any, text: str) -> tuple[int, int]:
    if not isinstance(target, dict):
        raise BadRowError("wrong_type")
    start, end = target.get("char_start"), target.get("char_end")
    if start is None or end is None:
        raise BadRowError("missing_field")
    if type(start) is not int or type(end) is not int:
        raise BadRowError("wrong_type")
    if start < 0 or end > len(text):
        raise BadRowError("span_outside_text")
    if start >= end:
        raise BadRowError("empty_span")
    if target.get("span_text") is not None:
        if not isinstance(target["span_text"], str):
            raise BadRowError("wrong_type")
        if target["span_text"] != text[start:end]:
            raise BadRowError("span_mismatch")
    return start, end


def read_rows(data: bytes, read: Callable[[dict[str, Any]], T]) -> tuple[list[T], list[str]]:
    """The good rows of a JSONL file, and the reasons of the bad ones in order."""
    good, bad = [], []
    for line in lines(data):
        try:
            good.append(read(parse_row(line)))
        except BadRowError as error:
            bad.append(str(error).split(":")[0])
    return good, bad


def other_values(
    data: bytes, read: Callable[[dict[str, Any]], Any], fields: Sequence[Sequence[str]]
) -> Counter[str]:
    """In how many good rows a name has another value than the one of its field that is used."""
    counts: Counter[str] = Counter()
    for line in lines(data):
        try:
            row = parse_row(line)
            read(row)
        except BadRowError:
            continue
        for names in fields:
            used = str(first_of(row, *names))
            for name in names:
                value = row.get(name)
                is_plain = isinstance(value, str | int) and not isinstance(value, bool)
                if value is not None and not (is_plain and str(value) == used):
                    counts[name] += 1
    return counts


# --- texts that are the same ---------------------------------------------------------------------


def text_key(text: str) -> str:
    """White space, composition, case and width aside; symbols and punctuation stay."""
    usual = "".join(map(_in_usual_width, text))
    # Letter by letter: `str.lower` makes another sigma of the last of a word.
    lower = "".join(char.lower() for char in usual).replace("ς", "σ")
    return " ".join(unicodedata.normalize("NFC", lower).split())


def _in_usual_width(char: str) -> str:
    form, _, usual = unicodedata.decomposition(char).partition(" ")
    return chr(int(usual, 16)) if form in ("<wide>", "<narrow>") else char


def same_text(texts: Sequence[str]) -> list[int]:
    """For each text the first that is the same, by comparing it with all."""
    keys = [text_key(text) for text in texts]
    return [keys.index(key) for key in keys]


def shared_truths(
    questions: Sequence[str],
    truths: Sequence[Sequence[T]],
    same: Callable[[T, T], bool],
) -> list[list[T]]:
    """Each row's ground truths, then those of the other rows of its question that are not there."""
    found = []
    for question, own in zip(questions, truths, strict=True):
        shared = list(own)
        for other, theirs in zip(questions, truths, strict=True):
            if text_key(other) == text_key(question):
                for truth in theirs:
                    if not any(same(truth, known) for known in shared):
                        shared.append(truth)
        found.append(shared)
    return found


# --- entity join ---------------------------------------------------------------------------------


def match_annotation(text: str, annotations: list[str]) -> int:
    """The number of the annotation that belongs to a text, by comparing it with all; -1: none."""
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
    """Spans of an annotation in the text it belongs to, code point by code point.

    A span is the set of what it covers: the letters, and the gaps between words.
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
    """The normalised text, each code point with the places in the original it stands for."""
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


# --- near-duplicates -----------------------------------------------------------------------------


def shingles(text: str) -> set[str]:
    """The runs of five characters of a text; of a shorter one itself."""
    whole = text_key(text)
    return {whole[i : i + 5] for i in range(max(1, len(whole) - 4))} if whole else set()


def near_duplicate_groups(texts: list[str], threshold: float) -> list[int]:
    """For each text the first that it is connected to, by comparing all with all."""
    distinct = {text_key(text): shingles(text) for text in texts}
    counts = Counter(shingle for found in distinct.values() for shingle in found)
    limit = max(10, len(distinct) // 100)
    rare = {
        text: {shingle for shingle in found if counts[shingle] <= limit}
        for text, found in distinct.items()
    }

    def is_piece(piece: str, whole: str) -> bool:
        size, common = len(rare[piece]), len(rare[piece] & rare[whole])
        large = size >= 20 and 2 * size >= len(distinct[piece])
        return large and common / size >= max(0.8, threshold)

    def connected(left: str, right: str) -> bool:
        either = len(rare[left] | rare[right])
        alike = either > 0 and len(rare[left] & rare[right]) / either >= threshold
        if min(len(rare[left]), len(rare[right])) < 20:
            common = len(distinct[left] & distinct[right])
            alike = alike and common / len(distinct[left] | distinct[right]) >= threshold
        small, large = sorted([left, right], key=lambda text: len(rare[text]))
        return alike or is_piece(small, large)

    group = {text: i for i, text in reversed(list(enumerate(map(text_key, texts))))}
    for left, right in itertools.combinations(distinct, 2):
        if connected(left, right):
            low, high = sorted((group[left], group[right]))
            group = {text: low if first == high else first for text, first in group.items()}
    return [group[text_key(text)] for text in texts]


# --- sampling ------------------------------------------------------------------------------------

_MASK = 2**64 - 1


def draw_negatives(seed: int, qa_id: str, n: int, total: int, excluded: list[int]) -> list[int]:
    """The first n of a Fisher-Yates shuffle of the chunks that are not excluded."""
    chunks = [chunk for chunk in range(total) if chunk not in excluded]
    if n > len(chunks):
        raise ValueError(f"{n} of {len(chunks)}")
    numbers = _splitmix64(seed, qa_id)
    for i in range(n):
        j = i + _below(len(chunks) - i, numbers)
        chunks[i], chunks[j] = chunks[j], chunks[i]
    return chunks[:n]


def select_negatives(
    nearest: list[int],
    scores: list[np.float32],
    positives: dict[int, np.float32],
    group: Callable[[int], int],
    key: str,
    rules: dict[str, Any],
) -> list[int]:
    """The hard negatives of one question, from its nearest rows, best first."""
    texts = {group(row) for row in positives}
    lowest = min(positives.values(), default=None)

    def allowed(score: np.float32) -> bool:
        limits = [np.float32(x) for x in [rules["max_score"]] if x is not None]
        if lowest is not None and rules["relative_margin"] is not None:
            share = np.float32(rules["relative_margin"])
            limits.append(lowest * (1 + share if lowest < 0 else 1 - share))
        margin = rules["absolute_margin"]
        if None not in (lowest, margin) and score + np.float32(margin) > lowest:
            return False
        if rules["min_score"] is not None and score < np.float32(rules["min_score"]):
            return False
        return all(score <= limit for limit in limits)

    others = [pair for pair in zip(nearest, scores, strict=True) if group(pair[0]) not in texts]
    window = others[rules["range_min"] : rules["range_max"]]
    eligible = [row for row, score in window if allowed(score)]
    count = min(rules["negatives"], len(eligible))
    if rules["seed"] is None:
        return eligible[:count]
    drawn = draw_negatives(rules["seed"], key, count, len(eligible), [])
    return [eligible[place] for place in sorted(drawn)]


def _splitmix64(seed: int, qa_id: str) -> Iterator[int]:
    state = 0xCBF29CE484222325
    for byte in seed.to_bytes(8, "little") + qa_id.encode():
        state = (state ^ byte) * 0x100000001B3 & _MASK
    state = _mix(state)
    while True:
        state = state + 0x9E3779B97F4A7C15 & _MASK
        yield _mix(state)


def _mix(x: int) -> int:
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
    return x ^ x >> 31


def _below(bound: int, numbers: Iterator[int]) -> int:
    """Of the 2**64 products number * bound, as many fall to each high word."""
    while True:
        high, low = divmod(next(numbers) * bound, 2**64)
        if low >= 2**64 % bound:
            return high


# --- ranking -------------------------------------------------------------------------------------


Metric = Callable[[list[float]], float]


def expected(scores: list[float], gains: list[float], metric: Metric) -> float:
    """The mean of a metric over every order of the candidates that their scores allow.

    The metric sees an order as the gains of what stands at each place; 0 is not relevant.
    """
    groups = [
        [i for i, score in enumerate(scores) if score == value]
        for value in sorted(set(scores), reverse=True)
    ]
    orders = itertools.product(*(itertools.permutations(group) for group in groups))
    values = [metric([gains[i] for group in order for i in group]) for order in orders]
    return math.fsum(values) / len(values)


def by_trec_eval(scores: list[float], gains: list[float], keys: list[int], metric: Metric) -> float:
    """The metric of the one order in which of equal scores the last key comes first."""
    order = sorted(range(len(scores)), key=lambda i: (scores[i], keys[i], i), reverse=True)
    return metric([gains[i] for i in order])


def first_place(gains: list[float]) -> int:
    return next(place for place, gain in enumerate(gains, 1) if gain > 0)


def dcg(gains: list[float], k: int) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains[:k], 1))


def ndcg(gains: list[float], k: int) -> float:
    return dcg(gains, k) / dcg(sorted(gains, reverse=True), k)


def recall(gains: list[float], k: int) -> float:
    relevant = [gain > 0 for gain in gains]
    return sum(relevant[:k]) / sum(relevant)


def average_precision(gains: list[float]) -> float:
    places = [place for place, gain in enumerate(gains, 1) if gain > 0]
    return sum(n / place for n, place in enumerate(places, 1)) / len(places)


def counts(scores: list[float], relevant: int) -> tuple[list[int], list[int]]:
    """For each of the first `relevant` how many score above it, and how many as it does."""
    own = scores[:relevant]
    return [sum(s > o for s in scores) for o in own], [scores.count(o) for o in own]


def kendall_tau(scores: list[float]) -> float:
    """Tau-b between the given order, best first, and the scores; 0 where it is undefined."""
    pairs = list(itertools.combinations(scores, 2))
    concordant = sum(a > b for a, b in pairs)
    discordant = sum(a < b for a, b in pairs)
    if concordant + discordant == 0:
        return 0.0
    return (concordant - discordant) / math.sqrt(len(pairs) * (concordant + discordant))


# --- search --------------------------------------------------------------------------------------


def score(query: Sequence[float], row: Sequence[float]) -> np.float32:
    """Product i goes to running sum i mod 8; the sums are added as a tree; rounded once."""
    sums = [0.0] * 8
    for i, (q, r) in enumerate(zip(query, row, strict=True)):
        sums[i % 8] += float(q) * float(r)
    a, b, c, d, e, f, g, h = sums
    with np.errstate(over="ignore"):
        return np.float32(((a + e) + (c + g)) + ((b + f) + (d + h)))


def topk(queries: Matrix, corpus: Matrix, k: int) -> tuple[list[list[int]], list[list[np.float32]]]:
    ids, best = [], []
    for query in queries:
        scores = [score(query, row) for row in corpus]
        order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
        ids.append(order)
        best.append([scores[i] for i in order])
    return ids, best
