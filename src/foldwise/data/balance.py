"""Ways to balance classes by name: how much each counts in all, and what is changed for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from foldwise import parts


def as_they_are(counts: np.ndarray) -> np.ndarray:
    """Each class counts as much as it has rows."""
    return counts.astype(np.float64)


def sampler(counts: np.ndarray) -> np.ndarray:
    """All classes are drawn equally often, with replacement."""
    return np.ones(len(counts))


def weights(counts: np.ndarray) -> np.ndarray:
    """The losses of all classes weigh equally much in all."""
    return np.ones(len(counts))


def effective_number(
    counts: np.ndarray, *, beta: Annotated[float, Field(ge=0, lt=1)] = 0.999
) -> np.ndarray:
    """A row's loss weighs 1 / the effective number of its class, (1 - beta^n) / (1 - beta).

    Args:
        counts: (C,) rows of each class.
        beta: 0 leaves rows alike; near 1 it comes to `weights`.

    Source: Cui et al. (2019), "Class-Balanced Loss Based on Effective Number of Samples", CVPR.
    """
    seen = counts > 0
    found = np.zeros(len(counts))
    found[seen] = counts[seen] * (1.0 - beta) / (1.0 - beta ** counts[seen])
    return found


def logit_adjustment(
    counts: np.ndarray, *, tau: Annotated[float, Field(gt=0, le=4)] = 1.0
) -> np.ndarray:
    """`tau` times the log share of each class is added to the logits, in training only.

    Args:
        counts: (C,) rows of each class.
        tau: 1 makes the logits those of equal classes; what is trained is the plain loss.

    Source: Menon et al. (2021), "Long-tail learning via logit adjustment", ICLR.
    """
    seen = counts > 0
    found = np.zeros(len(counts))
    found[seen] = counts[seen] ** (1.0 - tau)
    return found


@dataclass(frozen=True)
class Balance:
    """A way to balance classes.

    Attributes:
        mass: (C,) rows of each class → (C,) what each counts for in all, on any scale.
        acts_on: what is changed: the order rows are drawn in, their losses, or their logits.
    """

    mass: Callable[..., np.ndarray]
    acts_on: Literal["nothing", "order", "losses", "logits"]

    def row_weights(self, target: np.ndarray, num_classes: int) -> np.ndarray:
        """(n,) how much a row counts, or its chance to be drawn; mean 1."""
        counts = np.bincount(target, minlength=num_classes)
        found = self.mass(counts)[target] / counts[target]
        return np.asarray(found / found.mean())

    def log_ratio(self, target: np.ndarray, num_classes: int) -> np.ndarray:
        """(C,) log of a class's share of the rows over its share of the mass; 0 without rows."""
        counts = np.bincount(target, minlength=num_classes)
        seen = counts > 0
        mass = self.mass(counts)[seen]
        found = np.zeros(num_classes)
        found[seen] = np.log(counts[seen] / counts.sum() * (mass.sum() / mass))
        return found


def bind_balance(spec: parts.Spec) -> Balance:
    """A way to balance by name, its options bound.

    Raises:
        ConfigError: unknown name or option, or a wrong value.
    """
    found: Balance = parts.find(BALANCES, spec, what="imbalance")
    options: dict[str, Any] = parts.checked_options(
        found.mass, parts.options_of(spec), what=f"imbalance {parts.name_of(spec)}"
    )
    return Balance(partial(found.mass, **options), found.acts_on) if options else found


BALANCES = {
    "none": Balance(as_they_are, "nothing"),
    "sampler": Balance(sampler, "order"),
    "weights": Balance(weights, "losses"),
    "effective_number": Balance(effective_number, "losses"),
    "logit_adjustment": Balance(logit_adjustment, "logits"),
}
