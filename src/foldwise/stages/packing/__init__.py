"""Helpers of the pack stage: the competition, wheels, an installer and a notebook."""
