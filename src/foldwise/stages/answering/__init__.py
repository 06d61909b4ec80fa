"""Helpers of the answer stage: what a pack runs, in which order, and what it hands in meanwhile."""
