"""Duplicates of images, told of samples of several images."""

from __future__ import annotations

import numpy as np
import pandas as pd

from foldwise.auditing.duplicates import DuplicateReport, find_duplicates
from foldwise.auditing.several import of_samples, telling_images
from foldwise.data.hashes import near_pairs, phash


def test_samples_that_share_any_image_are_a_pair() -> None:
    rng = np.random.default_rng(0)
    shown = [rng.integers(0, 256, (32, 32, 3)).astype(np.uint8) for _ in range(6)]
    # Samples 0-3 of two images: first ones 0 1 2 3, second ones 0 4 5 1.
    content = [0, 1, 2, 3, 0, 4, 5, 1]
    thumbs = np.stack([shown[number] for number in content])
    images = find_duplicates(
        [str(number) for number in content],
        np.array([phash(image) for image in thumbs], dtype=np.uint64),
        thumbs,
        near_pairs,
        splits=["train", "train", "train", "test"] * 2,
        labels=["a", "b", "a", None] * 2,
    )
    found = of_samples(images, np.arange(8) % 4, 4)
    # Sample 0 shows one image twice, which is nobody else's; 1 and 3 share one across places.
    assert found.groups.tolist() == [0, 1, 2, 1]
    assert found.pairs[["i", "j"]].to_numpy().tolist() == [[1, 3]]
    assert found.twins[["i", "j"]].to_numpy().tolist() == [[1, 3]]
    assert len(found.label_conflicts) == 0


def test_pairs_of_samples_stand_once() -> None:
    columns = {"distance": 0, "mean_abs_difference": 0.0, "likeness": 1.0, "kind": "exact"}
    pairs = pd.DataFrame({"i": [0, 1, 0], "j": [1, 2, 3], **columns})
    images = DuplicateReport(pairs, False, np.array([0, 0, 0, 0]), pairs, pairs.iloc[:0], 3)
    found = of_samples(images, np.array([0, 1, 0, 1]), 2)
    assert found.pairs[["i", "j"]].to_numpy().tolist() == [[0, 1]]
    assert found.groups.tolist() == [0, 0]


def test_images_that_show_nothing_do_not_tell() -> None:
    thumbs = np.zeros((3, 32, 32, 3), dtype=np.uint8)
    thumbs[0] += np.array([200, 10, 10], dtype=np.uint8)
    thumbs[2, :, 16:, 1] = 90
    assert telling_images(thumbs).tolist() == [2]
