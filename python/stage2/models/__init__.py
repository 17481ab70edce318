"""Model files: what is at a path or under a hub id, and the families that can be read."""
