"""A slow and obvious version of everything that the core does.

Hypothesis compares the two. The code here is not fast, and it shares nothing with the core. Where
the two differ, one of them is wrong.
"""

from tests.reference.bm25 import bm25, bm25_tokens
from tests.reference.gazetteer import find_names, fold
from tests.reference.join import match_annotation, transfer_spans
from tests.reference.near_duplicates import near_duplicate_groups, shingles
from tests.reference.negatives import draw_negatives, select_negatives
from tests.reference.parsing import (
    lines,
    other_values,
    place_of,
    read_annotation,
    read_chunk,
    read_grades,
    read_question,
    read_rows,
    relevant_chunks,
    without_skippable_frames,
)
from tests.reference.qrels import read_qrels, read_query, read_titled_chunk
from tests.reference.ranking import (
    Metric,
    average_precision,
    by_trec_eval,
    counts,
    expected,
    first_place,
    kendall_tau,
    ndcg,
    recall,
)
from tests.reference.search import topk
from tests.reference.texts import numbered, same_text, shared_truths, text_key, view_texts
from tests.reference.unseen import unseen_truths

__all__ = [
    "Metric",
    "average_precision",
    "bm25",
    "bm25_tokens",
    "by_trec_eval",
    "counts",
    "draw_negatives",
    "expected",
    "find_names",
    "first_place",
    "fold",
    "kendall_tau",
    "lines",
    "match_annotation",
    "ndcg",
    "near_duplicate_groups",
    "numbered",
    "other_values",
    "place_of",
    "read_annotation",
    "read_chunk",
    "read_grades",
    "read_qrels",
    "read_query",
    "read_question",
    "read_rows",
    "read_titled_chunk",
    "recall",
    "relevant_chunks",
    "same_text",
    "select_negatives",
    "shared_truths",
    "shingles",
    "text_key",
    "topk",
    "transfer_spans",
    "unseen_truths",
    "view_texts",
    "without_skippable_frames",
]
