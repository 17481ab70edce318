"""The peak memory of a command, measured by a small process in between.

The memory of a large parent would count as the command's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence


def peak_memory(command: Sequence[str]) -> int:
    """Run a command, and return the peak of its resident memory in bytes.

    Raises:
        CalledProcessError: the command failed.
    """
    launcher = [sys.executable, "-S", "-I", __file__, *command]
    done = subprocess.run(launcher, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout)


def main(command: Sequence[str]) -> int:
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    print(usage.ru_maxrss * 1024)
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
