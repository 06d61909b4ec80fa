"""Helpers of the session stage: what is mounted, the clock, training and saving as processes."""
