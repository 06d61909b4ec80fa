"""What a cache holds: size, shape rule, channels, steps and storage, with a short stable key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from foldwise.data.shape import Fit
from foldwise.data.steps import Step, normalised_steps

Store = Literal["raw", "jpeg", "none"]

#: Raised whenever the same image and spec would give other pixels than before.
_PIXELS_VERSION = 1


@dataclass(frozen=True)
class CacheSpec:
    """How every image of a cache was made.

    Attributes:
        size_px: side in the cache: input size times zoom (see `cached_side`); 0: images have their
            own.
        fit: the shape rule.
        channels: 1, 3 or 4 for image files; other counts for arrays that have them.
        steps: with all their options; `make` spells them out.
        store: `raw` pixels; `jpeg` (quality 95, no chroma subsampling, 1 or 3 channels); `none`:
            nothing but the index, images are decoded from the originals each time.
    """

    size_px: int
    fit: Fit = "stretch"
    channels: int = 3
    steps: tuple[Step, ...] = ()
    store: Store = "raw"

    @classmethod
    def make(
        cls,
        size_px: int,
        fit: Fit = "stretch",
        channels: int = 3,
        *,
        steps: Sequence[Any] = (),
        store: Store = "raw",
    ) -> CacheSpec:
        """A spec from a recipe's steps (names, or mappings with `name` and options).

        Raises:
            ConfigError: an unknown step or option, or a wrong value.
        """
        return cls(size_px, fit, channels, normalised_steps(steps), store)

    @property
    def key(self) -> str:
        """Name of the cache's folder, such as `258-stretch-3c-1a2b3c4d`."""
        text = json.dumps([_PIXELS_VERSION, self.to_json()], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{self.size_px}-{self.fit}-{self.channels}c-{digest}"

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON values."""
        return {
            "size_px": self.size_px,
            "fit": self.fit,
            "channels": self.channels,
            "steps": [{"name": name, **dict(options)} for name, options in self.steps],
            "store": self.store,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> CacheSpec:
        """The spec that `to_json` wrote."""
        steps = tuple(
            (step["name"], tuple(sorted((k, v) for k, v in step.items() if k != "name")))
            for step in value["steps"]
        )
        return cls(**{**value, "steps": steps})


def cached_side(size: int, zoom: float) -> int:
    """Side in the cache for an input of `size` pixels, room for crops included.

    >>> cached_side(224, 1.15)
    258
    """
    return round(size * zoom)


#: Small pictures of every image, for the audit and the report.
THUMB = CacheSpec(32)
