"""Networks that give masks: a decoder on a timm encoder, or a network of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from timm.models import PretrainedCfg, get_pretrained_cfg
from torch import Tensor, nn

from foldwise import parts
from foldwise.errors import ConfigError
from foldwise.models.additions import Additions
from foldwise.models.backbones import Order, first_line, timm_keywords
from foldwise.models.building import build_whole
from foldwise.models.decoders import DECODERS, library
from foldwise.models.encoders import check_maps, encoder_of
from foldwise.models.loading import mismatch
from foldwise.models.lone_norms import lone_norms
from foldwise.models.mask_network import MaskDecoder, MaskNetwork
from foldwise.models.small import NETWORKS
from foldwise.models.weights import Weights

# What a library raises where an encoder and a decoder do not go together.
_UNFIT = (
    RuntimeError,  # NotImplementedError too.
    ValueError,
    AssertionError,
    TypeError,
    LookupError,
    AttributeError,
)
_STEPS = (1, 2, 4, 8)
#: Of the last layer and the presence head: other classes have others.
_OF_CLASSES = ("decoder.last.", "decoder.presence.", "auxiliary.")


def build_masks(
    *,
    name: str,
    decoder: parts.Spec | None,
    num_outputs: int,
    channels: int = 3,
    num_images: int = 1,
    size: int,
    drop: float = 0.0,
    drop_path: float = 0.0,
    weights: Weights | None = None,
    options: Mapping[str, Any] | None = None,
    code: Path | None = None,
    additions: Additions | None = None,
    presence: bool = False,
    first_logits: Sequence[float] | None = None,
) -> MaskNetwork:
    """A network that gives a map of logits for each class; nothing is downloaded.

    A network of one's own is `module:attribute`, a callable
    `f(*, num_outputs, channels, **options) -> nn.Module` that takes normalised float images
    (N, C, H, W) and gives (N, num_outputs, H, W). Its attribute `stride`, if it has one, is what
    the sides of its images are to be multiples of: other sizes are then filled up and cut back.

    Args:
        name: of timm, or module:attribute.
        decoder: name in `DECODERS` with options; None: the network gives maps itself.
        num_outputs: logits per pixel.
        channels: of an image.
        num_images: of a sample; stacked as channels.
        size: side of the images in pixels that it is tried at; it takes other ones.
        drop: of a network of one's own; decoders have their own option.
        drop_path: stochastic depth of the encoder.
        weights: from `resolve`: of the whole timm network, or of such a network as this one.
        options: further options of the network.
        code: folder of the competition's own code.
        additions: of which only auxiliary heads go with masks.
        presence: whether there is a head for which classes are there.
        first_logits: what a decoder with a fresh last layer begins from, one for each output;
            None: 0.

    Raises:
        ConfigError: unknown name (nearest given) or option, a network that cannot be an encoder,
            weights that do not fit, or an addition that goes with vectors only.
    """
    added = additions or Additions()
    _refuse(added, drop, decoder, presence)
    order = Order(
        name,
        num_outputs,
        channels * num_images,
        size,
        drop,
        drop_path,
        dict(options or {}),
        code,
        gives_maps=decoder is None,
    )
    if decoder is None:
        return _own(order, weights, num_images)
    if name in NETWORKS or ":" in name:
        raise ConfigError(
            f"network {name} has no maps that a decoder could take",
            remedy="give a name of timm's, or take model.decoder out for a network of your own "
            "that gives masks itself",
        )
    tensors = None if weights is None else weights.read()
    is_resumed = tensors is not None and any(key.startswith("decoder.") for key in tensors)
    network = _decoded(order, decoder, None if is_resumed else weights, num_images, added, presence)
    if first_logits is not None:
        assert network.decoder is not None
        network.decoder.begin_at(first_logits)
    if is_resumed and tensors is not None and weights is not None:
        _load(network, tensors, weights.source)
    return network


def _refuse(added: Additions, drop: float, decoder: parts.Spec | None, presence: bool) -> None:
    keys = [key for key in added.need_features if key != "auxiliary" or decoder is None]
    keys += ["model.pool"] if added.pool is not None else []
    keys += ["model.presence"] if presence and decoder is None else []
    if keys:
        raise ConfigError(
            *(f"{key}: does not go with a network that gives masks" for key in keys),
            remedy="take it out",
        )
    if drop and decoder is not None:
        raise ConfigError(
            "model.drop: a decoder has no features to drop before a head",
            remedy="take it out; decoders fpn and deeplabv3plus have an option dropout",
        )


def _own(order: Order, weights: Weights | None, num_images: int) -> MaskNetwork:
    if ":" not in order.name:
        raise ConfigError(
            f"network {order.name} gives one vector for an image, and masks are asked for",
            remedy=f"set model.decoder to one of {', '.join(DECODERS)}",
        )
    built = build_whole(order, weights, num_images)
    mean, std = built.statistics
    stride = int(getattr(built.backbone, "stride", 1))
    return MaskNetwork(built.backbone, None, mean=mean, std=std, stride=stride)


def _decoded(
    order: Order,
    decoder: parts.Spec,
    weights: Weights | None,
    num_images: int,
    added: Additions,
    presence: bool,
) -> MaskNetwork:
    """The decoder on the encoder, with the weights that a network for classes starts from."""
    bound = parts.bind(DECODERS, decoder, what="decoder")
    library()  # Not to be imported first where all that is made lies on the meta device.
    whole = build_whole(order, weights, num_images)
    check_maps(order)
    # On the meta device nothing is allocated: what does not fit costs no time.
    with torch.device("meta"):
        sketch = _made(order, decoder, bound).eval()
        steps = _fewest_steps(order, decoder, sketch)
    made = _made(order, decoder, bound)
    lone_norms(made.decoder)
    num_features = made.encoder.out_channels[-1]
    mean, std = whole.statistics
    return MaskNetwork(
        encoder_of(made.encoder, whole.backbone),
        MaskDecoder(
            made.decoder,
            made.segmentation_head,
            nn.Linear(num_features, order.num_outputs) if presence else None,
        ),
        mean=mean,
        std=std,
        stride=made.encoder.output_stride,
        steps=steps,
        auxiliary=[nn.Linear(num_features, num) for num in added.auxiliary],
    )


def _made(order: Order, decoder: parts.Spec, bound: Callable[..., Any]) -> Any:
    """The library's network, its weights drawn at random."""
    keywords = timm_keywords(order, get_pretrained_cfg(order.name) or PretrainedCfg())
    # The library gives it to timm itself; `encoder_weights` would download unless it is None.
    channels = keywords.pop("in_chans")
    try:
        return bound(
            {
                "encoder_name": f"tu-{order.name}",
                "encoder_weights": None,
                "in_channels": channels,
                "classes": order.num_outputs,
                **keywords,
            }
        )
    except _UNFIT as error:
        raise ConfigError(
            f"network {order.name} cannot be the encoder of decoder {parts.name_of(decoder)}: "
            f"{first_line(error)}",
            remedy="choose another decoder or network; deeplabv3plus and pan want one that takes a "
            "stride below 32",
        ) from error


