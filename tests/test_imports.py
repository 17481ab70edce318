"""Nothing heavy is imported before it is needed, because users would wait for it at every call."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HELP = """
from stage2.cli.main import program
try:
    program([{words}])
except SystemExit as end:
    assert end.code == 0
"""

# The packages of the program itself. Some versions of Python need tomli, some systems colorama.
LIGHT = {"stage2", "click", "tomli", "tomli_w", "colorama"}


def packages(code: str) -> set[str]:
    """Return the packages that a fresh interpreter imports for the code, without Python's own."""
    listed = (
        "import sys\n"
        "there = set(sys.modules)\n"
        f"{code}\n"
        "import json\n"
        "print(json.dumps(sorted({*sys.modules} - there)), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", listed], capture_output=True, text=True, check=True
    )
    names = {name.partition(".")[0] for name in json.loads(result.stderr.splitlines()[-1])}
    return names - sys.stdlib_module_names


def test_the_package_imports_nothing_else() -> None:
    assert packages("import stage2") == {"stage2"}


@pytest.mark.parametrize("words", ["'--help'", "'run', '--help'", "'--version'"])
def test_help_waits_for_nothing_heavy(words: str) -> None:
    assert {"stage2", "click"} <= packages(HELP.format(words=words)) <= LIGHT


def test_what_is_imported_is_seen() -> None:
    assert {"torch", "numpy"} <= packages("import stage2; stage2.margin_ranking_loss")
