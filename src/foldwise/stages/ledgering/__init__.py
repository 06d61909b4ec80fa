"""Helpers of the ledger stage: its rows, where they are stored, and files of scores."""
