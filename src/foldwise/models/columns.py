"""Table columns as features beside the image's: standardised numbers, and categories one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from foldwise import seeding

Kind = Literal["number", "category"]

#: What fits into the digits of a float32.
_DIGITS = 2**24


class ColumnEncoder(nn.Module):
    """Values of table columns to features; what it needs for that is saved with the weights.

    A number gives two features: its distance from the mean of the training rows, in standard
    deviations, and whether it is missing (then the first is 0). A category gives one for each
    that the training rows have, and one for all others and for a missing one.

    Args:
        kinds: of the columns, in order.
        tensors: `center`, `spread`, `vocabulary` and `owner`, as `fit` finds or a file holds them.

    Attributes:
        center: (numbers, 2) float32; the sum of both is the mean.
        spread: (numbers,) float32.
        vocabulary: (V, 2) float32 codes of the categories of all columns.
        owner: (V,) int64, which category column each belongs to, counted from 0.
    """

    center: Tensor
    spread: Tensor
    vocabulary: Tensor
    owner: Tensor

    def __init__(self, kinds: Sequence[Kind], tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.kinds = tuple(kinds)
        for name in ("center", "spread", "vocabulary", "owner"):
            self.register_buffer(name, tensors[name].clone())
        is_number = [kind == "number" for kind in kinds]
        self._numbers = [place for place, flag in enumerate(is_number) if flag]
        self._categories = [place for place, flag in enumerate(is_number) if not flag]

    @classmethod
    def fit(cls, kinds: Sequence[Kind], values: np.ndarray) -> ColumnEncoder:
        """Mean and spread of numbers, and the categories, of these rows.

        Args:
            kinds: of the columns.
            values: (N, K, 2) float32 of the training rows, from `number_values` and
                `category_values`.
        """
        known = [column[~np.isnan(column[:, 0])] for column in values.transpose(1, 0, 2)]
        numbers = [
            found.astype(np.float64).sum(axis=1)
            for found, kind in zip(known, kinds, strict=True)
            if kind == "number"
        ]
        vocabularies = [
            np.unique(found, axis=0)
            for found, kind in zip(known, kinds, strict=True)
            if kind == "category"
        ]
        means = np.array([found.mean() if len(found) else 0.0 for found in numbers])
        owners = [np.full(len(codes), place) for place, codes in enumerate(vocabularies)]
        found = {
            "center": _split(means),
            "spread": np.array([_spread(found) for found in numbers], dtype=np.float32),
            "vocabulary": np.concatenate([np.empty((0, 2), dtype=np.float32), *vocabularies]),
            "owner": np.concatenate([np.empty(0, dtype=np.int64), *owners]),
        }
        return cls(kinds, {name: torch.from_numpy(value) for name, value in found.items()})

    @property
    def num_features(self) -> int:
        """Features of a row."""
        return 2 * len(self._numbers) + len(self.vocabulary) + len(self._categories)

    def forward(self, values: Tensor) -> Tensor:
        """(N, K, 2) float32 values → (N, M) float32 features."""
        numbers = values[:, self._numbers]
        is_missing = numbers[:, :, 0].isnan()
        scaled = (numbers - self.center).sum(dim=2) / self.spread
        found = [scaled.masked_fill(is_missing, 0.0), is_missing.float()]
        codes = values[:, self._categories]
        is_same = (codes[:, self.owner] == self.vocabulary).all(dim=2).float()
        found.append(is_same)
        for place in range(len(self._categories)):
            known = is_same[:, self.owner == place].sum(dim=1, keepdim=True)
            found.append(1.0 - known)
        return torch.cat(found, dim=1)


def number_values(numbers: np.ndarray) -> np.ndarray:
    """(N,) float64 with NaN where missing → (N, 2) float32 whose sum is the number.

    Two, since one would lose the digits of large numbers, and not every device has float64.
    """
    return _split(numbers)


def category_values(cells: Sequence[str], is_missing: np.ndarray) -> np.ndarray:
    """Cells → (N, 2) float32 codes of 48 bits; NaN where missing.

    Args:
        cells: N names of categories.
        is_missing: (N,) bool.
    """
    keys = [seeding.key("category", cell) for cell in cells]
    codes = np.array([[key // _DIGITS % _DIGITS, key % _DIGITS] for key in keys], dtype=np.float32)
    codes = codes.reshape(-1, 2)
    codes[is_missing] = np.nan
    return codes


def _spread(numbers: np.ndarray) -> float:
    """Standard deviation; 1 where all are equal but for rounding."""
    spread = float(numbers.std()) if len(numbers) else 0.0
    return spread if spread > 1e-12 * float(np.abs(numbers).max(initial=0.0)) else 1.0


def _split(numbers: np.ndarray) -> np.ndarray:
    high = numbers.astype(np.float32)
    low = (numbers - high.astype(np.float64)).astype(np.float32)
    return np.stack([high, low], axis=1)
