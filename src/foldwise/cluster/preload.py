"""Imported once by the process that units are forked from, so that a unit starts at once."""

import accelerate  # noqa: F401
import safetensors.torch  # noqa: F401
import sklearn.linear_model  # noqa: F401
import timm  # noqa: F401
import torch  # noqa: F401
import torchvision.transforms.v2.functional  # noqa: F401
