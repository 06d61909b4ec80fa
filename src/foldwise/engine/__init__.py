"""The computing core: fit, infer, features, checkpoints; it reads and writes no run folder."""
