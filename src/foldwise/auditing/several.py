"""Duplicates among samples of several images: samples that share an image belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from foldwise.auditing.duplicates import DuplicateReport, NearPairs, find_duplicates
from foldwise.auditing.links import Links
from foldwise.samples import Samples

#: Standard deviation in levels of 0-255 up to which a thumbnail shows nothing.
_FLAT_LEVELS = 2.0


def find_among_samples(
    samples: Samples,
    thumbs: np.ndarray,
    near_pairs: NearPairs,
    *,
    labels: Sequence[object] | None = None,
) -> DuplicateReport:
    """Duplicates among samples, which any image of theirs may show.

    Args:
        samples: N of V images each.
        thumbs: (V * N, 32, 32, 3) uint8, in the order of `Samples.every_image`.
        near_pairs: as `find_duplicates` calls it.
        labels: of each sample, None where unknown; None: no label conflicts are looked for.

    Returns:
        What `find_duplicates` found, its rows being samples.
    """
    images, num, has_several = samples.every_image(), len(samples), samples.num_images > 1
    rows = np.arange(len(images))
    if has_several:
        rows = telling_images(thumbs)
        images, thumbs = images.take(rows), thumbs[rows]
    found = find_duplicates(
        list(images.hashes),
        images.frame["phash"].to_numpy(dtype=np.uint64),
        thumbs,
        near_pairs,
        splits=list(images.frame["split"]),
        labels=None if labels is None else [labels[row] for row in (rows % num).tolist()],
    )
    return of_samples(found, rows % num, num) if has_several else found


def telling_images(thumbs: np.ndarray) -> np.ndarray:
    """Images that show something: an empty channel would make duplicates of all samples.

    Args:
        thumbs: (N, 32, 32, 3) uint8.

    Returns:
        (K,) int64 positions.
    """
    return np.flatnonzero(thumbs.std(axis=(1, 2)).max(axis=1, initial=0.0) > _FLAT_LEVELS)


def of_samples(found: DuplicateReport, sample: np.ndarray, num_samples: int) -> DuplicateReport:
    """What was found among images, told of the samples they belong to.

    Args:
        found: rows are images.
        sample: (R,) int, the sample of each image.
        num_samples: samples.

    Returns:
        Two samples are a pair if any image of one is a duplicate of any image of the other; what
        lies within a sample is left out.
    """
    links = Links(num_samples)
    first = np.unique(found.groups, return_index=True)[1]
    links.join(np.stack([sample[first[found.groups]], sample], axis=1))
    return replace(
        found,
        pairs=_pairs(found.pairs, sample),
        groups=links.groups(),
        twins=_pairs(found.twins, sample),
        label_conflicts=_pairs(found.label_conflicts, sample),
    )


def _pairs(pairs: pd.DataFrame, sample: np.ndarray) -> pd.DataFrame:
    ends = np.sort(sample[pairs[["i", "j"]].to_numpy()], axis=1)
    told = pairs.assign(i=ends[:, 0], j=ends[:, 1])
    return told[told["i"] != told["j"]].drop_duplicates(["i", "j"], ignore_index=True)
