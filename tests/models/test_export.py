"""The table of exports."""

from __future__ import annotations

from importlib import import_module

from stage2.variants import EXPORTS


def test_every_export_has_its_module() -> None:
    for name in EXPORTS:
        module = import_module(f"stage2.models.export.{name.replace('-', '_')}")
        assert callable(module.write)
