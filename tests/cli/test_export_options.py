"""The flags of an export that are no settings."""

from __future__ import annotations

import pytest

from stage2.cli.export_options import Options
from stage2.utils.errors import BadInputError
from stage2.variants import EXPORTS


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options("trec", kind="parquet"), "it works with --to pairs"),
        (Options("pairs", kind="npy"), "--as npy has no effect here: it works with --to embedd"),
        (Options("pairs", depth=3), "--depth 3 has no effect here: it works with --to trec"),
        (Options("trec", questions="all"), "--questions all has no effect here"),
        (Options("sentence-transformers", kind="jsonl"), "--as jsonl has no effect here"),
    ],
)
def test_a_flag_without_an_effect_is_refused(options: Options, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        options.check()


def test_the_first_kind_is_the_default() -> None:
    for name, export in EXPORTS.items():
        Options(name).check()
        for kind in export.kinds:
            Options(name, kind).check()
    kinds = {name: Options(name).file_kind for name in ("embeddings", "pairs", "tevatron")}
    assert kinds == {"embeddings": "npy", "pairs": "jsonl", "tevatron": "jsonl"}
