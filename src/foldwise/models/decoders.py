"""How maps of an encoder become masks: decoders by name, on any encoder of timm's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from foldwise.errors import ConfigError

#: What all of the library's networks take: the encoder's name and options, channels, classes.
Common = Mapping[str, Any]
Channels = Annotated[int, Field(ge=8, le=1024)]
#: Groups of 32 are normalised together.
Grouped = Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
#: One for each map, from the coarsest on.
Widths = tuple[Channels, Channels, Channels, Channels, Channels]
Rate = Annotated[float, Field(ge=0, lt=1)]
Norm = Literal["batch", "instance", "none"]
Rates = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]

_WIDTHS = (256, 128, 64, 32, 16)
_NORMS = {"batch": "batchnorm", "instance": "instancenorm", "none": "identity"}


def unet(
    common: Common,
    *,
    channels: Widths = _WIDTHS,
    attention: Literal["scse"] | None = None,
    norm: Norm = "batch",
) -> nn.Module:
    """Each map, doubled in size, is joined by the encoder's of that size.

    Args:
        common: of the network.
        channels: of each step, the coarsest first.
        attention: scse weighs channels and places (Roy et al. (2018)).
        norm: of its layers.

    Source: Ronneberger, Fischer and Brox (2015), "U-Net", MICCAI.
    """
    return _made(
        "Unet",
        common,
        decoder_channels=channels,
        decoder_attention_type=attention,
        decoder_use_norm=_NORMS[norm],
    )


def unetplusplus(
    common: Common,
    *,
    channels: Widths = _WIDTHS,
    attention: Literal["scse"] | None = None,
    norm: Norm = "batch",
) -> nn.Module:
    """A U-Net with steps between: three to five times its work.

    Args:
        common: of the network.
        channels: of each step, the coarsest first.
        attention: scse weighs channels and places.
        norm: of its layers.

    Source: Zhou et al. (2018), "UNet++: a nested U-Net architecture", DLMIA.
    """
    return _made(
        "UnetPlusPlus",
        common,
        decoder_channels=channels,
        decoder_attention_type=attention,
        decoder_use_norm=_NORMS[norm],
    )


def fpn(
    common: Common,
    *,
    channels: Channels = 256,
    segmentation_channels: Grouped = 128,
    merge: Literal["add", "cat"] = "add",
    dropout: Rate = 0.2,
) -> nn.Module:
    """A feature pyramid, whose levels are summed at a quarter of the image's size.

    Args:
        common: of the network.
        channels: of the pyramid.
        segmentation_channels: of the branches that bring its levels to one size.
        merge: how they come together.
        dropout: of whole channels before the last layer.

    Source: Kirillov et al. (2019), "Panoptic feature pyramid networks", CVPR.
    """
    return _made(
        "FPN",
        common,
        decoder_pyramid_channels=channels,
        decoder_segmentation_channels=segmentation_channels,
        decoder_merge_policy=merge,
        decoder_dropout=dropout,
    )


def deeplabv3plus(
    common: Common,
    *,
    channels: Channels = 256,
    rates: Rates = (12, 24, 36),
    stride: Literal[8, 16] = 16,
    dropout: Rate = 0.5,
) -> nn.Module:
    """Dilated convolutions side by side on the last map, refined by one at a quarter's size.

    Args:
        common: of the network.
        channels: of the decoder.
        rates: of dilation; about half of them for crops of 256 px.
        stride: of the encoder's last map; not every encoder takes less than 32.
        dropout: after the dilated convolutions.

    Source: Chen et al. (2018), "Encoder-decoder with atrous separable convolution for semantic
    image segmentation", ECCV.
    """
    return _made(
        "DeepLabV3Plus",
        common,
        decoder_channels=channels,
        decoder_atrous_rates=rates,
        encoder_output_stride=stride,
        decoder_aspp_dropout=dropout,
    )


def segformer(common: Common, *, channels: Channels = 256) -> nn.Module:
    """One linear layer for each map, all brought to a quarter of the image's size and fused.

    Args:
        common: of the network.
        channels: of the decoder.

    Source: Xie et al. (2021), "SegFormer", NeurIPS.
    """
    return _made("Segformer", common, decoder_segmentation_channels=channels)


def upernet(common: Common, *, channels: Channels = 256, norm: Norm = "batch") -> nn.Module:
    """A feature pyramid with means over several grids on top.

    Args:
        common: of the network.
        channels: of the decoder.
        norm: of its layers; batch wants several images in a batch, and a single one takes the
            running statistics of means over the whole image.

    Source: Xiao et al. (2018), "Unified perceptual parsing for scene understanding", ECCV.
    """
    return _made("UPerNet", common, decoder_channels=channels, decoder_use_norm=_NORMS[norm])


def linknet(common: Common, *, norm: Norm = "batch") -> nn.Module:
    """Each map, doubled in size, is added to the encoder's: the lightest of all.

    Args:
        common: of the network.
        norm: of its layers.

    Source: Chaurasia and Culurciello (2017), "LinkNet", VCIP.
    """
    return _made("Linknet", common, decoder_use_norm=_NORMS[norm])


def pan(common: Common, *, channels: Channels = 32, stride: Literal[16, 32] = 16) -> nn.Module:
    """Attention over several sizes on the last map, which guides the finer ones.

    Args:
        common: of the network.
        channels: of the decoder.
        stride: of the encoder's last map; not every encoder takes less than 32. That map has
            8 x 8 places or more, so that crops of less than 128 px (256 px) are wasted on it.

    Source: Li et al. (2018), "Pyramid attention network for semantic segmentation", BMVC.
    """
    return _made("PAN", common, decoder_channels=channels, encoder_output_stride=stride)


def manet(
    common: Common,
    *,
    channels: Widths = _WIDTHS,
    attention_channels: Channels = 64,
    norm: Norm = "batch",
) -> nn.Module:
    """A U-Net with attention over places on the last map and over channels at each step.

    Args:
        common: of the network.
        channels: of each step, the coarsest first.
        attention_channels: of the attention over places, whose memory grows with the square of
            the last map's places.
        norm: of its layers.

    Source: Fan et al. (2020), "MA-Net", IEEE Access 8.
    """
    return _made(
        "MAnet",
        common,
        decoder_channels=channels,
        decoder_pab_channels=attention_channels,
        decoder_use_norm=_NORMS[norm],
    )


def library() -> Any:
    """The package that decoders come from; what needs no masks goes without it.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import segmentation_models_pytorch
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"model.decoder: {error.name} is not installed",
            remedy="run `pip install 'foldwise[masks]'`",
        ) from error
    return segmentation_models_pytorch


def _made(name: str, common: Common, **options: Any) -> nn.Module:
    network: nn.Module = getattr(library(), name)(**common, **options)
    return network


DECODERS: dict[str, Any] = {
    "unet": unet,
    "unetplusplus": unetplusplus,
    "fpn": fpn,
    "deeplabv3plus": deeplabv3plus,
    "segformer": segformer,
    "upernet": upernet,
    "linknet": linknet,
    "pan": pan,
    "manet": manet,
}
