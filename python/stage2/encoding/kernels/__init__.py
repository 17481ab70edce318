"""Faster versions of parts of an encoder: attention, dropout, packed weights, no padding."""
