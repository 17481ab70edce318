"""Search over a corpus, hard negatives, the audit of negatives."""
