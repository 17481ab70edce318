"""From texts to vectors: the encoder, tokens, batches, the cache and the similarity."""
