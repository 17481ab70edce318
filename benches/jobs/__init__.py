"""One module a job: `measure(bench)` yields what was found."""
