"""Questions, chunks and entities: data sets, samples, splits."""
