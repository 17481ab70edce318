"""How good a ranking is: ranks, metrics, tests of significance, the verdict."""
