"""The jobs, one in each module. Its `measure(bench)` yields the findings."""
