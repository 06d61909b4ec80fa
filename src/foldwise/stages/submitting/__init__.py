"""Submission files: their shape, cells and checks, and which run is handed in."""
