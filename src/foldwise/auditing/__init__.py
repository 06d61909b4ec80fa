"""What is wrong with a data set before any training, and what any model must beat on it."""

from foldwise.auditing.references import REFERENCES

__all__ = ["REFERENCES"]
