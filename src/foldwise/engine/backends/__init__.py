"""Backends: what runs a trained network's forward pass, checked against PyTorch and chosen by time.

`choose_backend` times all of them on the machine at hand; `opened` runs one of them for `infer`.
"""

from foldwise.engine.backends.checking import TOLERANCE, opened
from foldwise.engine.backends.choosing import choose_backend
from foldwise.engine.backends.making import BACKENDS
from foldwise.engine.backends.trial import BackendTrial, Candidate, trial_key

__all__ = [
    "BACKENDS",
    "TOLERANCE",
    "BackendTrial",
    "Candidate",
    "choose_backend",
    "opened",
    "trial_key",
]
