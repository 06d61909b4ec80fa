"""Scores with their intervals, errors, references and warnings."""
