"""Lines of TREC, read back by pytrec_eval, which orders ties as trec_eval does."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from stage2 import rank
from stage2.evaluation.trec import Names, check_ids, qrels_lines, run_lines
from stage2.utils.errors import BadInputError

IDS = st.lists(
    st.text(st.sampled_from("aB1é日-"), min_size=1, max_size=3), min_size=2, max_size=9, unique=True
)


@given(IDS, st.data())
def test_ranks_are_those_by_which_pytrec_eval_measures(ids: list[str], data: st.DataObject) -> None:
    """Few scores make many ties; large and tiny ones must come back as the same float32."""
    pool = st.sampled_from([0.1, 0.100001, -3.5, 1e-06, 12345.678, 0.0])
    drawn = data.draw(st.lists(pool, min_size=len(ids), max_size=len(ids)))
    scores, names = np.array(drawn, np.float32), Names.of(ids)
    order = names.order(np.arange(len(ids)), scores)
    lines = list(run_lines("q", order, scores[order], names, "tag"))
    run = pytrec_eval.parse_run(lines)
    assert run == {"q": dict(zip(ids, map(float, map(str, scores)), strict=True))}
    qrels = pytrec_eval.parse_qrel(list(qrels_lines("q", ids[:1], None)))
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(run)
    written = next(int(line.split()[3]) for line in lines if line.split()[2] == ids[0])
    assert theirs["q"]["recip_rank"] == pytest.approx(1 / written)
    ours = rank(scores, [0, len(ids)], 1, ties="trec_eval", tie_keys=names.keys)
    assert ours.rank.tolist() == [written]


@pytest.mark.parametrize("wrong", ["", "a b", "a\tb", "a\u00a0b", " a"])
def test_ids_that_a_line_cannot_hold(wrong: str) -> None:
    check_ids("chunk", ["a", "é"])
    with pytest.raises(BadInputError, match="--to results"):
        check_ids("chunk", ["a", wrong])


def test_grades_are_whole_numbers() -> None:
    assert list(qrels_lines("q", ["a", "b"], [2.0, 1.0])) == ["q 0 a 2\n", "q 0 b 1\n"]
    with pytest.raises(BadInputError, match=r"is 0\.5, and a judgement of TREC"):
        list(qrels_lines("q", ["a"], [0.5]))
