"""Encoders in the layouts that people have: sentence-transformers' and Hugging Face's folders."""
