"""ProbabilisticGBERTV4: the model of the reference experiment."""
