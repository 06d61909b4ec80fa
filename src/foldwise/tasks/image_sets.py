"""Which images a network is fed for each sample: its own ones, and neighbouring frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldwise.config.describing import nearest
from foldwise.config.network import FramesConfig, InputConfig
from foldwise.data.fold_order import read_order
from foldwise.data.folds_file import read_folds
from foldwise.data.frames import first_tie, frame_rows
from foldwise.errors import ConfigError, DataError
from foldwise.samples import Samples
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class ImageSets:
    """The images of each sample, as a recipe's input asks for them.

    Attributes:
        places: which of a sample's own images, counted from 0.
        stacks: (N, V) content hashes with those of the neighbours, frame by frame; None: there
            are no neighbours.
        row_of: id → row of `stacks`.
    """

    places: tuple[int, ...]
    stacks: np.ndarray | None
    row_of: Mapping[str, int]

    @property
    def num_images(self) -> int:
        """Images of a sample, frames included."""
        return len(self.places) if self.stacks is None else int(self.stacks.shape[1])

    @property
    def is_plain(self) -> bool:
        """Whether they are each sample's first image and no other."""
        return self.places == (0,) and self.stacks is None

    def hashes(self, samples: Samples) -> np.ndarray:
        """Content hashes of what the network is fed, (N, V), or (N,) where V is 1."""
        if self.is_plain:
            return samples.hashes
        if self.stacks is None:
            found = samples.image_hashes[:, self.places]
        else:
            found = self.stacks[[self.row_of[name] for name in samples.ids]]
        return found[:, 0] if found.shape[1] == 1 else found


def read_image_sets(problem: Problem, config: InputConfig) -> ImageSets:
    """The images of train and test samples.

    Neighbours of a train row are train rows of its sequence. Those of a test row are test rows;
    where its sequence lies in train as well, they are rows of both.

    Raises:
        ConfigError: no such images, or nothing says what a sequence and its order are.
        DataError: a sequence has two rows at one place, or lies in several folds.
    """
    places = image_places(problem, config)
    if config.frames is None:
        return ImageSets(places, None, {})
    columns = _sequence_columns(problem, config.frames)
    rows = _neighbours(problem, columns, config.frames.offsets)
    _check_folds(problem, rows[: len(problem.train)], columns)
    samples = problem.samples
    stacks = samples.image_hashes[:, places][rows].reshape(len(samples), -1)
    return ImageSets(places, stacks, {name: row for row, name in enumerate(samples.ids)})


def image_places(problem: Problem, config: InputConfig) -> tuple[int, ...]:
    """Which of a sample's own images are asked for, counted from 0.

    Raises:
        ConfigError: there are no such images.
    """
    known = problem.competition.images.names
    unknown = [name for name in config.images if name not in known]
    if not unknown:
        return tuple(known.index(name) for name in config.images or known) or (0,)
    near = nearest(unknown[0], known)
    raise ConfigError(
        f"there is no image {unknown[0]!r} of a sample"
        + (f"; did you mean {near}?" if near else ""),
        remedy=f"the images are {', '.join(known)}"
        if known
        else "each sample has one image: take input.images out, or name its images in "
        "images.columns or images.extensions in competition.yaml",
    )


def _sequence_columns(problem: Problem, config: FramesConfig) -> tuple[str, ...]:
    """The columns that tell sequences apart, checked together with the order's."""
    columns = problem.competition.columns
    found = config.sequence or columns.group
    if columns.order is None or not columns.group:
        lacks = "order" if columns.order is None else "group"
        raise ConfigError(
            f"competition.yaml says no columns.{lacks}",
            remedy="name the column that rises with time in columns.order, and the one whose "
            "rows belong together (video, track, volume) in columns.group",
        )
    if not set(found) & set(columns.group):
        raise ConfigError(
            f"{', '.join(found)}: none of them is in columns.group, so "
            "neighbours could lie in other folds",
            remedy=f"name {' or '.join(columns.group)} as well",
        )
    lacking = [
        f"{split} has no values in column {name}"
        for split, rows in (("train", problem.train), ("test", problem.test))
        for name in (*found, columns.order)
        if len(rows) and not _has_values(rows, name)
    ]
    if lacking:
        raise ConfigError(
            *lacking,
            remedy="take input.frames out: a network trained on neighbours needs them in train "
            "and in test",
        )
    return found


def _has_values(samples: Samples, name: str) -> bool:
    return name in samples.columns and any(samples.cells(name))


def _neighbours(problem: Problem, columns: Sequence[str], offsets: Sequence[int]) -> np.ndarray:
    """(N, F) positions in the problem's samples, train rows first."""
    sequences = _sequences(problem, columns)
    order = _order(problem, sequences)
    if (tie := first_tie(sequences, order)) is not None:
        first, second = problem.samples.ids[list(tie)]
        raise DataError(
            f"{first} and {second} are of one sequence "
            f"({_named(problem.samples, columns, tie[0])}) and at one place in its order",
            remedy="name the columns that tell them apart in input.frames.sequence: "
            f"[{', '.join(columns)}, ...], or correct columns.order",
        )
    num_train = len(problem.train)
    train = frame_rows(sequences[:num_train], order[:num_train], offsets)
    return np.concatenate([train, frame_rows(sequences, order, offsets)[num_train:]])


def _sequences(problem: Problem, columns: Sequence[str]) -> np.ndarray:
    """(N,) int64; -1 where all cells of the columns that are groups are empty."""
    samples = problem.samples
    cells = pd.DataFrame({name: samples.cells(name) for name in columns})
    groups = [name for name in columns if name in problem.competition.columns.group]
    is_alone = (cells[groups] == "").all(axis=1).to_numpy()
    numbers = cells.groupby(list(columns), sort=False).ngroup().to_numpy(dtype=np.int64)
    return np.where(is_alone, -1, numbers)


def _order(problem: Problem, sequences: np.ndarray) -> np.ndarray:
    """(N,) float64, 0 where a row is alone."""
    column = problem.competition.columns.order
    assert column is not None
    cells, order = problem.samples.cells(column), np.zeros(len(sequences))
    rows = np.flatnonzero(sequences >= 0)
    order[rows] = read_order([cells[row] for row in rows], column=column)
    return order


def _check_folds(problem: Problem, rows: np.ndarray, columns: Sequence[str]) -> None:
    """Refuse neighbours in other folds, as only folds that were not made by `split` can have."""
    if not problem.home.folds.exists():
        return
    known = read_folds(problem.home.folds)
    folds = np.array([known.get(name, -1) for name in problem.train.ids], dtype=np.int64)
    own, others = np.broadcast_to(folds[:, None], rows.shape), folds[rows]
    torn = np.flatnonzero(((own != others) & (own >= 0) & (others >= 0)).any(axis=1))
    if len(torn):
        found = sorted(set(others[torn[0]].tolist()))
        raise DataError(
            f"{problem.home.folds}: {_named(problem.train, columns, int(torn[0]))} lies in folds "
            f"{', '.join(map(str, found))}: input.frames would show held-out images in training",
            remedy="keep each sequence in one fold, as `foldwise split` does, or take "
            "input.frames out",
        )


def _named(samples: Samples, columns: Sequence[str], row: int) -> str:
    return ", ".join(f"{name} {samples.cells(name)[row]}" for name in columns)
