"""What the mean over several models brings, as far as repeated seeds show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.predictions import Predictions, concatenate
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.units import unit_dir
from foldwise.stages.scoring.held_out import HeldOut


@dataclass(frozen=True)
class Averaging:
    """How a score grows with the number of models whose mean it is of.

    The error that differs from model to model shrinks with their number n, as 1 / n; so what is
    between one seed and several tells what is between any two numbers. Models of other folds are
    trained on other rows and differ more, so it is no more than an estimate, and a cautious one.

    Attributes:
        num_seeds: whose mean the out-of-fold scores are.
        gain: of their mean over one of them, in the metric, at least 0; better is more.
    """

    num_seeds: int
    gain: float

    def beyond(self, num_models: int) -> float:
        """What the mean of so many models is expected to bring over the out-of-fold score.

        >>> Averaging(2, 0.01).beyond(1), Averaging(2, 0.01).beyond(2), Averaging(2, 0.01).beyond(4)
        (-0.01, 0.0, 0.005)
        """
        whole = self.gain / (1 - 1 / self.num_seeds)
        return whole * (1 / self.num_seeds - 1 / num_models)


def averaging(node: Node, held: HeldOut) -> Averaging | None:
    """From the units of a node with two seeds or more in every fold; None: it has fewer.

    Args:
        node: a run, or a blend.
        held: its out-of-fold rows; the final blend and decision are applied to all seeds alike.
    """
    seeds = _common_seeds(node)
    if len(seeds) < 2:
        return None
    metric = held.problem.metric
    try:
        every = _of_seeds(node, held, seeds).score(metric)
        single = [_of_seeds(node, held, [seed]).score(metric) for seed in seeds]
    except ValueError:  # Undefined on these rows.
        return None
    gain = every - float(np.mean(single))
    return Averaging(len(seeds), max(0.0, gain if metric.higher_is_better else -gain))


def _common_seeds(node: Node) -> list[int]:
    """Seeds that every run below has in every one of its folds."""
    found: set[int] | None = None
    for leaf in node.leaves:
        by_fold: dict[str, set[int]] = {}
        for unit in leaf.units:
            fold, _, seed = unit.split("/")[1].partition("-seed")
            if not fold.startswith("fold"):  # Trained on all rows: it has none held out.
                return []
            by_fold.setdefault(fold, set()).add(int(seed))
        common = set.intersection(*by_fold.values())
        found = common if found is None else found & common
    return sorted(found or ())


def _of_seeds(node: Node, held: HeldOut, seeds: Sequence[int]) -> HeldOut:
    """The rows with the mean over some seeds, all decided by the final decision."""
    folds = {
        leaf.name: sorted({unit.partition("-seed")[0] for unit in leaf.units})
        for leaf in node.leaves
    }
    home, ids = held.problem.home, held.problem.train.ids[held.rows]

    def scores_of(pseudo: str, is_reference: bool) -> Predictions:
        name, _, seed = pseudo.rpartition("@")
        parts = []
        for fold in folds[name]:
            unit = unit_dir(home, f"{fold}-seed{seed}")
            parts.append(
                predictions_file.read(unit.reference_valid if is_reference else unit.valid)
            )
        return concatenate(parts)

    scores = _by_seed(node, seeds).scores(held.problem, scores_of, ids)
    return replace(held.with_scores(scores), by_fold=None)


def _by_seed(node: Node, seeds: Sequence[int]) -> Node:
    """The node whose units are seeds, each with all folds together."""
    if node.members:
        gate = None if node.gate is None else _by_seed(node.gate, seeds)
        members = tuple(_by_seed(member, seeds) for member in node.members)
        return replace(node, members=members, gate=gate)
    return replace(node, units=tuple(f"{node.name}@{seed}" for seed in seeds))
