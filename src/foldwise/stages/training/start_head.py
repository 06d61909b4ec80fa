"""The head that a pretrained network starts from, and the run's reference: solved, not trained."""

from __future__ import annotations

import numpy as np
import torch
from safetensors.torch import save_file

from foldwise import predictions as predictions_file
from foldwise.models.composed_head import solve
from foldwise.models.heads import stored_head
from foldwise.models.linear_head import LinearHead
from foldwise.models.network import Network
from foldwise.publish import publish
from foldwise.stages.training.at_work import UnitWork
from foldwise.stages.training.course import rows_of


def start_head(at_work: UnitWork, network: Network) -> None:
    """Solve the head on frozen features; its predictions are the run's reference.

    Extra rows come in with the first epoch: the reference is what they are judged against, too.
    Where some train rows choose the epoch, training starts from a head that has not seen them.
    """
    unit = at_work.unit
    at_work.report("head", 0, 1)
    solved = _solved(at_work, network, unit.train_rows)
    fitted, _ = rows_of(unit)
    if unit.recipe.train.stop == "inner" and at_work.assembly.stages(unit.epochs):
        start = _tensors(at_work, _solved(at_work, network, fitted), fitted)
    else:
        start = _tensors(at_work, solved, unit.train_rows)
    at_work.report("head", 1, 1)
    at_work.head = solved.note
    head = stored_head(start)
    with torch.no_grad():
        # What a shallow stream adds has not been trained, and counts for nothing at first.
        network.head.weight.zero_()
        network.head.weight[:, : head.in_features] = head.weight
        network.head.bias.copy_(head.bias)
    tensors = _tensors(at_work, solved, unit.train_rows)
    publish(unit.folder.head, lambda part: save_file(tensors, part))
    if at_work.is_frozen:
        return
    reference = stored_head(tensors)
    if unit.fold is not None:
        held_out = at_work.score_features(reference, held_out=True)
        predictions_file.write(unit.folder.reference_valid, held_out)
    test = at_work.score_features(reference, held_out=False)
    predictions_file.write(unit.folder.reference_test, test)


def _solved(at_work: UnitWork, network: Network, rows: np.ndarray) -> LinearHead:
    unit, assembly = at_work.unit, at_work.assembly
    solver = assembly.formulation.solver
    assert solver is not None, "the recipe was checked"
    num_views = len(at_work.features)
    target = assembly.formulation.encode(unit.problem.target[rows], unit.problem.num_classes)
    groups = unit.problem.groups
    weights = assembly.balancing.class_weights(rows)
    return solve(
        np.concatenate([found[rows] for found in at_work.features.values()]),
        np.concatenate([target] * num_views),
        solver,
        num_outputs=network.head.out_features,
        # Views of one sample are one group: the inner folds must not see it from another side.
        groups=np.tile(unit.problem.train.ids[rows] if groups is None else groups[rows], num_views),
        sample_weight=None if weights is None else np.tile(weights, num_views),
        seed=unit.seed,
    )


def _tensors(at_work: UnitWork, solved: LinearHead, rows: np.ndarray) -> dict[str, torch.Tensor]:
    """Weight and bias; with the shift that the loss of these rows adds, the solved logits."""
    shift = at_work.assembly.balancing.logit_shift(rows, at_work.unit.extra)
    bias = solved.bias if shift is None else solved.bias - shift
    return {
        "weight": torch.from_numpy(solved.weight).float().contiguous(),
        "bias": torch.from_numpy(bias).float().contiguous(),
    }
