"""A network: normalisation inside, features before the head, the head an ordinary layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from foldwise.errors import ConfigError
from foldwise.models.attention_branch import AttentionBranch
from foldwise.models.columns import ColumnEncoder
from foldwise.models.prototypes import PrototypeHead
from foldwise.models.shallow import Shallow
from foldwise.models.siamese import Siamese

#: How images and weights lie in memory: channel by channel, or pixel by pixel.
Layout = Literal["channels_first", "channels_last"]

_FORMATS = {"channels_first": torch.contiguous_format, "channels_last": torch.channels_last}


class Network(nn.Module):
    """Images in 0..255 to logits.

    The statistics that normalise the images are saved with the weights, so inference cannot
    forget them.

    Args:
        backbone: normalised images → features if `head` is given, else → logits.
        head: features → logits, or None where the network's end is not one linear layer.
        mean: of the images, channels in 0..1.
        std: the same.
        offset: (O,) added to the logits, saved with the weights; None: there is none.
        columns: values of table columns → features that join the backbone's.
        shallow: normalised images → features that join these.
        branch: looks at the last map, and weighs it for the head.
        auxiliary: further heads on the same features, for training alone.
        siamese: how the images of a sample go through it apart; None: it takes them as one.

    Attributes:
        backbone: as given.
        head: as given.
        columns: as given, or None.
        shallow: as given, or None.
        branch: as given, or None.
        auxiliary: as given.
        siamese: as given, or None.
        mean: (C,) float buffer.
        std: (C,) float buffer.
        offset: (O,) float buffer, or None.
        layout: how it computes; see `set_layout`.
    """

    mean: Tensor
    std: Tensor
    offset: Tensor | None
    head: nn.Linear
    columns: ColumnEncoder | None
    shallow: Shallow | None
    branch: AttentionBranch | None
    layout: Layout

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Linear | None,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        offset: Tensor | None = None,
        columns: ColumnEncoder | None = None,
        shallow: Shallow | None = None,
        branch: AttentionBranch | None = None,
        auxiliary: Sequence[nn.Linear] = (),
        siamese: Siamese | None = None,
    ) -> None:
        super().__init__()
        self.siamese = siamese
        self.backbone = backbone
        self.register_module("head", head)
        self.register_module("columns", columns)
        self.register_module("shallow", shallow)
        self.register_module("branch", branch)
        self.auxiliary = nn.ModuleList(auxiliary)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self.register_buffer("offset", offset)
        self.set_layout("channels_last")

    @property
    def has_features(self) -> bool:
        """Whether there are features that one linear layer turns into logits."""
        return self._modules["head"] is not None

    @property
    def end(self) -> nn.Module | None:
        """What comes after the backbone and can train alone; None: the network is one piece."""
        return self._modules["head"]

    @property
    def num_features(self) -> int:
        """Length of a sample's features.

        Raises:
            ConfigError: there are none.
        """
        self._need_features()
        return self.head.in_features

    @property
    def num_channels(self) -> int:
        """Channels of what `forward` takes: of all images of a sample together."""
        return len(self.mean) * (1 if self.siamese is None else self.siamese.num_images)

    def normalize(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in 0..255, uint8 or float → float32 of mean 0 and spread 1.

        A Siamese network's become (N * V, C, H, W), the images of a sample one after the other.
        """
        if self.siamese is not None:
            images = self.siamese.apart(images)
        laid_out = images.contiguous(memory_format=_FORMATS[self.layout])
        mean, std = 255.0 * self.mean, 255.0 * self.std
        if self.layout == "channels_first" or torch.compiler.is_compiling():
            return _standardised(laid_out, mean.view(-1, 1, 1), std.view(-1, 1, 1))
        # Whole rows of pixels at a time: three numbers are too short a run for a processor.
        num, channels, height, width = images.shape
        rows = laid_out.permute(0, 2, 3, 1).reshape(num, height, width * channels)
        found = _standardised(rows, mean.repeat(width), std.repeat(width))
        return found.view(num, height, width, channels).permute(0, 3, 1, 2)

    def set_layout(self, layout: Layout) -> None:
        """Lay weights and images out in memory; another one may give other last bits."""
        self.layout = layout
        self.to(memory_format=_FORMATS[layout])

    def features(self, images: Tensor, columns: Tensor | None = None) -> Tensor:
        """What the head sees: features of the backbone, the columns and the shallow stream.

        Args:
            images: (N, C, H, W) in 0..255, uint8 or float.
            columns: (N, K, 2) values of the table columns, if the network takes any.

        Returns:
            (N, D) float.

        Raises:
            ConfigError: the network's end is not one linear layer.
        """
        self._need_features()
        return self._looked(images, columns)[0]

    def image_features(self, images: Tensor) -> Tensor:
        """(N, D) features of the backbone alone; raises as `features`."""
        self._need_features()
        return self._joined(self._deep(self.normalize(images))[0])

    def apart_features(self, images: Tensor) -> Tensor:
        """(N * V, D) of each image, before a Siamese network joins them; raises as `features`."""
        self._need_features()
        return self._deep(self.normalize(images))[0]

    def forward(self, images: Tensor, columns: Tensor | None = None) -> Tensor:
        """(N, C, H, W) in 0..255, uint8 or float, and (N, K, 2) if it takes any → (N, O) logits."""
        outputs = self._looked(images, columns)[0]
        return self._logits(outputs)

    def all_outputs(
        self, images: Tensor, columns: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The logits, and what only training looks at.

        Returns:
            (N, O) logits; then those of the attention branch, if there is one, and of each
            auxiliary head; then () the diversity of prototypes, if the head is made of them.
        """
        outputs, branched = self._looked(images, columns)
        others = [] if branched is None else [branched]
        others += [head(outputs) for head in self.auxiliary]
        if isinstance(self.head, PrototypeHead):
            others.append(self.head.diversity())
        return self._logits(outputs), others

    def attention_maps(self, images: Tensor) -> Tensor:
        """Where the attention branch looks.

        Args:
            images: (N, C, H, W) in 0..255, uint8 or float.

        Returns:
            (N, h, w) in [0, 1], as coarse as the backbone's last map.

        Raises:
            ConfigError: there is no attention branch.
        """
        if self.branch is None:
            raise ConfigError(
                "the network has no attention branch, so no maps of it",
                remedy="set model.branch: {name: attention}",
            )
        attention, _ = self.branch(self._maps(self.normalize(images)))
        found: Tensor = attention[:, 0]
        return found

    def unknown_columns(self, num: int) -> tuple[Tensor, ...]:
        """What `forward` takes beside images where nothing is known: (num, K, 2), or nothing."""
        if self.columns is None:
            return ()
        kinds = len(self.columns.kinds)
        return (torch.full((num, kinds, 2), torch.nan, device=self.mean.device),)

    def _looked(self, images: Tensor, columns: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What the head is given, and the logits of the attention branch."""
        pixels = self.normalize(images)
        outputs, branched = self._deep(pixels)
        outputs = self._joined(outputs)
        parts = [outputs]
        if self.columns is not None:
            assert columns is not None, "the network takes table columns"
            parts.append(self.columns(columns))
        if self.shallow is not None:
            parts.append(self._joined(self.shallow(pixels)))
        return (torch.cat(parts, dim=1) if len(parts) > 1 else outputs), branched

    def _deep(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        outputs: Tensor
        if self.branch is None:
            outputs = self.backbone(pixels)
            return outputs, None
        maps = self._maps(pixels)
        attention, branched = self.branch(maps)
        outputs = self.backbone.forward_head(maps * (1.0 + attention))  # type: ignore[operator]
        return outputs, branched

    def _joined(self, features: Tensor) -> Tensor:
        return features if self.siamese is None else self.siamese.join(features)

    def _maps(self, pixels: Tensor) -> Tensor:
        maps: Tensor = self.backbone.forward_features(pixels)  # type: ignore[operator]
        return maps

    def _logits(self, outputs: Tensor) -> Tensor:
        logits: Tensor = self.head(outputs) if self.has_features else outputs
        return logits if self.offset is None else logits + self.offset

    def _need_features(self) -> None:
        if not self.has_features:
            raise ConfigError(
                f"{type(self.backbone).__name__} ends in something other than one linear layer, "
                "so it has no features for a solved head",
                remedy="use freeze: none and head_start: false, or another network",
            )


def _standardised(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    # Converted first: a subtraction of mixed types takes a CPU several times as long.
    pixels = images.float()
    centred = images - mean if pixels is images else pixels.sub_(mean)
    return centred.div_(std)
