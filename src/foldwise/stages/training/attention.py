"""Where a unit's attention branch looks, on a handful of held-out images; kept for the report."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from foldwise.engine.infer import infer
from foldwise.models.network import Network
from foldwise.predictions import Predictions
from foldwise.publish import publish
from foldwise.stages.training.at_work import UnitWork
from foldwise.views import views_of

#: Images that are shown: the surest and the most mistaken ones, then one of each class.
_SUREST, _WORST, _MOST = 3, 3, 12


@dataclass(frozen=True)
class AttentionMaps:
    """Where the branch looks.

    Attributes:
        ids: (n,) of held-out samples.
        reasons: (n,) why each is shown.
        maps: (n, h, w) float32 in [0, 1].
    """

    ids: tuple[str, ...]
    reasons: tuple[str, ...]
    maps: np.ndarray


def save_attention(at_work: UnitWork, network: Network, valid: Predictions) -> None:
    """Write the maps of a trained network for some of the held-out rows.

    Args:
        at_work: the unit; it holds a fold out.
        network: with an attention branch.
        valid: its predictions for the held-out rows.
    """
    problem, unit = at_work.unit.problem, at_work.unit
    perfect = problem.one_hot[unit.valid_rows]
    chosen = choose_shown(valid.scores, perfect)
    samples = problem.train.take(unit.valid_rows[list(chosen)])
    sizes: list[torch.Size] = []

    def look(images: torch.Tensor) -> torch.Tensor:
        maps = network.attention_maps(images)
        sizes.append(maps.shape[1:])
        return maps.flatten(1)

    network.to(at_work.device).eval()
    found = infer(
        look,
        replace(at_work.assembly.feed.source(samples), columns=None),
        views=views_of(["identity"]),
        batch=min(len(chosen), at_work.eval_batch),
        device=at_work.device,
        workers=0,
        autocast=at_work.autocast,
        halved=at_work.halve,
    )["identity"]
    maps = torch.from_numpy(found.reshape(-1, *sizes[0])).float().contiguous()
    about = {
        "ids": json.dumps(list(map(str, samples.ids))),
        "reasons": json.dumps([*chosen.values()]),
    }
    publish(unit.folder.attention, lambda part: save_file({"maps": maps}, part, metadata=about))


def read_attention(path: Path) -> AttentionMaps:
    """The maps of a unit."""
    with safe_open(path, framework="numpy") as file:
        about = file.metadata()
        ids, reasons = (tuple(json.loads(about[key])) for key in ("ids", "reasons"))
        return AttentionMaps(ids, reasons, file.get_tensor("maps"))


def choose_shown(scores: np.ndarray, perfect: np.ndarray) -> dict[int, str]:
    """Rows to be shown → why: the surest, the most mistaken, then the surest of each class.

    Args:
        scores: (N, C) on the common scale.
        perfect: (N, C) what would be right.

    >>> scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> list(choose_shown(scores, np.array([[1, 0], [1, 0], [0, 1]])).items())[0]
    (0, 'among the surest')
    """
    distance = np.abs(scores - perfect).sum(axis=1)
    order = [int(row) for row in np.argsort(distance, kind="stable")]
    num_worst = min(_WORST, len(order) // 2)
    chosen = dict.fromkeys(order[:_SUREST], "among the surest")
    worst = [row for row in order[::-1][:num_worst] if row not in chosen]
    chosen |= dict.fromkeys(worst, "among the most mistaken")
    for column in range(perfect.shape[1]):
        of_class = [row for row in order if perfect[row, column] == 1 and row not in chosen]
        if of_class and len(chosen) < _MOST:
            chosen[of_class[0]] = "the surest left of its class"
    return chosen
