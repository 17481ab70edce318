"""Training: losses, one step, the loop, its state, and the choice of the model to ship."""
