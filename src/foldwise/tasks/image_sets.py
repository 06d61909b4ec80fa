"""Which images a network is fed for each sample: its own ones, and neighbouring frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.config.describing import nearest
from foldwise.config.network import InputConfig
from foldwise.data.frames import frame_rows
from foldwise.errors import ConfigError, DataError
from foldwise.samples import Samples
from foldwise.tasks.problem import Problem
from foldwise.tasks.sequences import (
    known_folds,
    named_sequence,
    read_sequences,
    sequence_columns,
)


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
    columns = sequence_columns(problem, config.frames.sequence, key="input.frames")
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


def _neighbours(problem: Problem, columns: Sequence[str], offsets: Sequence[int]) -> np.ndarray:
    """(N, F) positions in the problem's samples, train rows first."""
    sequences, order = read_sequences(problem, columns, key="input.frames")
    num_train = len(problem.train)
    train = frame_rows(sequences[:num_train], order[:num_train], offsets)
    return np.concatenate([train, frame_rows(sequences, order, offsets)[num_train:]])


def _check_folds(problem: Problem, rows: np.ndarray, columns: Sequence[str]) -> None:
    """Refuse neighbours in other folds, as only folds that were not made by `split` can have."""
    folds = known_folds(problem)
    if folds is None:
        return
    own, others = np.broadcast_to(folds[:, None], rows.shape), folds[rows]
    torn = np.flatnonzero(((own != others) & (own >= 0) & (others >= 0)).any(axis=1))
    if len(torn):
        found = sorted(set(others[torn[0]].tolist()))
        where = named_sequence(problem.train, columns, int(torn[0]))
        raise DataError(
            f"{problem.home.folds}: {where} lies in folds {', '.join(map(str, found))}: "
            "input.frames would show held-out images in training",
            remedy="keep each sequence in one fold, as `foldwise split` does, or take "
            "input.frames out",
        )
