"""Search over a corpus, hard negatives, and the audit of negatives."""
