"""The lock of a model."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import stage2
from stage2.utils.errors import RunFailedError
from tests.small import TEXTS


def test_threads_get_the_vectors_that_one_alone_gets(model: stage2.ProbabilisticGBERTV4) -> None:
    """The lock is needed because precision, attention and packed weights change the model."""
    jobs = [(TEXTS[i % 8 :] + TEXTS[: i % 8], ("fp32", "bf16")[i % 2]) for i in range(8)]
    jobs = [(texts[: 1 + i], precision) for i, (texts, precision) in enumerate(jobs)]
    expected = [model.encode(texts, precision=precision).mu for texts, precision in jobs]
    ready = threading.Barrier(8)

    def work(number: int) -> list[bool]:
        ready.wait()
        return [
            np.array_equal(model.encode(texts, precision=precision).mu, right)
            for turn in range(6)
            for (texts, precision), right in [
                ((jobs + jobs)[number + turn], (expected + expected)[number + turn])
            ]
        ]

    with ThreadPoolExecutor(8) as pool:
        found = [same for part in pool.map(work, range(8)) for same in part]
    assert len(found) == 48
    assert all(found)
    assert model.backbone.config._attn_implementation == "sdpa"
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_model_in_training_embeds_for_its_own_thread_alone(
    model: stage2.ProbabilisticGBERTV4,
) -> None:
    with ThreadPoolExecutor(1) as pool, model.guard.training():
        assert len(model.encode(TEXTS)) == len(TEXTS)
        other = pool.submit(model.encode, TEXTS)
        with pytest.raises(RunFailedError, match="is being trained by another thread"):
            other.result()
        own = copy.deepcopy(model)
        assert own.guard is not model.guard
        assert len(pool.submit(own.encode, TEXTS).result()) == len(TEXTS)
    assert len(model.encode(TEXTS)) == len(TEXTS)
    assert pickle.loads(pickle.dumps(model.guard)).training
