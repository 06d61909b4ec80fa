"""What a unit does in its process: solve the head, fit, score its rows, publish its files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from foldwise import predictions as predictions_file
from foldwise import seeding
from foldwise.data.batches import Source
from foldwise.engine import checkpoint
from foldwise.engine.assemble import Assembly, autocast_dtype
from foldwise.engine.features import features, features_folder
from foldwise.engine.infer import apply_head, infer
from foldwise.models.linear_head import solve_head
from foldwise.models.network import Network
from foldwise.predictions import Predictions
from foldwise.publish import publish, publish_json, step
from foldwise.samples import Samples
from foldwise.stages.progress import Reporter
from foldwise.stages.training.unit import Unit
from foldwise.tasks.task import merge

#: Rows per forward pass in inference: fixed, so that a row's bits never depend on others.
EVAL_BATCH = 64


@dataclass
class UnitWork:
    """A unit at work.

    Attributes:
        unit: what it is.
        assembly: recipe and problem, ready to be run.
        device: where it computes.
        report: where progress goes.
        notes: what the user should know, in the unit's record.
    """

    unit: Unit
    assembly: Assembly
    device: torch.device
    report: Reporter
    notes: list[str]

    @property
    def is_frozen(self) -> bool:
        """Whether only a head on cached features trains."""
        return self.unit.recipe.freeze == "backbone"

    @property
    def autocast(self) -> torch.dtype | None:
        """Half precision of passes through the whole network."""
        return autocast_dtype(self.unit.recipe.train.precision, self.device)

    @property
    def key(self) -> tuple[int, int]:
        """(seed, fold) that all draws are keyed with; fold -1: all rows."""
        return self.unit.seed, -1 if self.unit.fold is None else self.unit.fold

    @cached_property
    def offset(self) -> np.ndarray | None:
        """(O,) prior correction of the logits, or None."""
        return self.assembly.prior_offset(self.unit.train_rows)

    @cached_property
    def features(self) -> dict[str, np.ndarray]:
        """View → (N, D) features of all train rows, then all test rows."""
        return backbone_features(self.assembly, self.device, self.report)

    def predictions(self, samples: Samples, logits: np.ndarray, held_out: bool) -> Predictions:
        """(N, O) logits as predictions on the common scale."""
        problem, formulation = self.unit.problem, self.assembly.formulation
        raw = formulation.activate(logits if self.offset is None else logits + self.offset)
        fold = np.full(len(samples), self.key[1], dtype=np.int64)
        return Predictions(
            ids=samples.ids,
            scores=formulation.to_common(raw, problem.num_classes),
            columns=problem.columns,
            raw=raw,
            raw_columns=formulation.raw_columns(problem.competition.classes),
            folds=fold if held_out else None,
        )

    def score_rows(self, network: Network, samples: Samples, held_out: bool) -> Predictions:
        """Predictions of samples, all views merged, by the one forward pass."""
        if not len(samples):
            num_outputs = self.assembly.formulation.num_outputs(self.unit.problem.num_classes)
            return self.predictions(samples, np.empty((0, num_outputs)), held_out)
        source = self.assembly.source(samples)
        outputs = infer(
            network.to(self.device).eval(),
            source,
            views=self.unit.recipe.views,
            batch=EVAL_BATCH,
            device=self.device,
            workers=self.unit.recipe.train.workers,
            autocast=self.autocast,
            progress=lambda done: self.report("predict", done, len(source)),
        )
        return self.merged(samples, outputs, held_out)

    def score_features(self, head: nn.Module, rows: np.ndarray, held_out: bool) -> Predictions:
        """The same from cached features; `rows` count train rows first, then test rows."""
        problem = self.unit.problem
        num_train = len(problem.train)
        samples = problem.train.take(rows) if held_out else problem.test
        assert held_out or (rows >= num_train).all()
        outputs = {
            view: apply_head(head, found[rows], batch=EVAL_BATCH)
            for view, found in self.features.items()
        }
        return self.merged(samples, outputs, held_out)

    def merged(
        self, samples: Samples, outputs: dict[str, np.ndarray], held_out: bool
    ) -> Predictions:
        """The mean over views."""
        return merge([self.predictions(samples, rows, held_out) for rows in outputs.values()])


def work(unit: Unit, choices: dict[str, Any]) -> str:
    """Do a unit from its last checkpoint on; its record is written last.

    Args:
        unit: what it is; its lock is held.
        choices: threads and device, recorded before they take effect.

    Returns:
        The notes, as one sentence or none.
    """
    from foldwise.stages.training.course import fit_unit

    at_work = _open(unit, choices)
    assembly = at_work.assembly
    torch.manual_seed(seeding.key("weights", *at_work.key))
    network = assembly.network()
    if assembly.is_solved:
        _start_head(at_work, network)
    history = fit_unit(at_work, network) if assembly.stages(unit.epochs) else []
    if unit.recipe.train.stop == "cross" and history:
        publish_json(unit.folder.pending, {"inputs": unit.inputs, "history": history})
        return "trained; its epoch is chosen when the other folds are"
    _finish(at_work, network, len(history))
    checkpoint.clear(unit.folder.checkpoint)
    return "; ".join(at_work.notes)


def finish_pending(unit: Unit, choices: dict[str, Any], epoch: int) -> str:
    """Finish a trained unit with the weights after `epoch` (from 0)."""
    at_work = _open(unit, choices)
    network = at_work.assembly.network()
    module = network.head if at_work.is_frozen else network
    module.load_state_dict(load_file(unit.folder.epoch_weights(epoch)))
    at_work.notes.append(f"epoch {epoch + 1} was chosen on the other folds' curves")
    _finish(at_work, network, epoch + 1)
    checkpoint.clear(unit.folder.checkpoint)
    shutil.rmtree(unit.folder.epoch_weights(0).parent)
    return "; ".join(at_work.notes)


def _open(unit: Unit, choices: dict[str, Any]) -> UnitWork:
    torch.set_num_threads(choices["threads"])
    torch.use_deterministic_algorithms(True, warn_only=True)
    device = torch.device(choices["device"])
    assembly = Assembly(unit.problem, unit.recipe)
    return UnitWork(unit, assembly, device, Reporter(unit.folder.timing), [])


def _finish(at_work: UnitWork, network: Network, num_epochs: int) -> None:
    """Publish weights, predictions and the record of a trained network."""
    unit = at_work.unit
    network.eval()
    if at_work.is_frozen:
        num_train, num_test = len(unit.problem.train), len(unit.problem.test)
        head = network.head.cpu()
        valid = at_work.score_features(head, unit.valid_rows, held_out=True)
        test = at_work.score_features(head, np.arange(num_train, num_train + num_test), False)
    else:
        valid = at_work.score_rows(network, unit.problem.train.take(unit.valid_rows), True)
        test = at_work.score_rows(network, unit.problem.test, held_out=False)
    _bake_prior(at_work, network)
    tensors = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    publish(unit.folder.weights, lambda part: save_file(tensors, part))
    if unit.fold is not None:
        predictions_file.write(unit.folder.valid, valid)
    predictions_file.write(unit.folder.test, test)
    step("record", unit.folder.path)
    publish_json(
        unit.folder.record,
        {
            "inputs": unit.inputs,
            "notes": at_work.notes,
            "epochs": num_epochs,
            "weights_sha256": checkpoint.file_hash(unit.folder.weights),
            "pretrained_sha256": None
            if at_work.assembly.weights is None
            else at_work.assembly.weights.fingerprint,
        },
    )


def backbone_features(
    assembly: Assembly, device: torch.device, report: Reporter
) -> dict[str, np.ndarray]:
    """View → (N, D) float32 of the frozen backbone, train rows first, then test rows."""
    problem = assembly.problem
    train, test = assembly.source(problem.train), assembly.source(problem.test)
    both = Source(
        train.get,
        np.concatenate([train.hashes, test.hashes]),
        np.concatenate([train.counters, test.counters]),
        train.size,
    )
    folder = features_folder(
        problem.home.cache, network=assembly.backbone_print(), pixels=assembly.pixels_print()
    )
    return features(
        folder,
        lambda: _FeaturesOf(assembly.network()),
        both,
        views=assembly.recipe.views,
        batch=EVAL_BATCH,
        device=device,
        workers=assembly.recipe.train.workers,
        progress=lambda done: report("features", done, len(both)),
    )


class _FeaturesOf(nn.Module):
    """A network that stops before its head."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, S, S) uint8 → (B, D)."""
        return self.network.features(images)


