"""What a recipe reaches on this machine, as a short trial of it measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from foldwise.stages.scheduling.phases import Kind

#: Images per second where nothing is known: taken for slow, so that others go first.
_SLOW = 5.0


@dataclass(frozen=True)
class Rates:
    """What a recipe reaches on this machine.

    Attributes:
        start_s: seconds to make the network.
        infer: images per second and view in inference, of one unit.
        train: kind of epoch, by its key → images per second in training, of one unit; empty: it
            was not tried, or does not train.
        image_s: seconds of an image in inference whatever the number of its views, as of making and
            writing maps.
    """

    start_s: float
    infer: float
    train: Mapping[str, float] = field(default_factory=dict)
    image_s: float = 0.0

    def of(self, kind: Kind) -> float:
        """Images per second in training; of a kind that was not tried: from the nearest that was.

        >>> Rates(0.0, 90.0, {"all@64": 40.0}).of(Kind("all", 32))
        160.0
        """
        if kind.key in self.train:
            return self.train[kind.key]
        if not self.train:
            return _SLOW
        nearest = min(
            map(Kind.of_key, self.train),
            key=lambda tried: (
                tried.trainable != kind.trainable,
                abs(math.log(tried.size / kind.size)),
            ),
        )
        return self.train[nearest.key] * nearest.work / kind.work


#: Of a recipe there was no time to try.
UNKNOWN = Rates(start_s=5.0, infer=10.0)
