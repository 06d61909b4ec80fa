"""Maps of a unit's rows on their way from the network into its files, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.maps.files import read_maps, write_maps
from foldwise.predictions import Predictions
from foldwise.samples import Samples

#: Takes maps in the order of their samples; called anew with all of them where memory runs out.
Keep = Callable[[Iterator[np.ndarray]], None]


def keep_maps(
    path: Path,
    samples: Samples,
    columns: tuple[str, ...],
    infer: Callable[[Keep], None],
    *,
    fold: int | None,
) -> Predictions:
    """Publish the maps of samples, then the table that says where they stand.

    Args:
        path: of the table; the maps stand beside it.
        samples: of the maps.
        columns: C names of classes.
        infer: gives what it is given the maps of all samples, (C, H, W) uint8 levels each.
        fold: that they were held out in; None: they are test rows.

    Returns:
        As the files have them.
    """
    place = path.with_suffix(".arrow")

    def keep(maps: Iterator[np.ndarray]) -> None:
        write_maps(place, len(columns), zip(samples.ids, maps, strict=True))

    if len(samples):
        infer(keep)
    else:
        keep(iter(()))
    # The table tells by checksums whether the maps beside it are those it was written for: were
    # it there while they change, it would be of others.
    path.unlink(missing_ok=True)
    folds = None if fold is None else np.full(len(samples), fold, np.int64)
    maps = read_maps(place)[1]
    predictions_file.write(path, Predictions(samples.ids, maps, columns, folds=folds, kind="map"))
    return predictions_file.read(path)
