"""Imported once by the process that units are forked from, so that a unit starts at once."""

import atexit
import gc

import accelerate  # noqa: F401
import safetensors.torch  # noqa: F401
import sklearn.linear_model  # noqa: F401
import timm  # noqa: F401
import torch  # noqa: F401
import torchvision.transforms.v2.functional  # noqa: F401

# What is imported lives as long as the process: no unit's collection need walk it again, which
# takes a quarter of a second each time and copies the pages that forks would share.
gc.freeze()
atexit.register(gc.unfreeze)  # What is still frozen at the end is reported as leaked.