def _fewest_steps(order: Order, decoder: parts.Spec, sketch: Any) -> int:
    """How many steps of the encoder a side must have: attention over sizes wants several."""
    stride, reason = sketch.encoder.output_stride, ""
    for steps in _STEPS:
        # Not square: a network that takes one size alone is of no use to images of their own.
        height, width = steps * stride, (steps + 1) * stride
        try:
            with torch.no_grad():
                logits = sketch(torch.zeros(1, order.channels, height, width))
        except _UNFIT as error:
            reason = first_line(error)
            continue
        if logits.shape == (1, order.num_outputs, height, width):
            return steps
        reason = f"gave {tuple(logits.shape[2:])} for {height, width}"
    raise ConfigError(
        f"decoder {parts.name_of(decoder)} on {order.name} does not take images of several sizes: "
        f"{reason}",
        remedy="choose another decoder or network; transformers of timm with windows take several "
        "sizes with model.options: {strict_img_size: false}",
    )


def _load(network: MaskNetwork, tensors: Mapping[str, Tensor], source: str) -> None:
    """Load a mask network's weights strictly, but for the layers of other classes."""
    own = network.state_dict()
    fresh = {
        key: value
        for key, value in own.items()
        if key.startswith(_OF_CLASSES) and (key not in tensors or tensors[key].shape != value.shape)
    }
    given = {
        key: value
        for key, value in tensors.items()
        if not (key.startswith(_OF_CLASSES) and (key in fresh or key not in own))
    }
    try:
        network.load_state_dict({**given, **fresh}, strict=True)
    except RuntimeError as error:
        raise mismatch(source, error) from error
