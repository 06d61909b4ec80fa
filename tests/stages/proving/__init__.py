"""Packs that are proved."""
