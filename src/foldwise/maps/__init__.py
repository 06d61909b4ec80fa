"""Maps: the probability of each class in every pixel, on disk and read sample by sample."""
