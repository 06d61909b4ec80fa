"""Takes the last linear layer off a network, so that what comes before it are its features."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def classifier_name(network: nn.Module) -> str | None:
    """Name inside `network` of the linear layer it calls its classifier or head; None: none."""
    named = getattr(network, "get_classifier", None)
    classifier = named() if named is not None else getattr(network, "head", None)
    if not isinstance(classifier, nn.Linear):
        return None
    return next((name for name, module in network.named_modules() if module is classifier), None)


def split_head(network: nn.Module, images: Tensor) -> nn.Linear | None:
    """Put an identity in the place of the head, if the head is the last thing the network does.

    Args:
        network: in eval mode; afterwards it gives features if there is a head.
        images: (1, C, H, W) to try it with, on the network's device.

    Returns:
        The head, or None: then the network is as it was.
    """
    name = classifier_name(network)
    if name is None:
        return None
    head = network.get_submodule(name)
    assert isinstance(head, nn.Linear)
    passed: list[Tensor] = []
    place = nn.Identity()
    handle = place.register_forward_hook(lambda module, inputs, output: passed.append(output))
    network.set_submodule(name, place)
    try:
        with torch.no_grad():
            outputs = network(images)
    except RuntimeError:
        # Something is added to the logits, whose number the features do not have.
        outputs = None
    handle.remove()
    # The very tensor: nothing may come after the head, not even of the same shape.
    if len(passed) == 1 and outputs is passed[0] and outputs.shape == (1, head.in_features):
        return head
    network.set_submodule(name, head)
    return None


def take_head(network: nn.Module) -> nn.Linear:
    """`split_head` for a network whose twin has been split."""
    name = classifier_name(network)
    assert name is not None
    head = network.get_submodule(name)
    assert isinstance(head, nn.Linear)
    network.set_submodule(name, nn.Identity())
    return head
