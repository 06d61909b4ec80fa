"""From a resolved recipe to what the engine runs on: pixels, network, schedule, loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from foldwise import parts
from foldwise.config.recipe import Recipe
from foldwise.config.writing import fingerprint
from foldwise.data.mix import MIXES
from foldwise.engine.balancing import Balancing
from foldwise.engine.feeding import Feed
from foldwise.engine.fit_plan import Mix
from foldwise.engine.frozen import frozen_problems
from foldwise.engine.map_problems import map_problems
from foldwise.engine.mask_priors import first_logits
from foldwise.engine.networks import build_network, siamese_of
from foldwise.engine.norms import followed_norms
from foldwise.engine.objective import bound_loss
from foldwise.engine.prototypes import prototype_problems
from foldwise.engine.schedules import stages_of
from foldwise.engine.unfit import loss_problems, mix_problems, refuse
from foldwise.errors import ConfigError
from foldwise.losses.terms import Loss
from foldwise.models.columns import ColumnEncoder
from foldwise.models.network import Network
from foldwise.models.siamese import Siamese
from foldwise.models.sizes import check_sizes
from foldwise.models.weights import Weights, resolve
from foldwise.optim.epochs import Epoch, epochs_of
from foldwise.optim.optimizers import build_optimizer
from foldwise.optim.schedule import Stage, shorten
from foldwise.optim.sharpness import SHARPNESS, Sharpness
from foldwise.own_code import own_code_hash
from foldwise.parts import name_of, options_of
from foldwise.tasks.auxiliary import Auxiliary, read_auxiliary
from foldwise.tasks.extra_rows import ExtraRows, fitted_target
from foldwise.tasks.problem import Problem
from foldwise.tasks.task import Formulation
from foldwise.views import View, views_of


@dataclass(frozen=True)
class Assembly:
    """A recipe and its problem, ready to be run.

    Attributes:
        problem: competition, samples, targets, as its recipe is asked whatever was given.
        recipe: resolved.
    """

    problem: Problem
    recipe: Recipe

    def __post_init__(self) -> None:
        object.__setattr__(self, "problem", self.problem.asked_by(self.recipe))

    @property
    def formulation_name(self) -> str:
        """The recipe's formulation or the task's default."""
        return self.recipe.formulation or self.problem.task.default_formulation

    @property
    def formulation(self) -> Formulation:
        """How the task is put to the network.

        Raises:
            ConfigError: the task has no such formulation.
        """
        found: Formulation = parts.find(
            self.problem.task.formulations, self.formulation_name, what="formulation"
        )
        return found

    @property
    def gives_maps(self) -> bool:
        """Whether the network answers each pixel, and its targets are masks."""
        return self.problem.task.kind == "map"

    @property
    def has_decoder(self) -> bool:
        """Whether its masks come from a decoder, and not from a network of one's own."""
        return self.gives_maps and self.recipe.model.decoder is not None

    @property
    def probs(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """(B, C, H, W) logits of masks → probabilities."""
        return partial(torch.softmax, dim=1) if self.formulation.is_exclusive else torch.sigmoid

    @property
    def code(self) -> Path:
        """Folder of the competition's own code."""
        return self.problem.home.code

    @cached_property
    def feed(self) -> Feed:
        """The images and table columns that the network takes."""
        return Feed(self.problem, self.recipe)

    def close(self) -> None:
        """Publish images that were decoded on the way into the cache.

        Raises:
            BudgetError: they could not be written.
        """
        self.feed.close()

    @cached_property
    def weights(self) -> Weights | None:
        """What a pretrained network starts from; None: from scratch.

        Raises:
            RulesError: the competition forbids it.
            OfflineError: it would have to be downloaded.
        """
        return resolve(
            self.recipe.model.pretrained,
            name=self.recipe.model.name,
            rules_pretrained=self.problem.competition.rules.pretrained,
            cache=self.problem.home.cache / "weights",
            folder=self.problem.home.path,
        )

    @property
    def is_solved(self) -> bool:
        """Whether the head starts from the solution on frozen features."""
        start = self.recipe.train.head_start or self.recipe.freeze == "backbone"
        return self.weights is not None and start and not self.gives_maps

    @cached_property
    def auxiliary(self) -> tuple[Auxiliary, ...]:
        """The further labels to learn.

        Raises:
            ConfigError: one is no label of the train rows.
            DataError: one has cells that are none.
        """
        return read_auxiliary(self.problem, self.recipe.auxiliary)

    @property
    def num_channels(self) -> int:
        """Channels of all images of a sample together."""
        return self.recipe.input.channels * self.feed.image_sets.num_images

    def siamese(self) -> Siamese | None:
        """How the images of a sample go through the network apart; None: it takes them as one.

        Raises:
            ConfigError: there are not as many images as the joins want.
        """
        return siamese_of(self.recipe, self.feed.image_sets.num_images)

    def column_encoder(self, rows: np.ndarray | None = None) -> ColumnEncoder | None:
        """Makes features of the columns, by the statistics of these train rows; None: all."""
        train = self.problem.train
        values = self.feed.column_values(train if rows is None else train.take(rows))
        if values is None:
            return None
        return ColumnEncoder.fit([column.kind for column in self.feed.columns], values)

    def network(self, rows: np.ndarray | None = None) -> Network:
        """A fresh network with its starting weights.

        Args:
            rows: positions of the train rows that table columns are standardised by, and whose
                masks say what those of a decoder begin from; None: all.

        Raises:
            ConfigError: it cannot be built, or not be frozen or updated as the recipe asks.
        """
        problems = [p for found in frozen_problems(self.recipe).values() for p in found]
        problems += prototype_problems(self.recipe, self.formulation_name, self.formulation)
        problems += map_problems(self.recipe, self.problem.competition, self.problem.task)
        if problems:
            raise ConfigError(
                *(f"{problem.key}: {problem.found}" for problem in problems),
                remedy="\n".join(problem.remedy for problem in problems),
            )
        outputs = [label.num_outputs for label in self.auxiliary]
        logits = first_logits(self, rows) if self.has_decoder else None
        network = self._build(self.weights, self.column_encoder(rows), outputs, logits)
        if self.recipe.train.norm_update and (stages := self.stages()):
            followed_norms(network, stages[-1].trainable)
        check_sizes(network, self.recipe.other_sizes)
        return network

    def trained_network(self, tensors: Mapping[str, torch.Tensor]) -> Network:
        """The network with the weights that a unit has stored; needs none to start from."""
        inner = {
            name.removeprefix("columns."): value
            for name, value in tensors.items()
            if name.startswith("columns.")
        }
        kinds = [column.kind for column in self.feed.columns]
        heads = range(len(self.recipe.auxiliary))
        network = self._build(
            None,
            ColumnEncoder(kinds, inner) if inner else None,
            [len(tensors[f"auxiliary.{place}.bias"]) for place in heads],
        )
        network.load_state_dict(tensors)
        return network

    def _build(
        self,
        weights: Weights | None,
        columns: ColumnEncoder | None,
        auxiliary: Sequence[int],
        logits: Sequence[float] | None = None,
    ) -> Network:
        return build_network(
            self.recipe,
            self.formulation,
            num_classes=self.problem.num_classes,
            num_images=self.feed.image_sets.num_images,
            weights=weights,
            columns=columns,
            auxiliary=auxiliary,
            corrects_prior=self.balancing.corrects_prior,
            gives_maps=self.gives_maps,
            first_logits=logits,
            code=self.code,
        )

    def optimizer(self, module: nn.Module) -> torch.optim.Optimizer:
        """The recipe's optimiser over a module's parameters."""
        train = self.recipe.train
        return build_optimizer(
            module,
            name=name_of(train.optimizer),
            lr=train.lr,
            weight_decay=train.weight_decay,
            options=options_of(train.optimizer),
            fuses=train.sharpness is None,
        )

    def sharpness(self) -> Sharpness | None:
        """Bound way to the worst point nearby, or None."""
        spec = self.recipe.train.sharpness
        return None if spec is None else parts.bind(SHARPNESS, spec, what="sharpness")

    def backbone_print(self) -> str:
        """What the features of the frozen backbone depend on."""
        config = self.recipe.model
        weights = None if self.weights is None else self.weights.fingerprint
        own = own_code_hash(self.problem.home.code, config.name, config.options)
        looked: list[Any] = [config.name, config.options, self.recipe.input.channels, weights, own]
        # Only where there is something: what is kept from before such keys stays good.
        if config.pool is not None or config.branch is not None:
            looked += [config.pool, config.branch is not None]
        if config.siamese is None and self.feed.image_sets.num_images > 1:
            looked.append(["stacked", self.feed.image_sets.num_images])
        return fingerprint(looked)

    @cached_property
    def views(self) -> tuple[View, ...]:
        """The distinct views to be averaged.

        Raises:
            ConfigError: one is unknown, or its options are.
        """
        return views_of(self.recipe.views)

    def mix(self) -> Mix | None:
        """Bound mixing, or None.

        Raises:
            ConfigError: the formulation's targets cannot be mixed, or there are table columns or
                further labels, which are not.
        """
        if self.recipe.mix is None:
            return None
        refuse(mix_problems(self.recipe, self.problem.task, self.formulation_name))
        return parts.bind(MIXES, self.recipe.mix, what="mix")

    def loss(self) -> Loss:
        """Bound loss, or the sum of several.

        Raises:
            ConfigError: a loss reads the network's outputs otherwise than the formulation, or
                cannot be had from parts of a batch.
        """
        refuse(loss_problems(self.recipe, self.problem.task, self.formulation_name))
        return bound_loss(self.recipe, self.formulation.loss, self.code)

    def encoded(
        self, rows: np.ndarray | slice = slice(None), extra: ExtraRows | None = None
    ) -> torch.Tensor:
        """What the loss takes for these train rows, then for the extra rows."""
        soft = None if extra is None else self._softened(extra)
        labels = fitted_target(self.problem, rows, extra if soft is None else None)
        target = self.formulation.encode(labels, self.problem.num_classes)
        encoded = torch.from_numpy(np.ascontiguousarray(target))
        has_shares = self.recipe.mix is not None or soft is not None
        if has_shares and encoded.dtype == torch.int64:
            encoded = torch.nn.functional.one_hot(encoded, self.problem.num_classes).float()
        return encoded if soft is None else torch.cat([encoded, soft])

    def _softened(self, extra: ExtraRows) -> torch.Tensor | None:
        """What the loss takes for soft labels; None: the labels are hard."""
        if extra.soft is None:
            return None
        assert self.formulation.soften is not None, "the recipe was checked"
        soft = self.formulation.soften(extra.soft, self.problem.num_classes)
        return torch.from_numpy(np.ascontiguousarray(soft))

    def stages(self, epochs: int | None = None) -> tuple[Stage, ...]:
        """The schedule, shortened to `epochs` if given."""
        stages = stages_of(self.recipe.train)
        return stages if epochs is None else shorten(stages, epochs)

    def epochs(self, epochs: int | None = None) -> tuple[Epoch, ...]:
        """How each epoch reads its images, of the schedule shortened to `epochs` if given."""
        train = self.recipe.train
        return epochs_of(self.stages(epochs), train.sizes, self.recipe.input.size)

    @cached_property
    def balancing(self) -> Balancing:
        """How rare classes are drawn or weighed, and what that does to the logits."""
        return Balancing(self.problem, self.recipe, self.formulation_name, self.formulation)
