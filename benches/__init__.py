"""Each job of the core against its best peers: `make bench`."""
