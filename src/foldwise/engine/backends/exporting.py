"""A network as an ONNX model of one shape, the normalisation of images inside."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor

from foldwise.models.network import Network

Inputs = tuple[Tensor, ...]

_NAMES = ("images", "columns")


def exported(network: Network, inputs: Inputs) -> bytes:
    """The ONNX model of a network in eval mode, weights included.

    Args:
        network: left as it is.
        inputs: what it takes; shapes and types count, values do not.

    Raises:
        Exception: what torch raises where it, or ONNX, lacks an operation.
    """
    # As layers are written: runtimes find the layout of memory that suits them by themselves, and
    # match their own patterns of operations on the plain one.
    plain = copy.deepcopy(network).cpu()
    plain.set_layout("channels_first")
    given = tuple(torch.zeros(each.shape, dtype=each.dtype) for each in inputs)
    with warnings.catch_warnings(), torch.autocast("cpu", enabled=False):
        warnings.simplefilter("ignore")  # Of torch's own exporter, about itself.
        program = torch.onnx.export(
            plain,
            given,
            input_names=_NAMES[: len(given)],
            output_names=["logits"],
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model: bytes = program.model_proto.SerializeToString()
    return model
