"""Fits a unit's network with checkpoints, a learning curve and the recipe's stopping rule."""

from __future__ import annotations

import csv
import io
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from foldwise.data.samplers import RowLosses
from foldwise.engine import checkpoint
from foldwise.engine.checkpoint import Checkpoint
from foldwise.engine.fit import EpochEnd, Step, fit
from foldwise.engine.fit_plan import FitPlan
from foldwise.engine.fit_state import FitState
from foldwise.engine.fit_step import NonFiniteLossError
from foldwise.engine.fitting import feature_batches, fit_plan, fit_state, image_batches
from foldwise.engine.infer import EVAL_BATCH, apply_head, infer
from foldwise.engine.map_scoring import losses_and_counts
from foldwise.engine.norms import update_norms
from foldwise.errors import RunError
from foldwise.losses.terms import means, total
from foldwise.metrics.metric import Metric, Rows
from foldwise.models.network import Network
from foldwise.publish import publish, publish_text
from foldwise.samples import Samples
from foldwise.stages.scheduling.phases import kinds
from foldwise.stages.split import inner_rows
from foldwise.stages.training.at_work import UnitWork
from foldwise.stages.training.interrupting import interruptible
from foldwise.stages.training.pace import Pace
from foldwise.stages.training.saving import Saver
from foldwise.stages.training.unit import Unit
from foldwise.tasks.extra_rows import fitted_samples
from foldwise.views import views_of

History = list[dict[str, Any]]


@dataclass
class Course:
    """How the fit has gone so far; kept in every checkpoint.

    Attributes:
        history: one row per epoch.
        best: epoch with the best score of the stopping rule; -1: none yet.
        best_weights: the weights after that epoch.
    """

    history: History = field(default_factory=list)
    best: int = -1
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)


def fit_unit(at_work: UnitWork, network: Network) -> History:
    """Train `network` in place; it ends with the weights that count.

    Returns:
        One row per epoch: epoch, lr, train_loss, valid_loss, valid_score, and `train_` and
        `valid_` with the name of each term of a loss that names them.

    Raises:
        RunError: the loss became infinite or NaN; names the samples.
        KeyboardInterrupt: by SIGINT; the state after the last whole step is saved.
    """
    rows, chosen_on = rows_of(at_work.unit)
    samples = fitted_samples(at_work.unit.problem, rows, at_work.unit.extra)
    module: nn.Module = network.head if at_work.is_frozen else network
    state = fit_state(
        at_work.assembly,
        module,
        at_work.device,
        num_rows=len(samples),
        compiled=bool(at_work.choices.compiled),
    )
    course = _resume(at_work, state)
    plan = _plan(at_work, rows, state.row_losses)
    saver = Saver(at_work.unit.folder, at_work.unit.recipe.train.checkpoint)
    pace = Pace(
        kinds(at_work.unit.recipe, at_work.unit.epochs),
        plan.num_steps,
        len(chosen_on) / max(len(samples), 1),
        at_work.rates,
    )
    started, first = time.monotonic(), state.epoch * plan.num_steps + state.step
    try:
        with interruptible() as interruption:
            for event in fit(state, plan):
                if isinstance(event, Step):
                    pace.step(event.epoch)
                    _report(at_work, plan, event, course, time.monotonic() - started, first, pace)
                else:
                    _end_epoch(at_work, state, plan, event, course, chosen_on)
                if interruption.is_asked or saver.is_due(at_end=isinstance(event, EpochEnd)):
                    saver.save(_checkpoint(state, course))
                if interruption.is_asked:
                    raise KeyboardInterrupt
                if isinstance(event, EpochEnd):
                    pace.epoch_end()
    except NonFiniteLossError as error:
        ids = samples.ids[error.rows]
        raise RunError(
            *error.problems, f"samples of that batch: {', '.join(ids)}", remedy=error.remedy
        ) from None
    _tell_skipped(at_work, state, samples)
    weights = course.best_weights or state.weights()
    state.network.load_state_dict(weights)
    if at_work.unit.recipe.train.norm_update:
        update_norms(state, plan)
    state.accelerator.free_memory()
    return course.history


