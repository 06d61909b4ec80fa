"""What a recipe may add to a network: another pool, streams, a branch, more heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from foldwise.models.columns import ColumnEncoder
from foldwise.models.prototypes import Prototypes
from foldwise.models.siamese import Siamese
from foldwise.parts import Spec


@dataclass(frozen=True)
class Additions:
    """What is added to a network.

    Attributes:
        pool: in the place of the network's own, by name; None: its own.
        multi_sample: (samples, p) of multi-sample dropout; None: without.
        branch: whether there is an attention branch.
        shallow: (width, depth) of a shallow stream; None: there is none.
        columns: makes features of table columns; None: there are none.
        auxiliary: outputs of each further head.
        siamese: how the images of a sample come together; None: the network takes them as one.
        prototypes: of classes, in place of the linear head; None: there are none.
    """

    pool: Spec | None = None
    multi_sample: tuple[int, float] | None = None
    branch: bool = False
    shallow: tuple[int, int] | None = None
    columns: ColumnEncoder | None = None
    auxiliary: Sequence[int] = ()
    siamese: Siamese | None = None
    prototypes: Prototypes | None = None

    @property
    def need_features(self) -> list[str]:
        """Keys of those that join the features before the head, or stand around it."""
        asked = {
            "model.multi_sample_dropout": self.multi_sample is not None,
            "model.branch": self.branch,
            "model.shallow": self.shallow is not None,
            "model.columns": self.columns is not None,
            "auxiliary": bool(self.auxiliary),
            "model.siamese": self.siamese is not None,
            "prototypes of classes": self.prototypes is not None,
        }
        return [key for key, is_asked in asked.items() if is_asked]


def joined(head: nn.Linear, siamese: Siamese | None) -> nn.Linear:
    """A head that takes joined features; itself where they are as many as an image's."""
    num = num_joined(head.in_features, siamese)
    if num == head.in_features:
        return head
    return nn.Linear(num, head.out_features, bias=head.bias is not None)


def num_joined(num_features: int, siamese: Siamese | None) -> int:
    """Features of a sample, of as many of an image."""
    return num_features if siamese is None else siamese.num_joined(num_features)


def widened(head: nn.Linear, more: int) -> nn.Linear:
    """A head that takes `more` further features behind its own; itself if there are none."""
    if not more:
        return head
    wide = nn.Linear(head.in_features + more, head.out_features, bias=head.bias is not None)
    with torch.no_grad():
        wide.weight[:, : head.in_features] = head.weight
        if head.bias is not None:
            wide.bias.copy_(head.bias)
    return wide
