"""Sections, charts, pictures and templates of the report."""
