"""What a network is fed: images from the cache or from originals, and table columns beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from foldwise import parts
from foldwise.config.recipe import Recipe
from foldwise.config.writing import fingerprint
from foldwise.data.augment import AUGMENTS, Augment
from foldwise.data.batches import Source
from foldwise.data.boxes import Cut
from foldwise.data.cache import Cache
from foldwise.data.filling import FillingCache
from foldwise.data.inputs import cache_spec, open_images, pixels_version
from foldwise.data.mask_augment import MaskAugments, bound_augments
from foldwise.device import num_cores
from foldwise.parts import name_of
from foldwise.samples import Samples
from foldwise.tasks.asked import data_folder
from foldwise.tasks.columns import Column, column_values, read_columns
from foldwise.tasks.extra_rows import all_rows
from foldwise.tasks.image_sets import ImageSets, read_image_sets
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class Feed:
    """A recipe's images and table columns.

    Attributes:
        problem: competition, samples, targets.
        recipe: resolved.
    """

    problem: Problem
    recipe: Recipe

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The table columns that join the features.

        Raises:
            ConfigError: one cannot be an input.
        """
        recipe = self.recipe
        specs = recipe.columns if recipe.is_second_level else recipe.model.columns
        return read_columns(self.problem, specs)

    @cached_property
    def image_sets(self) -> ImageSets:
        """The images of each sample.

        Raises:
            ConfigError: there are no such images or no sequences.
            DataError: sequences are not in order, or lie in several folds.
        """
        return read_image_sets(self.problem, self.recipe.input)

    def column_values(self, samples: Samples) -> np.ndarray | None:
        """(N, K, 2) values of the columns of train or of test rows; None: the recipe names none.

        Raises:
            DataError: a cell of a column of numbers is none.
        """
        return column_values(self.columns, samples) if self.columns else None

    def pixels_print(self) -> str:
        """What the pixels the network is fed depend on."""
        home, config = self.problem.home, self.recipe.input
        made = cache_spec(home, config).to_json() | pixels_version(home, config)
        if made["store"] == "none" and self._cut is None:
            made["parts"] = "of whole images"
        return fingerprint([made, config.size])

    @cached_property
    def cache(self) -> Cache | FillingCache:
        """The images, prepared or on their way into the cache."""
        problem = self.problem
        data = data_folder(problem.home, problem.competition)
        rows = all_rows(problem) if self.recipe.external else problem.samples
        read = set(self.image_sets.hashes(rows).ravel())
        return open_images(problem.home, self.recipe.input, rows, data, read=read)

    def close(self) -> None:
        """Publish images that were decoded on the way into the cache.

        Raises:
            BudgetError: they could not be written.
        """
        cache = vars(self).get("cache")  # It may never have been opened.
        if isinstance(cache, FillingCache):
            cache.close()

    @property
    def decodes(self) -> bool:
        """Whether originals are decoded now, which takes more threads than the cache does."""
        is_filling = isinstance(self.cache, FillingCache) and self.cache.num_missing > 0
        return is_filling or self._cut is not None

    @property
    def _cut(self) -> Cut | None:
        """How parts of originals are read; None: whole images are, and parts are cut from them.

        In training and in scoring alike: a part that is resampled once has other pixels than one
        of an image that was resampled before. So what augments whole images first scores whole
        ones.
        """
        if self.problem.task.kind == "map":
            return None  # Masks are placed by the whole image.
        first = self.recipe.augment[0] if self.recipe.augment else "crop"
        return self.cache.cut if name_of(first) == "crop" else None

    def source(self, samples: Samples) -> Source:
        """The images of these samples, as the network takes them."""
        return Source(
            self.cache.get,
            self.image_sets.hashes(samples),
            samples.counters,
            self.recipe.input.size,
            self.column_values(samples),
            self.recipe.input.draws,
            self._cut,
        )

    @property
    def scored_side(self) -> int | None:
        """Side of the squares in which a finished network scores images; None: they stay as large.

        A network of masks that trains on windows of images as they are cached sees them whole at
        that size, so that what it looks for is as large as it was.
        """
        config = self.recipe.input
        if config.fit == "native":
            return None
        is_cropped = "mask_crop" in map(name_of, self.recipe.augment)
        if self.problem.task.kind != "map" or not is_cropped:
            return config.size
        return cache_spec(self.problem.home, config).size_px

    def scored(self, samples: Samples) -> Source:
        """The same as a finished network scores them, which is all of each image."""
        source = self.source(samples)
        return replace(source, size=self.scored_side or source.size)

    @property
    def num_workers(self) -> int:
        """Threads that prepare batches of training."""
        workers = self.recipe.train.workers
        return max(workers, num_cores()) if self.decodes else workers

    def augments(self) -> list[Augment]:
        """Bound augmentations in order.

        Raises:
            ConfigError: one is unknown, or its options are.
        """
        return [parts.bind(AUGMENTS, spec, what="augmentation") for spec in self.recipe.augment]

    def mask_augments(self, size: int, *, augment: bool = True) -> MaskAugments:
        """Bound augmentations of images with their masks.

        Args:
            size: side of what the network is shown, pixels.
            augment: False: whole images as they are.

        Raises:
            ConfigError: one is unknown, or masks cannot follow it.
        """
        return bound_augments(self.recipe.augment if augment else (), (size, size))

    def check_augment(self, specs: Sequence[parts.Spec]) -> None:
        """Bind augmentations as training will, one or all of them; raises as that does."""
        if self.problem.task.kind == "map":
            bound_augments(specs, (self.recipe.input.size, self.recipe.input.size))
            return
        for spec in specs:
            parts.bind(AUGMENTS, spec, what="augmentation")
