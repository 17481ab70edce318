"""Models on disk and on the hub, and the families of models that can be read."""
