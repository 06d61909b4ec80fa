"""Which backend scores a network's images on this machine: a trial, kept with what it holds for."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from foldwise.data.batches import Source, eval_batches
from foldwise.engine.backends import BackendTrial, choose_backend, trial_key
from foldwise.engine.backends.checking import Activate
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.models.network import Network
from foldwise.publish import publish_json


def tried_backends(
    home: Home,
    network: Network,
    source: Source,
    *,
    batch: int,
    activate: Activate,
    half: torch.dtype | None,
    num_images: int,
) -> BackendTrial:
    """The trial that is stored for such a network, machine and number of images, else a new one.

    Args:
        home: keeps trials in its cache.
        network: in eval mode, on its device.
        source: images to try it on; at least one.
        batch: images of a pass.
        activate: logits → what is handed in.
        half: half precision to compute in, or None.
        num_images: to come for the network, each view counted.
    """
    device = next(network.parameters()).device
    (first,) = islice(eval_batches(source, batch=batch, workers=0), 1)
    inputs = first.inputs(device)
    key = trial_key(network, inputs, half=half)
    path = trial_file(home, key)
    stored = read_json(path)
    if stored is not None:
        known = BackendTrial.from_json(stored)
        if known.holds(key, num_images):
            return replace(known, num_images=num_images)
    found = choose_backend(network, inputs, num_images=num_images, activate=activate, half=half)
    publish_json(path, found.to_json())
    return found


def trial_file(home: Home, key: str) -> Path:
    """Where the trial of a key is kept."""
    return home.step_trial("backend", key)
