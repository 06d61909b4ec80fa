"""A unit at work in its process: its assembly, device and features, and how its rows are scored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from foldwise import device as machine
from foldwise.engine.assemble import Assembly
from foldwise.engine.features import features, features_folder
from foldwise.engine.infer import apply_head, infer
from foldwise.engine.precision import autocast_dtype
from foldwise.models.network import Network
from foldwise.predictions import Predictions
from foldwise.samples import Samples
from foldwise.stages.progress import Reporter
from foldwise.stages.training.choices import Choices
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
        parts: that batches are cut into.
        notes: what the user should know, in the unit's record.
        head: how the head's penalty was chosen, if it was solved.
    """

    unit: Unit
    assembly: Assembly
    device: torch.device
    report: Reporter
    parts: int
    notes: list[str] = field(default_factory=list)
    head: str | None = None

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
        """(O,) float32 prior correction of the logits, or None."""
        found = self.assembly.prior_offset(self.unit.train_rows)
        return None if found is None else found.astype(np.float32)

    @cached_property
    def features(self) -> dict[str, np.ndarray]:
        """View → (N, D) features of all train rows, then all test rows: backbone's, columns'."""
        found = backbone_features(self.assembly, self.device, self.report)
        encoder = self.assembly.column_encoder(self.unit.train_rows)
        if encoder is None:
            return found
        problem = self.unit.problem
        values = [self.assembly.column_values(part) for part in (problem.train, problem.test)]
        known = np.concatenate([part for part in values if part is not None])
        columns = encoder(torch.from_numpy(known)).numpy()
        return {view: np.concatenate([rows, columns], axis=1) for view, rows in found.items()}

    def corrected(self, logits: np.ndarray) -> np.ndarray:
        """(N, O) logits with the prior correction, which a network at the end of training has."""
        return logits if self.offset is None else logits + self.offset

    def predictions(self, samples: Samples, logits: np.ndarray, held_out: bool) -> Predictions:
        """(N, O) corrected logits as predictions on the common scale."""
        problem, formulation = self.unit.problem, self.assembly.formulation
        raw = formulation.activate(logits)
        fold = np.full(len(samples), self.key[1], dtype=np.int64)
        return Predictions(
            ids=samples.ids,
            scores=formulation.to_common(raw, problem.num_classes),
            columns=problem.columns,
            raw=raw,
            raw_columns=formulation.raw_columns(problem.competition.classes),
            folds=fold if held_out else None,
        )

    def score(self, network: Network, *, held_out: bool) -> Predictions:
        """Predictions of a trained network for the held-out fold or the test rows."""
        if self.is_frozen:
            return self.score_features(network.head.cpu(), held_out=held_out)
        problem = self.unit.problem
        samples = problem.train.take(self.unit.valid_rows) if held_out else problem.test
        if not len(samples):
            num_outputs = self.assembly.formulation.num_outputs(problem.num_classes)
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
        return self._merged(samples, outputs, held_out)

    def score_features(self, head: nn.Module, *, held_out: bool) -> Predictions:
        """The same from cached features and a head that lacks the prior correction."""
        problem = self.unit.problem
        num_train, num_test = len(problem.train), len(problem.test)
        rows = self.unit.valid_rows if held_out else np.arange(num_train, num_train + num_test)
        outputs = {
            view: self.corrected(apply_head(head, found[rows], batch=EVAL_BATCH))
            for view, found in self.features.items()
        }
        samples = problem.train.take(rows) if held_out else problem.test
        return self._merged(samples, outputs, held_out)

    def _merged(
        self, samples: Samples, outputs: dict[str, np.ndarray], held_out: bool
    ) -> Predictions:
        """The mean over views."""
        return merge([self.predictions(samples, rows, held_out) for rows in outputs.values()])


def open_work(unit: Unit, choices: Choices, *, timing: Path | None = None) -> UnitWork:
    """A unit at work, as the choices say; nothing has been removed or recorded yet.

    Args:
        unit: what it is.
        choices: threads, device and layout.
        timing: file for progress; None: the unit's.
    """
    machine.keep_freed_memory()
    torch.set_num_threads(choices.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Else every new tensor is filled before it is written: 2 to 4 % of a step, for bugs alone.
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010  # Untyped.
    assembly = Assembly(unit.problem, unit.recipe)
    device = torch.device(choices.device)
    return UnitWork(
        unit,
        assembly,
        device,
        Reporter(timing or unit.folder.timing),
        choices.parts or unit.recipe.train.accumulate,
        list(choices.notes),
    )


def backbone_features(
    assembly: Assembly, device: torch.device, report: Reporter
) -> dict[str, np.ndarray]:
    """View → (N, D) float32 of the frozen backbone, train rows first, then test rows."""
    problem = assembly.problem
    folder = features_folder(
        problem.home.cache, network=assembly.backbone_print(), pixels=assembly.pixels_print()
    )
    total = len(problem.train) + len(problem.test)
    parts, before = [], 0
    # One part after the other: other test rows leave the features of the train rows as they are.
    for samples in filter(len, (problem.train, problem.test)):
        parts.append(
            features(
                folder,
                lambda: FeaturesOf(assembly.network()),
                replace(assembly.source(samples), columns=None),
                views=assembly.recipe.views,
                batch=EVAL_BATCH,
                device=device,
                workers=assembly.recipe.train.workers,
                progress=partial(_report_features, report, before, total),
            )
        )
        before += len(samples)
    return {view: np.concatenate([part[view] for part in parts]) for view in parts[0]}


def _report_features(report: Reporter, before: int, total: int, done: int) -> None:
    report("features", before + done, total)


class FeaturesOf(nn.Module):
    """A network that stops before its head."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, S, S) uint8 → (B, D)."""
        return self.network.image_features(images)
