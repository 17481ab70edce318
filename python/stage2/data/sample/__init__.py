"""The built-in sample, made from a small invented archive."""
