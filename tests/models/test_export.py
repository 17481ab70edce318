"""The table of exports."""

from __future__ import annotations

from importlib import import_module

from stage2.cli.exports import WRITERS
from stage2.variants import EXPORTS


def test_every_export_of_a_model_has_its_module() -> None:
    for name, export in EXPORTS.items():
        if export.of == "model":
            module = import_module(f"stage2.models.export.{name.replace('-', '_')}")
            assert callable(module.write)
        else:
            assert callable(WRITERS[export.of])
