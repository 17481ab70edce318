"""The quality of rankings: ranks, metrics, significance tests and the verdict."""
