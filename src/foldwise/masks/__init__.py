"""Masks as runs: coded from pixels and back, read from text, compared without pixels."""

#: The value of pixels that are not counted, neither in training nor in a score.
IGNORED = 255
