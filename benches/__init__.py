"""Benchmarks of each job against its best peers: `make bench`."""
