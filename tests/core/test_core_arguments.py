"""Public functions with odd arguments give a right answer, or an exception that
says what was expected. They never panic, and never cut or ignore a number."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import stage2
from stage2 import Positives, Rules, _core, mine_negatives
from stage2.mining.hard_negatives import mine_with
from stage2.mining.search import search_texts
from stage2.utils.errors import BadInputError

SCORES = np.array([0.5, 0.1, 0.9, 0.3, 0.2, 0.7], np.float32)
OFFSETS = np.array([0, 3, 6])
VECTORS = np.eye(6, 4, dtype=np.float32)
NONE = np.zeros(0, np.int64)
ONE_EACH = Positives(np.array([0, 1]), np.array([0, 1, 2]))
MASKED = np.ma.masked_array(SCORES, [1, 0, 0, 0, 0, 0])


def mined(rules: Rules | None = None, **arguments: Any) -> list[int]:
    given = {"queries": VECTORS[:2], "corpus": VECTORS, "positives": ONE_EACH, **arguments}
    return mine_negatives(rules=rules, **given).rows.tolist()


def mined_to(depth: Any) -> list[int]:
    """Mine with the search of `mine_negatives` and the given depth."""
    found = mine_with(search_texts, VECTORS[:2], VECTORS, ONE_EACH, Rules(), depth=depth)
    return found.rows.tolist()


REFUSED: list[tuple[Callable[[], object], type[Exception], str]] = [
    # Numbers are not cut to whole ones.
    (lambda: stage2.rank(SCORES, [0, 3.99, 6]), ValueError, "offsets: numbers of type float64"),
    (lambda: stage2.rank(SCORES, [0.0, 3.0, 6.0]), ValueError, "expected whole numbers, int64"),
    (lambda: stage2.rank(SCORES, [False, True]), ValueError, "offsets: numbers of type bool"),
    (lambda: stage2.rank(SCORES, OFFSETS, [1.5, 2.5]), ValueError, "num_relevant: numbers of type"),
    (lambda: stage2.rank(SCORES, OFFSETS, 1.0), ValueError, "num_relevant is .*expected a whole"),
    (lambda: stage2.rank(SCORES, OFFSETS, True), ValueError, "num_relevant is .*expected a whole"),
    (lambda: stage2.rank(SCORES, OFFSETS, "1"), ValueError, "num_relevant is .*expected a whole"),
    (lambda: stage2.rank(SCORES, OFFSETS, 0), ValueError, "num_relevant is .*0.*; expected 1 or"),
    (lambda: stage2.rank(SCORES, OFFSETS, -1), ValueError, "num_relevant is .*-1.*; expected 1"),
    (lambda: stage2.rank(SCORES, OFFSETS, 10**5000), ValueError, "very many digits; expected at"),
    (lambda: stage2.rank(SCORES, OFFSETS, [1]), ValueError, "num_relevant has 1 entries for 2"),
    (lambda: stage2.rank(SCORES, np.array([0, 2**64 - 1], np.uint64)), ValueError, "beyond int64"),
    (lambda: stage2.rank(SCORES, None), ValueError, "offsets: numbers of type object"),
    (lambda: stage2.rank(SCORES, [0, 9, 6]), ValueError, "do not cut up the scores"),
    (lambda: stage2.rank(SCORES, [-1, 6]), ValueError, "do not cut up the scores"),
    (lambda: stage2.rank(SCORES, []), ValueError, "do not cut up the scores"),
    (
        lambda: stage2.rank(SCORES, OFFSETS, ties="trec_eval", tie_keys=SCORES),
        ValueError,
        "tie_keys",
    ),
    # Scores and gains.
    (lambda: stage2.rank(MASKED, OFFSETS), ValueError, "scores: a masked array"),
    (lambda: stage2.rank(SCORES, np.ma.masked_array(OFFSETS)), ValueError, "offsets: a masked"),
    (
        lambda: stage2.rank(SCORES, OFFSETS, np.ma.masked_array([1, 1])),
        ValueError,
        "a masked array",
    ),
    (lambda: stage2.rank(SCORES, OFFSETS, relevance=MASKED), ValueError, "relevance: a masked"),
    (lambda: stage2.rank([1e300, 0.0], [0, 2]), ValueError, r"scores: 1e\+300 is beyond float32"),
    (lambda: stage2.rank([math.nan, 0.0], [0, 2]), ValueError, "score 0 of list 0 is NaN"),
    (lambda: stage2.rank([math.inf, 0.0], [0, 2]), ValueError, "score 0 of list 0 is inf"),
    (lambda: stage2.rank(SCORES + 1j, OFFSETS), ValueError, "scores: items of type complex64"),
    (lambda: stage2.rank(["a"], [0, 1]), ValueError, "scores: items of type <U1"),
    (lambda: stage2.rank(None, OFFSETS), ValueError, "scores: items of type object"),
    (lambda: stage2.rank([[1.0], [1.0, 2.0]], OFFSETS), ValueError, "scores: "),
    (lambda: stage2.rank(SCORES[:, None], OFFSETS), TypeError, "with 1 dimension, not an array of"),
    (lambda: stage2.rank(np.float32(1), OFFSETS), ValueError, "do not cut up the scores"),
    (lambda: stage2.rank(SCORES, OFFSETS, relevance=-SCORES), ValueError, "a finite number from 0"),
    (lambda: stage2.rank(SCORES, OFFSETS, relevance=[math.nan] * 6), ValueError, "is NaN"),
    (lambda: _core.kendall_tau(np.float32([math.nan, 1]), np.array([0, 2])), ValueError, "is NaN"),
    (lambda: _core.order(np.float32([math.nan, 1]), np.array([0, 2])), ValueError, "is NaN"),
    # Search.
    (lambda: stage2.topk(VECTORS, VECTORS, 3.0), ValueError, "k is 3.0; expected a whole number"),
    (lambda: stage2.topk(VECTORS, VECTORS, 0), ValueError, "k is 0; expected 1 or more"),
    (lambda: stage2.topk(VECTORS, VECTORS, 7), ValueError, "the 7 best of 6 rows"),
    (lambda: stage2.topk(VECTORS, VECTORS, 1, distance="cosine"), ValueError, "or None"),
    (lambda: stage2.topk(VECTORS, VECTORS, 2**62), ValueError, "best of 6 rows"),
    (lambda: stage2.topk(VECTORS, VECTORS, 2**64), ValueError, "k is 18446744073709551616; exp"),
    (lambda: stage2.topk(VECTORS, VECTORS, None), ValueError, "k is None; expected a whole number"),
    (lambda: stage2.topk(VECTORS[0], VECTORS, 1), ValueError, r"expected \(Q, d\) and \(N, d\)"),
    (lambda: stage2.topk(VECTORS, VECTORS[:, :3], 1), ValueError, "expected"),
    (lambda: stage2.topk(VECTORS[:, :0], VECTORS[:, :0], 1), ValueError, "vectors of width 0"),
    (lambda: stage2.topk(VECTORS, VECTORS[:0], 1), ValueError, "best of 0 rows"),
    (lambda: stage2.topk(VECTORS * np.nan, VECTORS, 1), ValueError, "row 0 of the queries has NaN"),
    (lambda: stage2.topk(VECTORS, VECTORS * np.nan, 1), ValueError, "row 0 of the corpus has NaN"),
    (lambda: stage2.topk(VECTORS, VECTORS * np.float64(1e200), 1), ValueError, "beyond float32"),
    (lambda: stage2.topk(np.ma.masked_array(VECTORS), VECTORS, 1), ValueError, "queries: a masked"),
    (lambda: stage2.topk(VECTORS, np.ma.masked_array(VECTORS), 1), ValueError, "corpus: a masked"),
    (lambda: stage2.topk(VECTORS, VECTORS.astype(object), 1), ValueError, "items of type object"),
    (lambda: stage2.topk(VECTORS, VECTORS, 1, memory_budget=0), ValueError, "memory_budget is 0"),
    (lambda: stage2.topk(VECTORS, VECTORS, 1, memory_budget=1.5), ValueError, "a whole number"),
    # Mining.
    (lambda: mined(Rules(absolute_margin=math.nan)), BadInputError, "absolute_margin is nan"),
    (lambda: mined(Rules(relative_margin=math.inf)), BadInputError, "relative_margin is inf"),
    (
        lambda: mined(Rules(relative_margin=-0.1)),
        BadInputError,
        "relative_margin is -0.1; expected",
    ),
    (lambda: mined(Rules(max_score=1e300)), BadInputError, r"max_score is 1e\+300; expected a fin"),
    (lambda: mined(Rules(min_score="0.5")), BadInputError, "min_score is '0.5'; expected a number"),
    (lambda: mined(Rules(min_score=True)), BadInputError, "min_score is True; expected a number"),
    (lambda: mined(Rules(min_score=1, max_score=0)), BadInputError, "no score lies between"),
    (lambda: mined(Rules(negatives=0)), BadInputError, "negatives is 0; expected 1 or more"),
    (
        lambda: mined(Rules(negatives=2.5)),
        BadInputError,
        "negatives is 2.5; expected a whole number",
    ),
    (lambda: mined(Rules(negatives=None)), BadInputError, "negatives is None; expected a whole"),
    (lambda: mined(Rules(range_min=-1)), BadInputError, "range_min is -1; expected 0 or more"),
    (lambda: mined(Rules(range_min=0.5)), BadInputError, "range_min is 0.5; expected a whole"),
    (lambda: mined(Rules(range_max=1.5)), BadInputError, "range_max is 1.5; expected a whole"),
    (lambda: mined(Rules(range_min=3, range_max=3)), BadInputError, "the window of ranks"),
    (lambda: mined(Rules(sampling="all")), BadInputError, "sampling is 'all'; expected top or"),
    (lambda: mined(Rules(seed=-1)), BadInputError, "seed is -1; expected 0 or more"),
    (lambda: mined(Rules(seed=2**64)), BadInputError, "seed is 18446744073709551616; expected at"),
    (lambda: mined_to(-1), ValueError, "depth is -1; expected 0 or more"),
    (lambda: mined(keys=["a"]), ValueError, "1 keys for 2 questions; expected one for each"),
    (lambda: mined(groups=[0, 1]), ValueError, "groups: an array of shape"),
    (lambda: mined(groups=np.zeros(6)), ValueError, "groups: numbers of type float64"),
    (lambda: mined(queries=VECTORS[0]), ValueError, r"queries: an array of shape \(4,\)"),
    (lambda: mined(corpus=np.ma.masked_array(VECTORS)), ValueError, "corpus: a masked array"),
    (
        lambda: mined(positives=Positives(np.array([0.5, 1]), OFFSETS)),
        ValueError,
        "positives.rows: numbers of type float64",
    ),
    (
        lambda: mined(positives=Positives(np.array([0, 6]), np.array([0, 1, 2]))),
        ValueError,
        "positives: rows from 0 to 6; expected from 0 to 5",
    ),
    (
        lambda: mined(positives=Positives(np.array([-1, 1]), np.array([0, 1, 2]))),
        ValueError,
        "positives: rows from -1 to 1",
    ),
    (
        lambda: mined(positives=Positives(np.array([0, 1]), np.array([0, 2]))),
        ValueError,
        "one more than there are questions",
    ),
    # Draws.
    (
        lambda: _core.sample_negatives(["a"], 2**62, 9, NONE, np.array([0, 0])),
        ValueError,
        "4611686018427387904 negatives asked for, but only 9 chunks",
    ),
    (
        lambda: _core.sample_negatives(["a", "b"], 2**62, 2**62, NONE, np.array([0, 0, 0])),
        MemoryError,
        "no memory for the negatives",
    ),
    (
        lambda: _core.sample_negatives(["a"], 1, 9, NONE, np.array([0, 0]), seed=-1),
        ValueError,
        "seed is -1; expected 0 or more",
    ),
    (
        lambda: _core.sample_negatives(["a"], 1, 9, NONE, np.array([0, 0]), seed=2**64),
        ValueError,
        r"seed is 18446744073709551616; expected less than 2\*\*64",
    ),
    (
        lambda: _core.sample_negatives(["a"], 1, 9, NONE, np.array([0, 0]), seed=0.5),
        TypeError,
        "seed is 0.5; expected a whole number",
    ),
    (lambda: _core.sample_negatives("a", 1, 9, NONE, np.array([0, 0])), TypeError, "not a str"),
    (lambda: _core.sample_negatives([1], 1, 9, NONE, np.array([0, 0])), TypeError, "str"),
    (lambda: _core.sample_negatives(["a"], 1, 9, NONE, OFFSETS), ValueError, "do not cut up"),
    # Texts.
    (lambda: stage2.match_annotations(None, ["a"]), TypeError, "Sequence"),
    (lambda: stage2.match_annotations(["a"], "a"), TypeError, "not a str"),
    (lambda: stage2.match_annotations([b"a"], ["a"]), TypeError, "str"),
    (lambda: stage2.match_annotations(["\ud800"], ["a"]), UnicodeEncodeError, "surrogates"),
    # The loss.
    (lambda: stage2.margin_ranking_loss([[1.0, 2.0]]), TypeError, "similarities is a list"),
    (lambda: stage2.margin_ranking_loss(torch.ones(2, 2, dtype=torch.int64)), TypeError, "int64"),
    (lambda: stage2.margin_ranking_loss(torch.ones(2)), BadInputError, r"expected \(B, N\)"),
    (
        lambda: stage2.margin_ranking_loss(torch.ones(1, 2), margin=math.nan),
        BadInputError,
        "margin",
    ),
    (
        lambda: stage2.margin_ranking_loss(torch.ones(1, 2), mask=[[True]]),
        TypeError,
        "mask is a li",
    ),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_makes_no_sense_is_refused_in_a_sentence(number: int):
    call, kind, message = REFUSED[number]
    with pytest.raises(kind, match=message):
        call()


def test_numbers_of_any_integer_type_count(corpus):
    expected = stage2.rank(SCORES, OFFSETS, 2).rank.tolist()
    for count in (np.int64(2), np.uint8(2), np.array(2), [2, 2], np.array([2, 2], np.int16)):
        assert stage2.rank(SCORES, OFFSETS.astype(np.uint32), count).rank.tolist() == expected
    assert stage2.topk(VECTORS, VECTORS, np.int32(2))[0].shape == (6, 2)
    narrow = Positives(*(part.astype(np.int32) for part in (ONE_EACH.rows, ONE_EACH.offsets)))
    assert mined(positives=narrow) == mined()
    assert mined(groups=np.arange(6, dtype=np.uint8)) == mined()
    numbers = Rules(np.int64(2), np.int8(0), seed=np.uint64(2**64 - 1), max_score=np.float32(2))
    assert mined(numbers) == mined(Rules(2, max_score=2.0))
    data = stage2.Dataset.load(corpus["qa"], corpus["chunks"])
    first = data.construct(np.int64(2), np.uint64(7))
    assert first.candidates.tolist() == data.construct(2, 7).candidates.tolist()
    assert len(data.construct(2, seed=2**64 - 1)) == data.num_qa
    for seed in (-1, 2**64, 10**5000):
        with pytest.raises(ValueError, match=r"seed is .*; expected"):
            data.construct(2, seed)
    with pytest.raises(TypeError, match=r"negatives is 2\.0; expected a whole number"):
        data.construct(2.0)
    with pytest.raises(ValueError, match="negatives asked for"):
        data.construct(2**62)


def test_numbers_larger_than_all_there_is_are_as_good_as_all():
    everything = mined(Rules(negatives=6))
    for huge in (2**40, 2**62):
        assert mined(Rules(negatives=huge)) == everything
        assert mined(Rules(negatives=6, range_max=huge)) == everything
        assert mined(Rules(range_min=huge)) == []
    ranking = stage2.rank(SCORES, OFFSETS)
    assert ranking.success(2**63).tolist() == [1, 1]
    assert ranking.ndcg(2**62).tolist() == ranking.ndcg(3).tolist()


@pytest.mark.parametrize("largest", [1e308, 1.7e308, 1e-308, 5e-324, 1.0])
def test_gains_of_any_size_are_compared_as_ratios(largest: float):
    grades = np.array([1, 0, 0.5, 1, 1, 0])
    expected = stage2.rank(SCORES, OFFSETS, relevance=(grades > 0) * 1.0)
    found = stage2.rank(SCORES, OFFSETS, relevance=(grades > 0) * largest)
    for k in (1, 3):
        np.testing.assert_allclose(found.ndcg(k), expected.ndcg(k), rtol=1e-14)
    means, expected_means = found.metrics(), expected.metrics()
    assert means.pop("chance") == pytest.approx(expected_means.pop("chance"), rel=1e-14)
    assert means == pytest.approx(expected_means, rel=1e-14)
    if largest >= 1:
        graded = stage2.rank(SCORES, OFFSETS, relevance=grades * largest).ndcg(3)
        moderate = stage2.rank(SCORES, OFFSETS, relevance=grades).ndcg(3)
        np.testing.assert_allclose(graded, moderate, rtol=1e-14)


def layouts(array: np.ndarray) -> dict[str, np.ndarray]:
    """Return the same numbers in other memory layouts."""
    shape, item = array.shape, array.itemsize
    record = np.zeros(shape, [("before", "u1"), ("value", array.dtype)])
    record["value"] = array
    shifted = np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:].view(np.uint8)
    unaligned = np.ndarray(shape, array.dtype, buffer=shifted.data, offset=0)
    spread = np.repeat(array, 2, axis=0)[::2]
    backwards = array[::-1].copy()[::-1]
    assert record["value"].strides[-1] % item
    return {
        "as a field": record["value"],
        "unaligned": unaligned,
        "spread": spread,
        "backwards": backwards,
        "by columns": np.asfortranarray(array),
        "read-only": np.broadcast_to(array, shape),
    }


@pytest.mark.parametrize("layout", layouts(VECTORS))
def test_arrays_may_lie_in_memory_in_any_way(layout: str):
    wide = np.random.default_rng(0).standard_normal((12, 8), np.float32)
    vectors, scores, offsets = (layouts(part)[layout] for part in (wide, SCORES, OFFSETS))
    for found, expected in (
        (_core.topk(vectors, vectors, 3), _core.topk(wide, wide, 3)),
        ([_core.order(scores, offsets)], [_core.order(SCORES, OFFSETS)]),
        ([_core.rank(scores, offsets).rank], [_core.rank(SCORES, OFFSETS).rank]),
        (
            [_core.similarities(vectors, vectors, offsets, np.arange(13).clip(0, 3))],
            [_core.similarities(wide, wide, OFFSETS, np.arange(13).clip(0, 3))],
        ),
    ):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


# A good value for each argument of the core's functions, by its name.
GOOD: dict[str, Any] = {
    "queries": VECTORS,
    "corpus": VECTORS,
    "k": 2,
    "distance": "euclidean",
    "rows": np.arange(6),
    "offsets": OFFSETS,
    "scores": SCORES,
    "num_relevant": 1,
    "relevance": None,
    "ties": "expected",
    "tie_keys": None,
    "texts": ["a text"],
    "text": "a text",
    "threshold": 0.5,
    "progress": None,
    "above": np.array([0, 1]),
    "equal": np.array([1, 2]),
    "columns": {"n": np.arange(3), "text": ["a", "b", "c"]},
    "starts": np.arange(3),
    "lengths": np.array([3, 3]),
    "gains": None,
    "annotation_texts": ["a text"],
    "qa_ids": ["a", "b"],
    "n": 1,
    "total": 6,
    "excluded": NONE,
    "excluded_offsets": np.zeros(3, np.int64),
    "seed": 0,
    "found": (np.zeros((2, 1), np.int64), np.zeros((2, 1), np.float32)),
    "positives": (np.arange(2), np.ones(2, np.float32), np.arange(3)),
    "groups": None,
    "keys": ["a", "b"],
    "rules": {
        "negatives": 1, "range_min": 0, "range_max": 9, "absolute_margin": None,
        "relative_margin": None, "max_score": None, "min_score": None, "seed": 1,
    },
    "path": "nowhere/file",
    "spans": np.zeros((0, 2), np.int64),
    "labels": [],
    "qrels": ["/nowhere"],
    "entities": None,
    "join_titles": True,
    "memory_map": True,
    "on_error": "strict",
    "max_decompressed": None,
}  # fmt: skip
ODD = [
    None, True, -1, 0, 2**62, 2**63, 2**64, 10**400, 0.5, math.nan, "", "x", b"x", [], [None], {},
    object(), np.int64(1), np.float64(0.5), np.bool_(True), np.array(1), np.array([]), MASKED,
    np.array([1, 2], np.int32), np.array([0.5, math.nan]), np.zeros((2, 2), np.int64),
    np.full(6, -(2**63)), np.full(3, 2**63 - 1), np.full(6, np.nan, np.float32), VECTORS[:, ::2],
    np.array(["a"]), np.array([object()]), np.zeros((0, 4), np.float32), np.array([1 + 1j]),
]  # fmt: skip
FUNCTIONS = [
    "topk", "similarities", "cross_similarities", "rank", "order", "kendall_tau",
    "match_annotations", "sample_negatives", "select_negatives", "load_chunks", "load_qrels",
    "near_duplicates", "numbered", "read_bytes", "same_text", "shingles", "table", "text_key",
    "write_annotations", "Ranking.from_counts",
]  # fmt: skip


def assert_no_panic(call: Callable[[], object], what: object) -> None:
    """Check that a call returns or raises an exception with a message. A panic is no Exception."""
    said = "an answer"
    try:
        call()
    except Exception as error:
        said = str(error)
    assert said, what


def test_every_function_is_tried():
    public = {name for name in dir(_core) if not name.startswith("_")}
    functions = {name for name in public if inspect.isroutine(getattr(_core, name))}
    assert functions == {name for name in FUNCTIONS if "." not in name}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nothing_panics(name: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = operator.attrgetter(name)(_core)
    parameters = list(inspect.signature(function).parameters)
    good = {parameter: GOOD[parameter] for parameter in parameters}
    if name == "similarities":
        good["offsets"] = np.arange(7)
    if name == "numbered":
        good["keys"] = OFFSETS
    if name == "load_qrels":
        good |= {"queries": "/nowhere", "corpus": "/nowhere"}
    if name == "write_annotations":
        good["offsets"] = np.zeros(2, np.int64)
        (tmp_path / "nowhere").mkdir()
    if not name.startswith(("load_", "read_")):
        function(**good)
    for parameter in parameters:
        for odd in ODD:
            changed = [{**good, parameter: odd}]
            if isinstance(good[parameter], tuple):
                parts = good[parameter]
                tuples = [(*parts[:i], odd, *parts[i + 1 :]) for i in range(len(parts))]
                changed += [{**good, parameter: part} for part in tuples]
            if isinstance(good[parameter], dict):
                rules = [{**good[parameter], rule: odd} for rule in good[parameter]]
                changed += [{**good, parameter: rule} for rule in rules]
            for arguments in changed:
                assert_no_panic(lambda given=arguments: function(**given), (parameter, odd))


def test_nothing_panics_in_methods(corpus, tmp_path):
    data = stage2.Dataset.load(corpus["qa"], corpus["chunks"], corpus["entities"])
    samples = data.construct(2)
    ranking = stage2.rank(SCORES, OFFSETS)
    names = tmp_path / "names.txt"
    names.write_text("a name\n")
    calls: list[Callable[[Any], object]] = [
        data.construct,
        lambda odd: data.construct(2, odd),
        lambda odd: data.with_negatives(odd, np.zeros(data.num_qa + 1, np.int64)),
        lambda odd: data.with_negatives(NONE, odd),
        data.take,
        samples.take,
        data.chunk_text,
        data.chunk_ids.take,
        data.chunk_ids.select,
        stage2._core.DistinctTexts,
        stage2._core.DistinctTexts().add,
        data.chunk_ids.__getitem__,
        data.chunk_ids.__contains__,
        data.chunk_ids.index,
        data.chunk_ids.count,
        lambda odd: data.chunk_ids[:odd:odd],
        data.annotations.spans_for,
        data.annotations.matched,
        lambda odd: samples.write_jsonl(tmp_path / "out", odd),
        samples.write_jsonl,
        samples.write_rejected,
        ranking.take,
        ranking.concat,
        ranking.success,
        ranking.recall,
        ranking.ndcg,
        ranking.metrics,
        lambda odd: ranking.metrics([odd]),
        lambda odd: ranking.metrics(recall_at=odd),
        lambda odd: ranking.metrics(recall_at=[odd]),
        stage2.Dataset.load,
        lambda odd: stage2.Dataset.load(corpus["qa"], corpus["chunks"], odd),
        lambda odd: stage2.Dataset.load(corpus["qa"], corpus["chunks"], None, odd),
        lambda odd: stage2.Dataset.load(corpus["qa"], corpus["chunks"], max_decompressed=odd),
        stage2.Samples.load_jsonl,
        stage2.Annotations.load,
        stage2.Gazetteer.load,
        lambda odd: stage2.Gazetteer.load(names, ignore_case=odd),
        lambda odd: stage2.Gazetteer.load(names, unicode_form=odd),
        lambda odd: stage2.Gazetteer.load(names, min_length=odd),
        lambda odd: stage2.Gazetteer.load(names, on_error=odd, max_decompressed=odd),
        stage2.Gazetteer.load(names).find,
        lambda odd: stage2.rank(odd, OFFSETS),
        lambda odd: stage2.rank(SCORES, odd),
        lambda odd: stage2.rank(SCORES, OFFSETS, odd),
        lambda odd: stage2.rank(SCORES, OFFSETS, relevance=odd),
        lambda odd: stage2.rank(SCORES, OFFSETS, ties="trec_eval", tie_keys=odd),
        lambda odd: stage2.topk(odd, VECTORS, 1),
        lambda odd: stage2.topk(VECTORS, odd, 1),
        lambda odd: stage2.topk(VECTORS, VECTORS, odd),
        lambda odd: mined(queries=odd),
        lambda odd: mined(corpus=odd),
        lambda odd: mined(groups=odd),
        lambda odd: mined(keys=odd),
        mined_to,
        lambda odd: mined(positives=Positives(odd, ONE_EACH.offsets)),
        lambda odd: mined(positives=Positives(ONE_EACH.rows, odd)),
    ]
    folder = tmp_path / "here"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for i, call in enumerate(calls):
            for odd in ODD:
                assert_no_panic(lambda call=call, odd=odd: call(odd), (i, odd))
