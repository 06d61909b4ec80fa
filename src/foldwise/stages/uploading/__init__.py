"""Helpers of push and submit: what goes to a platform, once, and what is waited for there."""
