"""Helpers of the prove stage: a fresh environment, a strange machine, and what came out of it."""
