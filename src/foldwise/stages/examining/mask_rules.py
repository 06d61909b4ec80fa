"""Rules on recipes of masks: windows, tiles, what is drawn, and what their losses can teach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from foldwise.data.spec import cached_side
from foldwise.parts import Spec, name_of, options_of
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.finding import Fault, warning

#: Windows may reach beyond images by so much: what lies there is not counted, but computed.
_BEYOND = 1.5
#: Tiles that overlap by more than this are computed four times over.
_MOST_OVERLAP = 0.5
#: Of the images that a class is in: from so many on there is nothing to tell.
_EVERYWHERE = 0.99
#: Losses that know areas alone, and can leave out an image without the class.
_OF_AREAS = ("mask_dice", "tversky", "focal_tversky")


def mask_crop(case: RecipeCase) -> Iterator[Fault]:
    """Windows are as large as what they are cut from, or reach far beyond it."""
    given = case.recipe.input
    for index, spec in enumerate(case.recipe.augment):
        if name_of(spec) != "mask_crop" or (scale := _scale(spec)) is None:
            continue
        key = f"augment.{index}"
        least, most = (max(1, round(given.size / factor)) for factor in (scale[1], scale[0]))
        if given.fit == "native":
            side = case.ground.side_px
            if side is not None and most > _BEYOND * side:
                yield warning(
                    key,
                    f"windows of up to {most} px are cut from images whose shorter side is "
                    f"{side:.0f} px: what lies beyond is computed and counts for nothing",
                    f"use input.size of about {round(side)} or less",
                )
            continue
        cached = cached_side(given.size, given.zoom)
        if least >= cached:
            yield warning(
                key,
                f"windows of {most} px are cut from images that are cached at {cached} px: each "
                "shows all of its image",
                "raise input.zoom, or set fit: native, or take it out",
            )
        elif most > _BEYOND * cached:
            yield warning(
                key,
                f"windows of up to {most} px are cut from images that are cached at {cached} px: "
                "what lies beyond is computed and counts for nothing",
                "raise the first number of scale, or input.zoom",
            )


def tiles(case: RecipeCase) -> Iterator[Fault]:
    """Tiles show less than the windows that were trained on, have seams, or overlap too much."""
    tile, size = case.recipe.input.tile, case.recipe.input.size
    if tile is None:
        return
    if tile.size < size:
        yield warning(
            "input.tile.size",
            f"{tile.size} px, and training shows windows of {size} px: the network sees less "
            "around each pixel than it is used to",
            f"use {size} or more",
        )
    if tile.overlap == 0:
        yield warning(
            "input.tile.overlap",
            "0: nothing is blended where tiles meet, and networks see least at their rims",
            "use about 0.25",
        )
    elif tile.overlap > _MOST_OVERLAP:
        times = 1 / (1 - tile.overlap) ** 2
        yield warning(
            "input.tile.overlap",
            f"{tile.overlap:g}: each pixel is computed about {times:.0f} times",
            "use about 0.25",
        )


def mask_sampler(case: RecipeCase) -> Iterator[Fault]:
    """Images with something in them are to be drawn more often, and all or none are such."""
    sampler, there = case.recipe.train.sampler, _present(case)
    if sampler is None or there is None or not len(there):
        return
    name, is_clean = name_of(sampler), ~there.any(axis=1)
    if is_clean.all():
        yield warning("train.sampler", f"{name}: no train image shows anything", "check the masks")
    elif not is_clean.any() and name == "hard_negatives":
        yield warning(
            "train.sampler",
            f"{name}: every train image shows something, so there are no negatives",
            "take it out, or use defects, which draws all classes alike",
        )
    elif not is_clean.any() and there.any(axis=0).sum() == 1:
        yield warning(
            "train.sampler",
            f"{name}: every train image shows the one class, so all are drawn alike",
            "take it out",
        )


def presence(case: RecipeCase) -> Iterator[Fault]:
    """A head is to learn which classes are there, and all of them always are, or never."""
    there = _present(case)
    if case.recipe.model.presence is None or there is None or not len(there):
        return
    shares = there.mean(axis=0)
    if bool(((shares > _EVERYWHERE) | (shares < 1 - _EVERYWHERE)).all()):
        yield warning(
            "model.presence",
            "each class is in all train images or in none, so there is nothing to learn",
            "take it out",
        )


def shared_pixels(case: RecipeCase) -> Iterator[Fault]:
    """Each pixel has one class, and the network is to answer each class by itself."""
    masks = case.ground.competition.masks
    formulation = case.ground.task.formulations.get(case.formulation)
    if not _gives_masks(case) or masks is None or formulation is None:
        return
    if not masks.exclusive or formulation.is_exclusive:
        return
    others = [name for name, f in case.ground.task.formulations.items() if f.is_exclusive]
    yield warning(
        "formulation",
        f"{case.formulation} answers each class by itself, and masks.exclusive in competition.yaml "
        "says that each pixel has one: the surest is taken, of probabilities that do not add up",
        f"use formulation: {' or '.join(others)}, and a loss for it",
    )


def clean_images(case: RecipeCase) -> Iterator[Fault]:
    """Nothing in the loss says what a clean image costs, or it begins where nothing is answered."""
    losses = _losses(case)
    names = [name_of(spec) for spec in losses]
    if names == ["boundary"]:
        yield warning(
            "loss",
            "boundary alone stays where nothing is answered",
            "put it beside another loss with a small weight: [mask_bce, {name: boundary, weight: "
            "0.1}]",
        )
    there = _present(case)
    skips = [options_of(s).get("empty") == "skipped" and name_of(s) in _OF_AREAS for s in losses]
    if losses and all(skips) and there is not None and not there.all():
        yield warning(
            "loss",
            f"{' and '.join(names)} with empty: skipped: false pixels of a class that is not in an "
            "image cost nothing",
            "put mask_bce or mask_focal beside it, or use empty: counted",
        )


def _losses(case: RecipeCase) -> tuple[Spec, ...]:
    """Of a network of masks; those that stand by default are sound."""
    loss = case.recipe.loss
    if not _gives_masks(case) or loss is None:
        return ()
    return loss if isinstance(loss, tuple) else (loss,)


def _present(case: RecipeCase) -> np.ndarray | None:
    """(N, C) bool which classes are in each train image; None: not known, or there are no masks."""
    target = case.ground.target
    return None if not _gives_masks(case) or target is None else target > 0


def _gives_masks(case: RecipeCase) -> bool:
    return case.ground.task.kind == "map"


def _scale(spec: Spec) -> tuple[float, float] | None:
    """Least and most that windows are enlarged; None: not two numbers, which is told elsewhere."""
    given: Any = options_of(spec).get("scale", (1.0, 1.0))
    is_pair = isinstance(given, list | tuple) and len(given) == 2
    if not is_pair or not all(isinstance(n, int | float) and n > 0 for n in given):
        return None
    return float(given[0]), float(given[1])


RULES: dict[str, Callable[[RecipeCase], Iterator[Fault]]] = {
    "mask-crop": mask_crop,
    "tiles": tiles,
    "mask-sampler": mask_sampler,
    "presence": presence,
    "shared-pixels": shared_pixels,
    "clean-images": clean_images,
}
