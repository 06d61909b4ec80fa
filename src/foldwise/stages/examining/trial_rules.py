"""Rules on what the trial of a recipe measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.stages.examining.finding import Fault, error, warning
from foldwise.stages.examining.trial_facts import LEARNED_SHARE, BlockFlow, TrialFacts

_MAX_NAMED = 4
#: Gradient norm against weight norm: of seven sound networks no block was below a tenth of the
#: middle one or above 20; twelve sigmoid layers bring it down by 6000, layers of gain 6 up to 1e7.
_FAINT, _STRONG = 1e-3, 1e3
#: How far the normalised images may lie from mean 0 and spread 1: dark or flat images do, a bit.
_MEAN, _STD = 3.0, (0.1, 5.0)
#: Of the memory there is, what units may take.
_USABLE = 0.9
#: What may be computed, over the pixels that there are.
_MOST_FILLED = 1.05


@dataclass(frozen=True)
class TrialCase:
    """What was measured, and how many units will do the same side by side."""

    facts: TrialFacts
    side_by_side: int


def cannot_learn(case: TrialCase) -> Iterator[Fault]:
    """One batch of images cannot be learned by heart, so nothing can be learned."""
    facts = case.facts
    if facts.features_differ is False:
        yield error(
            "model",
            f"the features of {facts.num_images} different images are all the same",
            "check the weights and the normalisation",
        )
    attempts = facts.attempts
    if not attempts or any(found.is_learned or found.is_open for found in attempts):
        return
    first = attempts[0]
    if first.problem:
        return
    lowest = min(loss for found in attempts for loss in found.losses)
    yield error(
        "model",
        f"{facts.num_images} images cannot be learned by heart: after {len(first.losses)} steps "
        f"the loss is {lowest:.3g} at best, from {first.losses[0]:.3g}; one answer for all "
        f"images gets {first.blind:.3g}, and {LEARNED_SHARE:.0%} of that was wanted",
        "likely: labels that do not belong to the images, images that are all alike, a layer "
        "that passes no gradient, or a loss that does not fit the outputs",
    )


def rate_unfit(case: TrialCase) -> Iterator[Fault]:
    """The network learns one batch at a usual rate, but not at the recipe's."""
    attempts = case.facts.attempts
    if len(attempts) == 2 and attempts[1].is_learned:
        first, second = attempts
        fell = first.losses[-1] < first.losses[0] if first.losses else False
        yield warning(
            "train.lr",
            f"one batch is not learned by heart at {first.lr:g} in {len(first.losses)} steps, "
            f"but at {second.lr:g} it is in {len(second.losses)}",
            "the rate seems too low" if fell and first.lr < second.lr else "the rate seems unfit",
        )


def loss_not_finite(case: TrialCase) -> Iterator[Fault]:
    """Outputs or the loss are infinite or NaN."""
    if not case.facts.outputs_finite:
        yield error("model", "the fresh network's outputs are infinite or NaN")
    attempts = case.facts.attempts
    if attempts and attempts[0].problem and not attempts[-1].is_learned:
        yield error(
            "train.lr",
            f"at {attempts[0].lr:g} {attempts[0].problem}",
            "lower train.lr, set train.clip: 1.0, or use precision fp32",
        )
    elif attempts and attempts[0].problem:
        yield error(
            "train.lr",
            f"at {attempts[0].lr:g} {attempts[0].problem}; at {attempts[-1].lr:g} it learns",
            f"lower train.lr towards {attempts[-1].lr:g}",
        )


def dead_weights(case: TrialCase) -> Iterator[Fault]:
    """Weights that should train never have a gradient."""
    dead = case.facts.attempts[0].dead if case.facts.attempts else ()
    if dead and len(case.facts.attempts[0].losses) > 1:
        more = f" and {len(dead) - _MAX_NAMED} more" if len(dead) > _MAX_NAMED else ""
        yield warning(
            "model",
            f"never have a gradient: {', '.join(dead[:_MAX_NAMED])}{more}",
            "check that the network uses them and that nothing detaches them",
        )


