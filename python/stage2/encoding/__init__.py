"""Texts to vectors: the encoder that every room knows, tokens, batches, cache, similarity."""
