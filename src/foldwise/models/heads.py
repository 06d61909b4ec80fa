"""The linear layer a network ends in: taken off, so that what is before are its features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional


class SharedHead(nn.Linear):
    """A linear head whose outputs share their weights: they differ by their biases only.

    Biases start falling from 1 to 1 / O, as do the chances to be above one border after another.

    Args:
        num_features: D.
        num_outputs: O.

    Attributes:
        weight: (1, D).
        bias: (O,).
    """

    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__(num_features, 1)
        self.out_features = num_outputs
        self.bias = nn.Parameter(torch.arange(num_outputs, 0, -1) / num_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) features → (N, O) logits."""
        return functional.linear(features, self.weight) + self.bias


def stored_head(tensors: Mapping[str, Tensor]) -> nn.Linear:
    """The head that `weight` and `bias` are of."""
    (num_weights, num_features), num_outputs = tensors["weight"].shape, len(tensors["bias"])
    kind = nn.Linear if num_weights == num_outputs else SharedHead
    head = kind(num_features, num_outputs)
    head.load_state_dict(tensors)
    return head


def classifier_name(network: nn.Module) -> str | None:
    """Name inside `network` of the linear layer it calls its classifier or head; None: none."""
    named = getattr(network, "get_classifier", None)
    classifier = named() if named is not None else getattr(network, "head", None)
    if not isinstance(classifier, nn.Linear):
        return None
    return next((name for name, module in network.named_modules() if module is classifier), None)


def num_head_features(network: nn.Module) -> int | None:
    """Features that its classifier takes; None: it has none that is linear."""
    name = classifier_name(network)
    if name is None:
        return None
    head = network.get_submodule(name)
    assert isinstance(head, nn.Linear)
    return head.in_features


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