def gradient_flow(case: TrialCase) -> Iterator[Fault]:
    """The gradient vanishes on its way to the first blocks, or explodes."""
    flow = case.facts.attempts[0].flow if case.facts.attempts else ()
    alive = [block for block in flow if block.relative > 0]  # Else the rule dead-weights says so.
    if len(alive) < 2:
        return
    usual = float(np.median([block.relative for block in alive]))
    faint = [block for block in alive if block.relative < _FAINT * usual]
    strong = [block for block in alive if block.relative > _STRONG and block.name != "head"]
    if faint:
        yield warning(
            "model",
            f"the gradient vanishes: in {_blocks(faint)} against the weights, {usual:.1g} in the "
            "middle of all blocks",
            "such blocks hardly learn: use normalisation, residual paths or ReLU-like activations, "
            "or another initialisation",
        )
    if strong:
        yield warning(
            "model",
            f"the gradient explodes: in {_blocks(strong)} times the weights, {usual:.1g} in the "
            "middle of all blocks",
            "use normalisation, smaller initial weights, a warm-up, or train.clip: 1.0",
        )


def _blocks(found: Sequence[BlockFlow]) -> str:
    words = [f"{block.name} {block.relative:.1g}" for block in found[:_MAX_NAMED]]
    more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
    return f"{', '.join(words)}{more}"


def first_loss(case: TrialCase) -> Iterator[Fault]:
    """A fresh classifier does not start from equal chances."""
    chance, attempts = case.facts.chance, case.facts.attempts
    if chance is None or not attempts or not attempts[0].losses:
        return
    first = attempts[0].losses[0]
    if not 0.5 * chance < first < 1.5 * chance + 0.5:
        yield warning(
            "model",
            f"the first loss is {first:.3g}, while equal chances for all classes give "
            f"{chance:.3g}: the fresh head is far too sure",
            "give the last layer smaller weights, or check the normalisation",
        )


def pixel_range(case: TrialCase) -> Iterator[Fault]:
    """The normalised images are far from mean 0 and spread 1."""
    mean, std = case.facts.pixel_mean, case.facts.pixel_std
    if max(map(abs, mean)) > _MEAN or not _STD[0] < min(std) <= max(std) < _STD[1]:
        yield warning(
            "input",
            f"after normalisation the images have mean {_numbers(mean)} and spread "
            f"{_numbers(std)} instead of about 0 and 1",
            "check the statistics that come with the weights, and the images",
        )
    if case.facts.normalises:
        yield warning(
            "model.name",
            f"{case.facts.normalises} seems to normalise images that come normalised already",
            "take it out: mean and std are applied before the network, and saved with it",
        )


def memory(case: TrialCase) -> Iterator[Fault]:
    """Units need more memory than the GPU, or the machine for all side by side, has."""
    facts = case.facts
    on_gpu = facts.device == "cuda"  # Each unit has its own.
    units = 1 if on_gpu else case.side_by_side
    needed = facts.memory * units
    if facts.parts is not None:
        yield warning(
            "train.batch",
            f"memory ran out in a step: batches are cut into {facts.parts} parts to fit",
            f"set train.accumulate: {facts.parts}, or use a smaller input.size or network",
        )
    elif needed > _USABLE * facts.capacity:
        yield warning(
            "train.batch",
            f"{units} unit{'s side by side need' if units > 1 else ' needs'} about "
            f"{needed / 2**30:.1f} GiB, there are {facts.capacity / 2**30:.1f}",
            "use a smaller batch or accumulate"
            + ("" if on_gpu else ", or parallel: 1 in plan.yaml"),
        )


def filled_up(case: TrialCase) -> Iterator[Fault]:
    """The network fills images up to whole steps of its encoder, which is computed for nothing."""
    for key, (side, inside) in case.facts.filled.items():
        if inside**2 > _MOST_FILLED * side**2:
            yield warning(
                key,
                f"{side} px are filled up to {inside}: {inside**2 / side**2 - 1:.0%} more is "
                "computed, and counts for nothing",
                f"use {inside}",
            )


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.2g}" for value in values)


RULES: dict[str, Callable[[TrialCase], Iterator[Fault]]] = {
    "cannot-learn": cannot_learn,
    "rate-unfit": rate_unfit,
    "loss-not-finite": loss_not_finite,
    "dead-weights": dead_weights,
    "gradient-flow": gradient_flow,
    "first-loss": first_loss,
    "pixel-range": pixel_range,
    "memory": memory,
    "filled-up": filled_up,
}
