"""Faster parts of an encoder: attention, dropout, packed weights, texts without padding."""
