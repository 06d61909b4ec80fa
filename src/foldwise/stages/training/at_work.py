"""A unit at work in its process: its assembly, device and features, and how its rows are scored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils import deterministic

from foldwise import device as machine
from foldwise import predictions as predictions_file
from foldwise.data.batches import Source
from foldwise.engine.assemble import Assembly
from foldwise.engine.backends import BackendTrial, opened
from foldwise.engine.backends.making import Forward
from foldwise.engine.infer import EVAL_BATCH, apply_head, infer
from foldwise.engine.map_scoring import score_maps, usual_batch
from foldwise.engine.precision import autocast_dtype, scoring_dtype
from foldwise.models.network import Network
from foldwise.predictions import Predictions
from foldwise.samples import Samples
from foldwise.stages.progress import Reporter
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.training.backbone import backbone_features, feature_rows
from foldwise.stages.training.backend_trials import tried_backends
from foldwise.stages.training.choices import Choices, amend
from foldwise.stages.training.keeping_maps import Keep, keep_maps
from foldwise.stages.training.unit import Unit
from foldwise.tasks.task import merge
from foldwise.views import num_passes


@dataclass
class UnitWork:
    """A unit at work.

    Attributes:
        unit: what it is.
        assembly: recipe and problem, ready to be run.
        device: where it computes.
        report: where progress goes.
        choices: as recorded.
        notes: what the user should know, in the unit's record.
        head: how the head's penalty was chosen, if it was solved.
        rates: of the recipe, for the time left; None: not measured.
        tests_only: whether only test rows are scored, so that only their features are wanted.
        any_backend: whether what passes images soonest here may score them, checked against
            PyTorch; else PyTorch does, as in training.
    """

    unit: Unit
    assembly: Assembly
    device: torch.device
    report: Reporter
    choices: Choices
    notes: list[str] = field(default_factory=list)
    head: str | None = None
    rates: Rates | None = None
    tests_only: bool = False
    any_backend: bool = False

    @property
    def parts(self) -> int:
        """That batches are cut into."""
        return self.choices.parts or self.unit.recipe.train.accumulate

    def close(self) -> None:
        """Publish what was decoded on the way; raises BudgetError where the disk is full."""
        self.assembly.close()

    @property
    def eval_batch(self) -> int:
        """Images that are scored at a time."""
        usual = usual_batch(self.assembly) if self.assembly.gives_maps else EVAL_BATCH
        return self.choices.eval_batch or usual

    def amend(self, note: str, *, parts: int | None = None, eval_batch: int | None = None) -> None:
        """Record smaller batches before they take effect, and why."""
        self.notes.append(note)
        self.choices = replace(
            self.choices,
            parts=parts or self.choices.parts,
            eval_batch=eval_batch or self.choices.eval_batch,
            notes=tuple(self.notes),
        )
        amend(self.unit, self.choices)

    def halve(self, batch: int, problem: str) -> None:
        """Score in smaller batches from here on, and say so."""
        note = f"memory ran out in scoring ({problem}): {batch} images are scored at a time"
        self.amend(note, eval_batch=batch)

    @property
    def is_frozen(self) -> bool:
        """Whether only a head on cached features trains."""
        return self.unit.recipe.freeze == "backbone"

    @property
    def autocast(self) -> torch.dtype | None:
        """Half precision of passes through the whole network."""
        if self.any_backend:  # Where it answers, it need not be where it was trained.
            return self._half
        return autocast_dtype(self.unit.recipe.train.precision, self.device)

    @property
    def key(self) -> tuple[int, int]:
        """(seed, fold) that all draws are keyed with; fold -1: all rows."""
        return self.unit.seed, -1 if self.unit.fold is None else self.unit.fold

    @cached_property
    def offset(self) -> np.ndarray | None:
        """(O,) float32 prior correction of the logits, or None."""
        found = self.assembly.balancing.prior_offset(self.unit.train_rows)
        return None if found is None else found.astype(np.float32)

    @cached_property
    def features(self) -> dict[str, np.ndarray]:
        """View by name → (A, D) features of train, test and external rows: backbone's, columns'.

        External rows are left out where no head is trained on them; all but test rows where only
        those are scored.
        """
        of = [self.unit.problem.test] if self.tests_only else feature_rows(self.assembly)
        packed = self.unit.run.backbone
        found = backbone_features(
            self.assembly, self.device, self.report, of, stored=packed if packed.exists() else None
        )
        encoder = self.assembly.column_encoder(self.unit.train_rows)
        if encoder is None:
            return found
        values = [self.assembly.feed.column_values(part) for part in of]
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
        source = self.assembly.feed.source(samples)
        with self._forward(network.to(self.device).eval(), source) as forward:
            outputs = infer(
                forward,
                source,
                views=self.assembly.views,
                batch=self.eval_batch,
                device=self.device,
                workers=self.unit.recipe.train.workers,
                autocast=self.autocast,
                progress=lambda done: self.report("predict", done, len(source)),
                halved=self.halve,
            )
        return self._merged(samples, outputs, held_out)

    def keep(self, network: Network, path: Path, *, held_out: bool) -> Predictions:
        """Publish what `score` gives; maps as they come, and with them nothing is held."""
        if not self.assembly.gives_maps:
            found = self.score(network, held_out=held_out)
            predictions_file.write(path, found)
            return found
        problem = self.unit.problem
        samples = problem.train.take(self.unit.valid_rows) if held_out else problem.test
        return keep_maps(
            path,
            samples,
            problem.columns,
            partial(self._score_maps, network.to(self.device).eval(), samples),
            fold=self.key[1] if held_out else None,
        )

    def _score_maps(self, network: Network, samples: Samples, keep: Keep) -> None:
        with self._forward(network, self.assembly.feed.scored(samples)) as forward:
            score_maps(
                self.assembly,
                forward,
                samples,
                keep,
                views=self.assembly.views,
                batch=self.eval_batch,
                device=self.device,
                autocast=self.autocast,
                progress=lambda done: self.report("predict", done, len(samples)),
                halved=self.halve,
            )

    def tried_backends(self, network: Network, source: Source, num_images: int) -> BackendTrial:
        """What each backend takes for these images, of which so many come, each view counted."""
        return tried_backends(
            self.unit.problem.home,
            network.to(self.device).eval(),
            source,
            batch=self.eval_batch,
            activate=self.assembly.formulation.activate,
            half=self._half,
            num_images=num_images,
        )

    @property
    def _half(self) -> torch.dtype | None:
        """Half precision of a backend's passes."""
        return scoring_dtype(self.unit.recipe.train.precision, self.device)

    @contextlib.contextmanager
    def _forward(self, network: Network, source: Source) -> Iterator[Forward]:
        """What passes the images: the network itself, or the backend that is done soonest here.

        Images of their own sizes are passed by the network: each size would be another pass to
        make.
        """
        backend = "eager"
        if self.any_backend and self.assembly.feed.scored_side is not None:
            num_images = round(len(source) * num_passes(self.unit.recipe.views))
            backend = self.tried_backends(network, source, num_images).choice
        if backend == "eager":  # As it is, in the recipe's precision: the bits of training.
            yield network
            return
        self.notes.append(f"scored by {backend}")
        activate, tell = self.assembly.formulation.activate, self.notes.append
        with opened(network, backend, activate=activate, half=self._half, tell=tell) as forward:
            yield forward

    def score_features(self, head: nn.Module, *, held_out: bool) -> Predictions:
        """The same from cached features and a head that lacks the prior correction."""
        problem = self.unit.problem
        num_train = 0 if self.tests_only else len(problem.train)
        num_test = len(problem.test)
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
        """The mean over views, each by its weight."""
        views = self.assembly.views
        parts = [self.predictions(samples, outputs[view.name], held_out) for view in views]
        return merge(parts, weights=[view.weight for view in views])


def open_work(
    unit: Unit, choices: Choices, *, timing: Path | None = None, rates: Rates | None = None
) -> UnitWork:
    """A unit at work, as the choices say; nothing has been removed or recorded yet.

    Args:
        unit: what it is.
        choices: threads, device and layout.
        timing: file for progress; None: the unit's.
        rates: of the recipe, for the time left; None: not measured.
    """
    machine.keep_freed_memory()
    torch.set_num_threads(choices.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Else every new tensor is filled before it is written: 2 to 4 % of a step, for bugs alone.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # A property.
    assembly = Assembly(unit.problem, unit.recipe)
    device = torch.device(choices.device)
    return UnitWork(
        unit,
        assembly,
        device,
        Reporter(timing or unit.folder.timing),
        choices,
        list(choices.notes),
        rates=rates,
    )
