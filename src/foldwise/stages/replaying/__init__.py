"""Replaying: what has changed since a submission, and making it again from what is kept of it."""
