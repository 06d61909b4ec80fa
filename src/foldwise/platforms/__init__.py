"""Platforms that hold competitions: what they know is asked through their own clients."""
