"""The lines have trec_eval's form."""

from __future__ import annotations

import numpy as np

from stage2.data.trec import Found, Run
from stage2.evaluation.trec_eval import evaluate_run, wanted_measures
from stage2.report.trec_eval_table import lines


def test_the_table_has_trec_evals_form() -> None:
    run = Run("tag", {"q": Found(["a", "b"], np.ones(2, np.float32))})
    table = evaluate_run(run, {"q": {"a": 1}}, wanted_measures(["num_q", "P.1"]))
    assert lines("tag", table, per_query=True) == [
        "P_1                   \tq\t0.0000",
        "runid                 \tall\ttag",
        "num_q                 \tall\t1",
        "P_1                   \tall\t0.0000",
    ]
    assert lines("tag", table, expected=True)[-1] == "P_1                   \tall\t0.0000\t0.5000"
    assert table.tied == 1
