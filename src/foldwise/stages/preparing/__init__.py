"""Helpers of `prepare`: which caches are made, and whether they hold what was written."""
