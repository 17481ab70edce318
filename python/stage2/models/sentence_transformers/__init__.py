"""Encoders in the usual layouts: folders of sentence-transformers and of Hugging Face."""
