"""Questions, chunks and entities, in data sets, samples and splits."""
