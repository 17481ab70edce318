"""Commands are killed, starved and disturbed; the same command must then repair everything.

    python -m tests.torture            everything; it takes minutes and prints a table
    python -m tests.torture --short    a few points of each command

A process that has loaded all modules forks for each command, so that no command waits for imports.
The child counts every change on disk, and causes the disturbance before one of them.
"""

import os

# This stands before the import of torch: a process whose threads wait does not survive its fork.
os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
