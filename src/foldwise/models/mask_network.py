"""A network whose logits are maps: maps of an encoder, decoded to the size of the images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from foldwise.models.network import Network


class Encoder(nn.Module):
    """An encoder, its layers numbered as in the whole network that it is the front of.

    Args:
        encoder: normalised images → maps, each half as large as the one before.
        layers: number of the layer of each of its weights, from the input on.
        undecayed: names of weights that no decay is to pull at.
        dropped: weights of the whole network that no map comes from.
    """

    def __init__(
        self,
        encoder: nn.Module,
        *,
        layers: Mapping[str, int],
        undecayed: Collection[str] = (),
        dropped: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.layers = dict(layers)
        self.undecayed = frozenset(undecayed)
        self.dropped = tuple(dropped)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """(N, C, H, W) → maps; the first may be the images themselves."""
        maps: list[Tensor] = self.encoder(pixels)
        return maps

    def group_matcher(self, coarse: bool = False) -> Callable[[str], int]:
        """Layers in order, in the words of timm's networks."""
        return self.layers.__getitem__

    def no_weight_decay(self) -> set[str]:
        """As timm's networks say it."""
        return set(self.undecayed)


class MaskDecoder(nn.Module):
    """Maps to masks.

    Args:
        body: maps → one map.
        last: that map → (N, K, H, W) logits.
        presence: the last map's means → (N, K) logits of which classes are there; None: without.
    """

    presence: nn.Linear | None

    def __init__(self, body: nn.Module, last: nn.Module, presence: nn.Linear | None) -> None:
        super().__init__()
        self.body = body
        self.last = last
        self.register_module("presence", presence)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps of an encoder → (N, K, H, W) logits."""
        logits: Tensor = self.last(self.body(maps))
        return logits

    def begin_at(self, logits: Sequence[float]) -> None:
        """Let the last layer start from these logits everywhere, but for its random weights.

        Args:
            logits: one for each output.
        """
        layers = [layer for layer in self.last.modules() if isinstance(layer, nn.Conv2d)]
        bias = layers[-1].bias
        assert bias is not None, "the last layers of all decoders have one"
        with torch.no_grad():
            bias.copy_(torch.as_tensor(logits))


class MaskNetwork(Network):
    """Images in 0..255 to a map of logits for each class, as large as the images.

    Images of any size are taken: they are filled up at the right and at the foot to whole steps
    of the encoder, and the logits cut back. They are filled with 0 after normalising, the mean
    colour, as every convolution inside fills up what it sees: that goes with any size, and the
    pixels keep their places on the encoder's grid.

    Args:
        backbone: normalised images → maps if `decoder` is given, else → (N, K, H, W) logits.
        decoder: maps → logits; None: the network is one piece.
        mean: of the images, channels in 0..1.
        std: the same.
        stride: pixels of the encoder's step; 1: it takes any size.
        steps: of which a side has at least so many.
        auxiliary: further heads on the means of the last map, for training alone.

    Attributes:
        decoder: as given.
        stride: as given.
        least: pixels of the smallest side that is not filled up.
    """

    decoder: MaskDecoder | None

    def __init__(
        self,
        backbone: nn.Module,
        decoder: MaskDecoder | None,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        stride: int = 1,
        steps: int = 1,
        auxiliary: Sequence[nn.Linear] = (),
    ) -> None:
        super().__init__(backbone, None, mean=mean, std=std, auxiliary=auxiliary)
        self.register_module("decoder", decoder)
        self.stride, self.least = stride, stride * steps
        self.set_layout(self.layout)

    @property
    def end(self) -> nn.Module | None:
        """The decoder; None: the network is one piece."""
        return self.decoder

    def forward(self, images: Tensor, columns: Tensor | None = None) -> Tensor:
        """(N, C, H, W) in 0..255, uint8 or float → (N, K, H, W) logits."""
        return self._decoded(images)[0]

    def all_outputs(
        self, images: Tensor, columns: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The logits, and what only training looks at.

        Returns:
            (N, K, H, W) logits; then (N, K) of which classes are there, if the decoder says so,
            and those of each auxiliary head.
        """
        logits, maps = self._decoded(images)
        heads = list(self.auxiliary)
        if self.decoder is not None and self.decoder.presence is not None:
            heads.insert(0, self.decoder.presence)
        means = _means(maps) if heads else None
        return logits, [head(means) for head in heads]

    def features(self, images: Tensor, columns: Tensor | None = None) -> Tensor:
        """Means of the encoder's last map.

        Args:
            images: (N, C, H, W) in 0..255, uint8 or float.
            columns: none are taken.

        Returns:
            (N, D) float.

        Raises:
            ConfigError: the network is one piece.
        """
        if self.decoder is None:
            self._need_features()
        return _means(self.backbone(self._filled(images)))

    def image_features(self, images: Tensor) -> Tensor:
        """As `features`."""
        return self.features(images)

    def apart_features(self, images: Tensor) -> Tensor:
        """As `features`: a sample has one image."""
        return self.features(images)

    def _decoded(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits, cut to the images' size, and the maps they come from."""
        outputs = self.backbone(self._filled(images))
        logits, maps = (outputs, []) if self.decoder is None else (self.decoder(outputs), outputs)
        height, width = images.shape[2:]
        return logits[:, :, :height, :width], maps

    def filled_side(self, side: int) -> int:
        """Pixels of a side as it is computed, filled up."""
        return max(side + -side % self.stride, self.least)

    def _filled(self, images: Tensor) -> Tensor:
        pixels = self.normalize(images)
        foot, right = (self.filled_side(side) - side for side in pixels.shape[2:])
        return functional.pad(pixels, (0, right, 0, foot)) if foot or right else pixels


def _means(maps: list[Tensor]) -> Tensor:
    return maps[-1].mean(dim=(2, 3))
