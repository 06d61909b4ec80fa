"""Deciding masks: from the levels of a map to the pixels that are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Field
from scipy.special import expit, logit

from foldwise.errors import ConfigError
from foldwise.maps.levels import TOP, least_level
from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks, empty_masks, joined_masks
from foldwise.masks.runs import Runs, concatenate, encode
from foldwise.masks.shapes import drop_small, fill_holes, keep_largest

T = TypeVar("T")
Share = Annotated[float, Field(ge=0, le=1)]
Area = Annotated[int, Field(ge=0)]

#: Of a sample's pixels those that say how sure a map is at best.
TOP_SHARE = 0.001
#: The surest and the least sure that a witness is taken to be, in log odds: 1 in 1,001 at most.
_MOST_ODDS = float(np.log(1000))
#: Samples whose components are found together.
_AT_ONCE = 64


def masks(
    scores: Maps,
    *,
    thresholds: float | list[float] = 0.5,
    smallest_areas: Area | list[Area] = 0,
    largest_only: bool | list[bool] = False,
    fill: bool | list[bool] = False,
    top_scores: Share | list[Share] = 0.0,
    top_share: Annotated[float, Field(gt=0, le=1)] = TOP_SHARE,
    top_pixels: Annotated[int, Field(ge=0)] = 0,
    chances: list[list[float]] | None = None,
    least_chances: Share | list[Share] = 0.0,
) -> Masks:
    """The pixels of each class that reach its threshold, and of them the components that count.

    In this order: a class whose top pixels are too weak, or which is there by too small a chance,
    is not answered; pixels below the threshold fall away, then components that are too small, then
    all but the largest; holes are filled last. Pixels that touch at a corner are of one component.

    Args:
        scores: maps of N samples and C classes.
        thresholds: probability from which a pixel is answered, one or C; above 1: none is.
        smallest_areas: pixels that a component has at least.
        largest_only: whether the largest component alone is kept.
        fill: whether what a component encloses is answered, too.
        top_scores: mean of the top pixels from which a class is answered.
        top_share: share of a sample's pixels that are the top ones, at least one pixel.
        top_pixels: how many are the top ones, whatever the sample's size; 0: `top_share` says so.
        chances: of each class what makes the chance that it is there, as of `chance_of`.
        least_chances: chance from which a class is answered.

    Raises:
        ConfigError: there are not as many values as classes, least chances without chances, or a
            chance is asked of gates and there are none beside the maps.
    """
    num = scores.num_classes
    levels = [least_level(value) for value in _each(thresholds, num, "thresholds")]
    areas = np.array(_each(smallest_areas, num, "smallest_areas"), np.int64)
    largest = np.array(_each(largest_only, num, "largest_only"), np.bool_)
    filled = np.array(_each(fill, num, "fill"), np.bool_)
    tops = np.array(_each(top_scores, num, "top_scores"))
    parts_of_chance = None if chances is None else _parts_of_chance(chances, num)
    least = np.array(_each(least_chances, num, "least_chances"))
    if least.any() and parts_of_chance is None:
        raise ConfigError("least_chances: there are no chances", remedy="say chances, too")
    beside = _gates_of(scores, parts_of_chance)

    def answered(row: int) -> np.ndarray:
        sample = scores.read(row)
        mask: np.ndarray = sample >= np.array(levels, np.uint16)[:, None, None]
        if tops.any() or parts_of_chance is not None:
            num_pixels = num_top(sample[0].size, top_share=top_share, top_pixels=top_pixels)
            means = top_means(sample, num_pixels)
            mask[means < tops] = False
            if parts_of_chance is not None:
                # Not "smaller than": what is no number answers nothing.
                mask[~(chance_of(parts_of_chance, beside[row], means) >= least)] = False
        return mask

    parts = []
    for runs in _in_chunks(scores, answered):
        times = len(runs) // num
        found = drop_small(runs, np.tile(areas, times)) if areas.any() else runs
        found = _where(np.tile(largest, times), found, keep_largest)
        parts.append(Masks(_where(np.tile(filled, times), found, fill_holes), num))
    return joined_masks(parts) if parts else empty_masks(scores.sizes, num)


def surest_class(scores: Maps) -> Masks:
    """The class with the highest level in each pixel; of equal ones the first.

    Args:
        scores: maps of N samples and C classes.
    """
    classes = np.arange(scores.num_classes)[:, None, None]

    def answered(row: int) -> np.ndarray:
        found: np.ndarray = scores.read(row).argmax(axis=0) == classes
        return found

    parts = [Masks(runs, scores.num_classes) for runs in _in_chunks(scores, answered)]
    return joined_masks(parts) if parts else empty_masks(scores.sizes, scores.num_classes)


def num_top(size: int, *, top_share: float = TOP_SHARE, top_pixels: int = 0) -> int:
    """How many pixels of a sample are the top ones, from what `masks` is told.

    >>> num_top(256 * 1600), num_top(100), num_top(100, top_pixels=500)
    (410, 1, 100)
    """
    return min(top_pixels, size) or max(1, round(top_share * size))


def top_means(sample: np.ndarray, num: int) -> np.ndarray:
    """(C,) mean probability of each class's top pixels.

    Args:
        sample: (C, H, W) uint8 levels.
        num: of these pixels, 1 to H * W.

    >>> top_means(np.array([[[255, 0, 51, 0]]], np.uint8), 2).tolist()
    [0.6]
    """
    flat = sample.reshape(len(sample), -1)
    # How many pixels have each level: the top ones need no sorting.
    found = np.empty(len(sample))
    for index, pixels in enumerate(flat):
        counts = np.bincount(pixels, minlength=TOP + 1)[::-1]
        taken = np.minimum(np.cumsum(counts), num)
        each = np.diff(taken, prepend=0)
        found[index] = (each * np.arange(TOP, -1, -1)).sum() / (num * TOP)
    return found


def which_top(options: Mapping[str, Any]) -> dict[str, Any]:
    """Of the options of `masks` those that say which pixels are the top ones."""
    return {name: options[name] for name in ("top_share", "top_pixels") if name in options}


def log_odds(shares: np.ndarray) -> np.ndarray:
    """Log odds of what a witness says, (...) in [0, 1]; none is taken to be surer than 1,000 to 1.

    >>> log_odds(np.array([0.0, 0.5, 1.0])).round(1).tolist()
    [-6.9, 0.0, 6.9]
    """
    found: np.ndarray = np.clip(logit(shares), -_MOST_ODDS, _MOST_ODDS)
    return found


def chance_of(parts: np.ndarray, gates: np.ndarray, tops: np.ndarray) -> np.ndarray:
    """(..., C) the chance that a class is there, by a gate and a map's own top pixels.

    Args:
        parts: (C, 3) of each class a constant, and what the log odds of the gate and of the top
            pixels are multiplied by; their sum is the log odds of the chance.
        gates: (..., C) what a gate says of a sample.
        tops: (..., C) its `top_means`.

    >>> chance_of(np.array([[0.0, 1.0, 1.0]]), np.array([0.75]), np.array([0.25])).round(6).tolist()
    [0.5]
    """
    odds = parts[:, 0] + parts[:, 1] * log_odds(gates) + parts[:, 2] * log_odds(tops)
    found: np.ndarray = expit(odds)
    return found


def _each(values: T | list[T], num: int, what: str) -> list[T]:
    several = values if isinstance(values, list) else [values] * num
    if len(several) != num:
        raise ConfigError(f"{what}: {len(several)} values for {num} classes")
    return several


def _parts_of_chance(chances: list[list[float]], num: int) -> np.ndarray:
    if [len(each) for each in chances] != [3] * num:
        raise ConfigError(f"chances: {chances}, wanted three numbers for each of {num} classes")
    return np.array(chances)


def _gates_of(maps: Maps, chances: np.ndarray | None) -> np.ndarray:
    """(N, C) what the gate says of each sample; where no chance asks for it zeros."""
    if chances is None or not chances[:, 1].any():
        return np.zeros(maps.shape)
    if maps.gates is None:
        raise ConfigError(
            "the decision asks for gates, and there are none beside the maps",
            remedy="decide the run that has them, or fit the decision again",
        )
    return maps.gates


def _in_chunks(maps: Maps, answered: Callable[[int], np.ndarray]) -> Iterator[Runs]:
    """The runs of what is answered, of some samples at once."""
    for start in range(0, len(maps), _AT_ONCE):
        rows = range(start, min(start + _AT_ONCE, len(maps)))
        yield concatenate(encode(answered(row)) for row in rows)


def _where(chosen: np.ndarray, runs: Runs, change: Callable[[Runs], Runs]) -> Runs:
    """The masks with those that are chosen changed."""
    if not chosen.any():
        return runs
    places = np.flatnonzero(chosen)
    both = concatenate([runs, change(runs.take(places))])
    order = np.arange(len(runs))
    order[places] = len(runs) + np.arange(len(places))
    return both.take(order)


ANSWER_STEPS: dict[str, Callable[..., Masks]] = {"masks": masks, "surest_class": surest_class}
