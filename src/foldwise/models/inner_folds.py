"""Small stratified folds inside the training rows, with groups kept together."""

from __future__ import annotations

import numpy as np

from foldwise import seeding


def inner_folds(
    strata: np.ndarray, *, groups: np.ndarray | None, num_folds: int, seed: int
) -> np.ndarray:
    """Folds that share out each stratum evenly.

    Args:
        strata: (N,) int from 0, such as classes.
        groups: (N,) rows of one group share a fold, dealt by the group's commonest stratum.
        num_folds: at least 2; not more than there are groups or rows.
        seed: of the order in which groups are dealt.

    Returns:
        (N,) int64 in [0, num_folds).
    """
    labels = np.arange(len(strata)) if groups is None else groups
    _, unit = np.unique(labels, return_inverse=True)
    num_units = int(unit.max()) + 1
    counts = np.zeros((num_units, int(strata.max()) + 1), dtype=np.int64)
    np.add.at(counts, (unit, strata), 1)
    sizes = counts.sum(axis=1)
    chance = seeding.uniforms(seeding.key("inner folds", seed), np.arange(num_units), 1)[:, 0]
    # Strata one after the other, large groups first; then dealt like cards.
    order = np.lexsort((chance, -sizes, counts.argmax(axis=1)))
    fold_of_unit = np.empty(num_units, dtype=np.int64)
    fold_of_unit[order] = np.arange(num_units) % num_folds
    folds: np.ndarray = fold_of_unit[unit]
    return folds
