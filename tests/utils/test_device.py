"""The precision depends on the instructions of the processor."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from stage2.utils import device, files
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags

CPU = torch.device("cpu")


@pytest.fixture
def having(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    device._warn_of_emulation.cache_clear()
    yield monkeypatch
    device._warn_of_emulation.cache_clear()


def give(patch: pytest.MonkeyPatch, *names: str) -> None:
    patch.setattr(device, "cpu_features", lambda: dict.fromkeys(names, True))


@pytest.mark.parametrize(
    ("instructions", "vendor", "expected"),
    [
        ((), "AuthenticAMD", torch.float32),
        (("avx512_f", "avx2"), "AuthenticAMD", torch.float32),
        (("avx512_bf16",), "AuthenticAMD", torch.bfloat16),
        (("avx512_bf16",), "", torch.bfloat16),
        (("avx512_bf16",), "GenuineIntel", torch.float32),
        (("avx512_bf16", "amx_bf16", "amx_tile"), "GenuineIntel", torch.bfloat16),
        (("amx_bf16", "amx_tile"), "", torch.bfloat16),
        (("avx512_fp16", "amx_fp16"), "GenuineIntel", torch.float32),
    ],
)
def test_auto_looks_at_the_cpu(
    having: pytest.MonkeyPatch, instructions: tuple[str, ...], vendor: str, expected: torch.dtype
) -> None:
    give(having, *instructions)
    having.setattr(device, "cpu_vendor", lambda: vendor)
    assert device.resolve_precision("auto", CPU) == expected


def test_auto_looks_at_the_gpu(having: pytest.MonkeyPatch) -> None:
    for has in (True, False):
        having.setattr(torch.cuda, "is_bf16_supported", lambda *, including_emulation, has=has: has)
        found = device.resolve_precision("auto", torch.device("cuda"))
        assert found == (torch.bfloat16 if has else torch.float32)


def test_emulated_bf16_is_given_with_one_warning(
    having: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    give(having)
    for _ in range(3):
        assert device.resolve_precision("bf16", CPU) == torch.bfloat16
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("--precision bf16")


def test_bf16_with_instructions_warns_of_nothing(
    having: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    give(having, "avx512_bf16")
    device.resolve_precision("bf16", CPU)
    assert not caplog.records


def test_fp16_needs_instructions_on_a_cpu(having: pytest.MonkeyPatch) -> None:
    give(having, "avx512_bf16")
    with pytest.raises(BadInputError, match="avx512_fp16 or amx_fp16"):
        device.resolve_precision("fp16", CPU)
    give(having, "avx512_fp16")
    assert device.resolve_precision("fp16", CPU) == torch.float16
    assert device.resolve_precision("fp16", torch.device("cuda")) == torch.float16


def test_flags_of_cpuinfo() -> None:
    text = (
        "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: x\n"
        "flags\t\t: fpu avx512_bf16 amx_tile\n\nprocessor\t: 1\n"
    )
    assert (device.vendor_of(text), device.vendor_of("")) == ("GenuineIntel", "")
    assert device.features_of(text) == {"fpu": True, "avx512_bf16": True, "amx_tile": True}
    assert device.features_of("") == {}


def test_torch_and_linux_agree() -> None:
    found = device.cpu_features()
    flags = device.features_of(device._read(device.CPUINFO))
    names = [name for names in device.INSTRUCTIONS.values() for name in names]
    for name in names:
        if flags and name in found:
            assert bool(found[name]) == (name in flags)


def test_without_torchs_answer_linux_is_asked(having: pytest.MonkeyPatch) -> None:
    expected = device.features_of(device._read(device.CPUINFO))
    having.delattr(torch.cpu, "get_capabilities", raising=False)
    device.cpu_features.cache_clear()
    try:
        assert device.cpu_features() == expected
    finally:
        device.cpu_features.cache_clear()


def test_precisions_have_the_names_that_they_are_asked_for_by() -> None:
    assert [device.describe(dtype) for dtype in device.DTYPES.values()] == list(device.DTYPES)


def test_what_a_run_says_and_records(
    stage2: Stage2, corpus: dict, model_dir, tmp_path, having: pytest.MonkeyPatch
) -> None:
    give(having, "avx512_bf16", "amx_bf16")
    result = stage2("mine", "--model", model_dir, *data_flags(corpus))
    assert "the model runs on cpu in bf16" in result.stderr
    assert files.read_json(tmp_path / "out" / files.RUN)["precision"] == "bf16"


@pytest.mark.parametrize("command", ["train", "run"])
def test_training_in_fp16_is_refused_on_a_cpu(stage2: Stage2, tmp_path, command: str) -> None:
    result = stage2(command, "--precision", "fp16", "--device", "cpu", exit_code=2)
    assert "--precision fp16 trains on a GPU alone" in result.output
    assert not (tmp_path / "out").exists()
