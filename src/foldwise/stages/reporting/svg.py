"""SVG elements as escaped markup, and the scales that place values on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

#: As numbers are written: as wide as a plus.
MINUS = "\u2212"


def tag(name: str, *children: str, **attributes: object) -> Markup:
    """One element; every text and attribute is escaped.

    Args:
        name: of the element.
        children: markup, or text to be escaped.
        attributes: `_` stands for `-`, a last `_` (as in `class_`) is dropped, None leaves out.

    >>> tag("text", "a < b", x=1.25, text_anchor="end", class_="mark")
    Markup('<text x="1.25" text-anchor="end" class="mark">a &lt; b</text>')
    """
    words = [
        f' {key.removesuffix("_").replace("_", "-")}="{escape(number(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    inside = "".join(str(escape(child)) for child in children)
    # Every part was escaped above.
    return Markup(f"<{name}{''.join(words)}>{inside}</{name}>")


def isolated(name: str) -> str:
    """A name from the data that cannot turn the words around it, whatever script it is in."""
    return f"\u2068{name}\u2069"


def number(value: object) -> str:
    """A length with at most two decimals; anything else as text.

    >>> [number(value) for value in (3.0, 0.125, -0.001, "50%")]
    ['3', '0.12', '0', '50%']
    """
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


@dataclass(frozen=True)
class Scale:
    """A straight map from values to places.

    Attributes:
        low: value at `start`.
        high: value at `end`, above `low`.
        start: place of the lowest value.
        end: place of the highest.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value; values outside are put on the edge."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values inside the scale."""
        return nice_ticks(self.low, self.high, most)


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most `most` multiples of 1, 2 or 5 times a power of ten in [low, high].

    >>> nice_ticks(0.0, 1.0)
    [0.0, 0.5, 1.0]
    >>> nice_ticks(0.71, 0.78)
    [0.72, 0.74, 0.76, 0.78]
    """
    rough = (high - low) / max(most - 1, 1)
    if not math.isfinite(rough) or rough <= 0:
        return [low]
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(
        unit * factor for factor in (1, 2, 5, 10, 20) if _count(low, high, unit * factor) <= most
    )
    first = math.ceil(low / step - 1e-9)
    return [round((first + k) * step, 12) for k in range(_count(low, high, step))]


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """Lowest and highest finite value with some room on both sides; never an empty range.

    >>> padded([2.0, 2.0])
    (1.9, 2.1)
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    room = (high - low) * share if high > low else max(abs(high), 1e-6) * 0.05
    return low - room, high + room


def without_outliers(values: Sequence[float], reach: float = 6.0) -> tuple[float, float]:
    """As `padded`, but the upper end leaves out values far above the others.

    Far above is more than `reach` times the distance of the quartiles over the upper one.

    >>> without_outliers([133.0, 1.4, 1.3, 1.2, 1.1, 1.0]) == padded([1.4, 1.3, 1.2, 1.1, 1.0])
    True
    """
    finite = sorted(value for value in values if math.isfinite(value))
    if len(finite) < 4:
        return padded(finite)
    low, high = (finite[round(share * (len(finite) - 1))] for share in (0.25, 0.75))
    return padded([value for value in finite if value <= high + reach * (high - low)])


def tick_text(value: float, ticks: Sequence[float]) -> str:
    """A tick's label with no more digits than tell the ticks apart.

    >>> tick_text(0.5, [0.0, 0.25, 0.5])
    '0.50'
    """
    step = min((b - a for a, b in pairwise(ticks)), default=abs(value) or 1.0)
    if abs(value) >= 1e5 or (value and step < 1e-5):
        return f"{value:.2g}".replace("-", MINUS)
    digits = 0
    while digits < 6 and abs(round(step, digits) - step) > step * 1e-6:
        digits += 1
    return f"{value:z.{digits}f}".replace("-", MINUS)


def _count(low: float, high: float, step: float) -> int:
    return math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) + 1
