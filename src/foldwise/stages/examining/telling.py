"""What the doctor says of a recipe's trial: what it measured, and how long training will take."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from foldwise.stages.examining.bars import drawn
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.trial_facts import TrialFacts, Tried
from foldwise.stages.scheduling.announcing import forecast_lines
from foldwise.stages.scheduling.forecast import num_epochs
from foldwise.stages.scheduling.lanes import side_by_side
from foldwise.stages.scheduling.phases import phases
from foldwise.stages.scheduling.unit_forecast import forecast


def trial_lines(case: RecipeCase, tried: Tried) -> Iterator[str]:
    """Of a trial that went well.

    Args:
        case: the recipe.
        tried: with facts.
    """
    assert tried.facts is not None
    yield _measured(case, tried.facts)
    yield f"a batch as the network is fed it: {tried.picture}"
    yield from _flow_lines(tried.facts)
    yield from _forecast(case, tried.facts)


def _measured(case: RecipeCase, facts: TrialFacts) -> str:
    words = []
    if facts.attempts and facts.attempts[-1].is_learned:
        last = facts.attempts[-1]
        words.append(
            f"{facts.num_images} images learned by heart in {len(last.losses)} steps at {last.lr:g}"
        )
    if found := phases(case.recipe) if facts.rates.train else ():
        longest = max(found, key=lambda phase: (phase.kind.trainable != "head", phase.epochs))
        batch, rate = case.recipe.train.batch, facts.rates.of(longest.kind)
        words.append(f"a step of {batch} images takes {batch / rate:.2g} s ({rate:.0f} images/s)")
    words.append(f"{facts.memory / 2**30:.2g} GiB of memory on {facts.device}")
    return ", ".join(words)


def _flow_lines(facts: TrialFacts) -> Iterator[str]:
    """How the gradient reaches the blocks, as bars of its logarithm."""
    flow = facts.attempts[0].flow if facts.attempts else ()
    alive = [block for block in flow if block.relative > 0]
    if len(alive) > 1:
        least, most = (find(alive, key=lambda b: b.relative) for find in (min, max))
        yield (
            f"gradient against weights, by block from the input on: "
            f"{drawn(np.log10([block.relative for block in alive]))}, from {least.relative:.1e} "
            f"in {least.name} to {most.relative:.1e} in {most.name}"
        )


def _forecast(case: RecipeCase, facts: TrialFacts) -> Iterator[str]:
    """How long training will take, stage by stage."""
    ground, num_train = case.ground, case.ground.num_training_rows
    if ground.train is None or num_train is None or not facts.rates.train:
        return
    one = forecast(
        case.recipe,
        facts.rates,
        num_epochs(case.recipe),
        num_train=num_train,
        num_valid=len(ground.train) - num_train,
        num_test=facts.num_test,
    )
    num_units = ground.num_folds if case.recipe.folds == "all" else len(case.recipe.folds)
    rounds = -(-num_units // side_by_side(None)[0])
    yield from forecast_lines(one, num_units, rounds * one.seconds)
