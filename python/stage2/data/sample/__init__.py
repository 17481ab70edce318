"""The built-in sample, made from the handbook of an invented firm."""