def _start_head(at_work: UnitWork, network: Network) -> None:
    """Solve the head on frozen features; its predictions are the run's reference."""
    unit, assembly = at_work.unit, at_work.assembly
    rows = unit.train_rows
    num_views = len(at_work.features)
    target = assembly.formulation.encode(unit.problem.target[rows], unit.problem.num_classes)
    groups = unit.problem.groups
    weights = assembly.class_weights(rows)
    at_work.report("head", 0, 1)
    solved = solve_head(
        np.concatenate([found[rows] for found in at_work.features.values()]),
        np.concatenate([target] * num_views),
        assembly.formulation.solver,
        num_outputs=network.head.out_features,
        # Views of one sample are one group: the inner folds must not see it from another side.
        groups=np.tile(unit.problem.train.ids[rows] if groups is None else groups[rows], num_views),
        sample_weight=None if weights is None else np.tile(weights, num_views),
        seed=unit.seed,
    )
    at_work.report("head", 1, 1)
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(solved.weight))
        network.head.bias.copy_(torch.from_numpy(solved.bias))
    tensors = {
        "weight": network.head.weight.detach().cpu().contiguous(),
        "bias": network.head.bias.detach().cpu().contiguous(),
    }
    publish(unit.folder.head, lambda part: save_file(tensors, part))
    if at_work.is_frozen:
        return
    num_train, num_test = len(unit.problem.train), len(unit.problem.test)
    if unit.fold is not None:
        held_out = at_work.score_features(network.head, unit.valid_rows, held_out=True)
        predictions_file.write(unit.folder.reference_valid, held_out)
    test_rows = np.arange(num_train, num_train + num_test)
    test = at_work.score_features(network.head, test_rows, held_out=False)
    predictions_file.write(unit.folder.reference_test, test)


def _bake_prior(at_work: UnitWork, network: Network) -> None:
    """Put the prior correction into the head's bias, so that the weights alone say it all."""
    if at_work.offset is None:
        return
    with torch.no_grad():
        network.head.bias.add_(torch.from_numpy(at_work.offset).to(network.head.bias))
