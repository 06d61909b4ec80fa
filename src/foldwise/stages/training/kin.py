"""Which extra rows are kin to rows they must be kept from: copies, or rows of one group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from foldwise.auditing.several import find_among_samples
from foldwise.config.writing import fingerprint
from foldwise.data.fold_groups import merge_groups
from foldwise.data.hashes import near_pairs
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.samples import Samples
from foldwise.stages.audit import thumbnails
from foldwise.tasks.extra_rows import all_rows
from foldwise.tasks.problem import Problem

#: Raised whenever other images would count as copies than before.
_VERSION = 2


@dataclass(frozen=True)
class Kin:
    """What hangs together, of all rows: those of train, then of test, then external ones.

    Attributes:
        copies: (A,) int64, rows of which any images are exact or confirmed near duplicates
            share a number.
        groups: (A,) int64, the same, and rows that agree in a group column.
    """

    copies: np.ndarray
    groups: np.ndarray

    def of(self, rows: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether each of some rows is a copy of one of the others, and whether in their groups.

        Args:
            rows: (n,) positions among all rows.
            others: (m,) positions.

        Returns:
            Two (n,) bool; a copy is in the group as well.
        """
        is_copy = np.isin(self.copies[rows], self.copies[others])
        return is_copy, np.isin(self.groups[rows], self.groups[others])


def find_kin(problem: Problem) -> Kin:
    """What hangs together among all rows; duplicates are looked for once and kept on disk."""
    every = all_rows(problem)
    names = problem.competition.columns.group
    known = [np.array(every.cells(name), dtype=object) for name in names if name in every.columns]
    copies = _copies(problem, every)
    return Kin(copies, merge_groups(*known, copies))


def pass_on_copies(problem: Problem, stamp: Path) -> None:
    """Write what is known of copies where the same rows are, without images or external data.

    Args:
        problem: that knows them, or finds them now.
        stamp: of the copies, in the other competition.
    """
    own = all_rows(replace(problem, external=None))
    copies = find_kin(problem).copies[: len(own)]
    publish_json(stamp, {"inputs": _inputs(own), "copies": copies.tolist()})


def _copies(problem: Problem, every: Samples) -> np.ndarray:
    inputs, path = _inputs(every), problem.home.stamp("copies")
    stored = read_json(path)
    if stored is None or stored["inputs"] != inputs:
        thumbs = thumbnails(problem.home, every.every_image())
        found = find_among_samples(every, thumbs, near_pairs)
        stored = {"inputs": inputs, "copies": found.groups.tolist()}
        publish_json(path, stored)
    return np.array(stored["copies"], dtype=np.int64)


def _inputs(every: Samples) -> list[int | str]:
    return [_VERSION, fingerprint([*every.ids, *every.image_hashes.ravel()])]