def rows_of(unit: Unit) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the train rows to fit on, and of those that choose the epoch."""
    if unit.recipe.train.stop != "inner":
        return unit.train_rows, unit.valid_rows
    held = inner_rows(unit.problem, unit.train_rows, unit.seed)
    return unit.train_rows[~held], unit.train_rows[held]


def _plan(at_work: UnitWork, rows: np.ndarray, losses: RowLosses | None) -> FitPlan:
    assembly, (seed, fold) = at_work.assembly, at_work.key
    epochs, extra = assembly.epochs(at_work.unit.epochs), at_work.unit.extra
    keyed = {"seed": seed, "fold": fold}
    if at_work.is_frozen:
        found = np.stack(list(at_work.features.values()))
        batches = feature_batches(
            assembly, rows, found, **keyed, epochs=epochs, losses=losses, extra=extra
        )
    else:
        batches = image_batches(
            assembly,
            rows,
            **keyed,
            epochs=epochs,
            losses=losses,
            extra=extra,
            device=at_work.device,
        )
    plan = fit_plan(
        assembly,
        rows,
        at_work.device,
        batches=batches,
        stages=assembly.stages(at_work.unit.epochs),
        **keyed,
        extra=extra,
    )
    return replace(plan, accumulate=at_work.parts)


def _resume(at_work: UnitWork, state: FitState) -> Course:
    found, notes = checkpoint.load_newest(at_work.unit.folder.checkpoint)
    at_work.notes += notes
    if found is None:
        return Course()
    extra = state.restore(found)
    best = {k.removeprefix("best."): v for k, v in found.tensors.items() if k.startswith("best.")}
    return Course(extra["history"], extra["best"], best)


def _end_epoch(
    at_work: UnitWork,
    state: FitState,
    plan: FitPlan,
    event: EpochEnd,
    course: Course,
    chosen_on: np.ndarray,
) -> None:
    unit, train = at_work.unit, at_work.unit.recipe.train
    weights = state.weights()
    loss, score, terms = _validate(at_work, state, plan, weights, chosen_on)
    course.history.append(
        {
            "epoch": event.epoch + 1,
            "lr": event.lr,
            "train_loss": event.loss,
            "valid_loss": loss,
            "valid_score": score,
            **{f"train_{name}": value for name, value in event.terms.items()},
            **{f"valid_{name}": terms.get(name) for name in event.terms},
        }
    )
    publish_text(unit.folder.history, _history_csv(course.history))
    if train.stop in ("inner", "validation") and _is_best(at_work, course):
        course.best, course.best_weights = event.epoch, {k: v.clone() for k, v in weights.items()}
    if train.stop == "cross":
        path = unit.folder.epoch_weights(event.epoch)
        cpu = {k: v.cpu().contiguous() for k, v in weights.items()}
        publish(path, partial(save_file, cpu))


def _checkpoint(state: FitState, course: Course) -> Checkpoint:
    saved = state.checkpoint({"history": course.history, "best": course.best})
    best = {f"best.{k}": v for k, v in course.best_weights.items()}
    return replace(saved, tensors=saved.tensors | best)


def _validate(
    at_work: UnitWork,
    state: FitState,
    plan: FitPlan,
    weights: dict[str, torch.Tensor],
    rows: np.ndarray,
) -> tuple[float | None, float | None, dict[str, float]]:
    """Loss, metric and the loss's terms on held-out rows with the weights that count.

    None where they are undefined.
    """
    if not len(rows):
        return None, None, {}
    problem = at_work.unit.problem
    samples = problem.train.take(rows)
    kept = {k: v.detach().clone() for k, v in state.network.state_dict().items()}
    state.network.load_state_dict(weights)
    state.network.eval()
    if at_work.assembly.gives_maps:
        losses, counts = losses_and_counts(
            at_work.assembly,
            state.network,
            rows,
            plan.loss,
            batch=at_work.eval_batch,
            device=at_work.device,
            autocast=at_work.autocast,
            halved=at_work.halve,
        )
        state.network.load_state_dict(kept)
        return float(total(losses).mean()), _defined(problem.metric, counts), means(losses)
    if at_work.is_frozen:
        first = next(iter(at_work.features.values()))
        logits = apply_head(state.network.cpu(), first[rows], batch=EVAL_BATCH)
        state.network.to(at_work.device)
    else:
        logits = infer(
            state.network,
            at_work.assembly.feed.source(samples),
            views=views_of(["identity"]),
            batch=at_work.eval_batch,
            device=at_work.device,
            workers=at_work.unit.recipe.train.workers,
            autocast=at_work.autocast,
            halved=at_work.halve,
        )["identity"]
    state.network.load_state_dict(kept)
    losses = plan.loss(torch.from_numpy(logits).float(), at_work.assembly.encoded(rows))
    scored = at_work.predictions(samples, at_work.corrected(logits), held_out=True)
    try:
        score: float | None = problem.score(
            problem.metric, scored.scores, problem.default_decision(), rows
        )
    except ValueError:
        score = None
    return float(total(losses).mean()), score, means(losses)


def _defined(metric: Metric, counts: Rows) -> float | None:
    """The score of what was counted; None where the metric is undefined on it."""
    try:
        return metric(counts, counts)
    except ValueError:
        return None


def _is_best(at_work: UnitWork, course: Course) -> bool:
    score = course.history[-1]["valid_score"]
    if score is None:
        return False
    if course.best < 0:
        return True
    sign = 1 if at_work.unit.problem.metric.higher_is_better else -1
    return bool(sign * score > sign * course.history[course.best]["valid_score"])


def _report(
    at_work: UnitWork,
    plan: FitPlan,
    event: Step,
    course: Course,
    seconds: float,
    first: int,
    pace: Pace,
) -> None:
    done = event.epoch * plan.num_steps + event.step + 1
    begun = done - first
    rate = begun * event.num_images / max(seconds, 1e-9)
    text = (
        f"epoch {event.epoch + 1}/{plan.num_epochs} · loss {event.loss:.3f} · {rate:.0f} images/s"
    )
    score = course.history[-1]["valid_score"] if course.history else None
    if score is not None:
        text += f" · {at_work.unit.problem.metric_name} {score:.4f}"
    left = pace.left(event.epoch, event.step)
    at_work.report("train", done, plan.num_epochs * plan.num_steps, text, left=left)


def _tell_skipped(at_work: UnitWork, state: FitState, samples: Samples) -> None:
    if state.skipped:
        ids = sorted(set(samples.ids[state.skipped]))
        at_work.notes.append(
            f"{len(state.skipped)} rows were in batches skipped for a loss that was not finite: "
            + ", ".join(ids)
        )


def _history_csv(history: History) -> str:
    file = io.StringIO()
    # An epoch whose batches were all skipped has no terms.
    columns = dict.fromkeys(key for row in history for key in row)
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return file.getvalue()
