"""Losses, one step, the loop, its state, and the choice among what was trained."""
