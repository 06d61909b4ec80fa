"""What a unit does in its process: solve the head, fit, score its rows, publish its files."""

from __future__ import annotations

import contextlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from foldwise import predictions as predictions_file
from foldwise import seeding
from foldwise.engine import checkpoint
from foldwise.engine.backends import BackendTrial
from foldwise.engine.compiling import obstacle
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.models.heads import stored_head
from foldwise.models.network import Network
from foldwise.predictions import Predictions, concatenate
from foldwise.publish import publish, publish_json, step
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.training.at_work import UnitWork, open_work
from foldwise.stages.training.attention import save_attention
from foldwise.stages.training.backend_trials import trial_file
from foldwise.stages.training.choices import Choices, begin
from foldwise.stages.training.memory import fit_in_memory
from foldwise.stages.training.start_head import start_head
from foldwise.stages.training.step_trials import decide_compiled, decide_layout
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem


def work(unit: Unit, choices: Choices, rates: Rates | None = None) -> str:
    """Do a unit from its last checkpoint on; its record is written last.

    Args:
        unit: what it is; its lock is held.
        choices: threads and device; layout and whether steps are compiled are decided here if
            they are not yet; recorded before they take effect.
        rates: of the recipe, for the time left; None: not measured.

    Returns:
        The notes, as one sentence or none.
    """
    with closing(open_work(unit, choices, rates=rates)) as at_work:
        assembly = at_work.assembly
        torch.manual_seed(seeding.key("weights", *at_work.key))
        network = assembly.network(unit.train_rows)
        _check(at_work, network)
        layout = choices.layout or decide_layout(
            assembly, network, at_work.device, epochs=unit.epochs
        )
        network.set_layout(layout)
        compiled = choices.compiled
        if compiled is None:
            compiled = decide_compiled(assembly, network, at_work.device, epochs=unit.epochs)
        elif compiled and (missing := obstacle(at_work.device)):
            raise RunError(
                f"{unit.folder.path}: begun with compiled steps, but {missing}",
                remedy="install one, go on where it was begun, or delete it and train again",
            )
        choices = replace(choices, layout=layout, compiled=compiled)
        begin(unit, choices)
        at_work.choices = choices
        if assembly.is_solved:
            start_head(at_work, network)
        history = fit_in_memory(at_work, network) if assembly.stages(unit.epochs) else []
        if unit.recipe.train.stop == "cross" and history:
            pending = {"inputs": unit.inputs, "head": at_work.head, "history": history}
            publish_json(unit.folder.pending, pending)
            return "trained; its epoch is chosen when the other folds are"
        _finish(at_work, network, len(history))
        unit.folder.drop_states()
        return "; ".join(at_work.notes)


def finish_pending(unit: Unit, choices: Choices) -> str:
    """Finish a trained unit with the weights after the epoch that is recorded for it."""
    with closing(open_work(unit, choices)) as at_work:
        pending: dict[str, Any] = read_json(unit.folder.pending)
        epoch, at_work.head = pending["epoch"], pending["head"]
        network = laid_out(at_work.assembly.network(unit.train_rows), choices)
        module = network.head if at_work.is_frozen else network
        module.load_state_dict(load_file(unit.folder.epoch_weights(epoch)))
        at_work.notes.append(f"epoch {epoch + 1} was chosen on the other folds' curves")
        _finish(at_work, network, epoch + 1)
        unit.folder.drop_states()
        return "; ".join(at_work.notes)


def score_test(
    unit: Unit,
    choices: Choices,
    *,
    answers: bool = False,
    settled: Predictions | None = None,
) -> str:
    """Score the test rows there are now, as the unit's training would have.

    Args:
        unit: done.
        choices: as recorded.
        answers: in a pack: by what passes images soonest here, within the tolerance of backends,
            and by the reference's head where that was packed.
        settled: scores of some rows, which are taken as they are.

    Raises:
        RunError: the stored weights are not those that were trained.
    """
    record: dict[str, Any] = read_json(unit.folder.record)
    path = checked_weights(unit, "new test rows cannot be scored")
    ids = unit.problem.test.ids
    if unit.problem.task.kind == "map":
        settled = None  # Maps are scored one by one and written as they come: all are made anew.
    looking = unit if settled is None else _without(unit, settled.ids)
    with closing(open_work(looking, choices)) as at_work:
        at_work.tests_only, at_work.any_backend = True, answers
        network = laid_out(at_work.assembly.trained_network(load_file(path)), choices)
        if settled is None:
            at_work.keep(network, unit.folder.test, held_out=False)
        else:
            test = at_work.score(network, held_out=False)
            # Without raw outputs, which the others have not.
            looked = test.with_scores(test.scores)
            joined = concatenate([looked, settled]).align(ids, name=unit.name)
            predictions_file.write(unit.folder.test, joined)
        is_packed = answers and unit.folder.head.exists() and not at_work.is_frozen
        if is_packed or unit.folder.reference_test.exists():
            tensors = load_file(unit.folder.head)
            reference = at_work.score_features(stored_head(tensors), held_out=False)
            predictions_file.write(unit.folder.reference_test, reference)
        publish_json(unit.folder.record, {**record, "test": unit.test_print})
        return "; ".join(at_work.notes)


def _without(unit: Unit, ids: np.ndarray) -> Unit:
    """The unit, with a problem that lacks some test rows."""
    samples = unit.problem.samples
    is_left_out = np.isin(samples.ids, ids) & (samples.frame["split"] == "test").to_numpy()
    return replace(unit, problem=replace(unit.problem, samples=samples.take(~is_left_out)))


def backend_trial(unit: Unit, choices: Choices, num_images: int) -> tuple[BackendTrial, Path]:
    """What each backend would take for so many images of a done unit, and where that is kept."""
    path = checked_weights(unit, "it cannot be timed")
    with closing(open_work(unit, choices)) as at_work:
        network = laid_out(at_work.assembly.trained_network(load_file(path)), choices)
        samples = unit.problem.test if len(unit.problem.test) else unit.problem.train
        source = at_work.assembly.feed.scored(samples)
        found = at_work.tried_backends(network, source, num_images)
        return found, trial_file(unit.problem.home, found.key)


def checked_weights(unit: Unit, but: str) -> Path:
    """The file of a done unit's weights.

    Args:
        unit: done.
        but: what cannot be done without them, for the message.

    Raises:
        RunError: they are not those that were trained.
    """
    path, record = unit.folder.weights, read_json(unit.folder.record)
    if not path.exists() or checkpoint.file_hash(path) != record["weights_sha256"]:
        raise RunError(
            f"{path}: absent or changed since it was trained, so {but}",
            remedy=f"delete {unit.folder.path} and train again",
        )
    return path


def laid_out(network: Network, choices: Choices) -> Network:
    """The network as it lay when it was trained."""
    if choices.layout is not None:
        network.set_layout(choices.layout)
    return network


def _check(at_work: UnitWork, network: Network) -> None:
    """Bind and try what training will use: nothing is removed for what cannot begin."""
    unit, assembly = at_work.unit, at_work.assembly
    assembly.feed.check_augment(unit.recipe.augment)
    _ = assembly.loss(), assembly.mix(), assembly.optimizer(network), assembly.sharpness()
    _ = (
        at_work.autocast,
        assembly.feed.cache,
        assembly.balancing.class_weights(unit.train_rows, unit.extra),
    )
    _ = assembly.is_solved and network.num_features
    problem, rows = unit.problem, unit.train_rows
    with contextlib.suppress(ValueError):  # Undefined on these rows, which is no fault of it.
        _try_metric(problem, rows)


def _try_metric(problem: Problem, rows: np.ndarray) -> None:
    """Score perfect answers."""
    metric, decision = problem.metric, problem.default_decision()
    if problem.task.kind != "map":
        problem.score(metric, problem.one_hot[rows], decision, rows)
        return
    truths = problem.target[rows]
    metric(metric.count(truths.runs, truths.runs, truths.num_classes, truths.ignored), truths)


def _finish(at_work: UnitWork, network: Network, num_epochs: int) -> None:
    """Publish weights, predictions and the record of a trained network."""
    unit = at_work.unit
    network.eval()
    if at_work.offset is not None:
        assert network.offset is not None
        network.offset.copy_(torch.from_numpy(at_work.offset))
    tensors = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    publish(unit.folder.weights, lambda part: save_file(tensors, part))
    if unit.fold is not None:
        valid = at_work.keep(network, unit.folder.valid, held_out=True)
        if network.branch is not None and not at_work.is_frozen and len(valid.ids):
            save_attention(at_work, network, valid)
    at_work.keep(network, unit.folder.test, held_out=False)
    step("record", unit.folder.path)
    weights = at_work.assembly.weights
    publish_json(
        unit.folder.record,
        {
            "inputs": unit.inputs,
            "test": unit.test_print,
            "notes": at_work.notes,
            "head": at_work.head,
            "epochs": num_epochs,
            "weights_sha256": checkpoint.file_hash(unit.folder.weights),
            "pretrained_sha256": None if weights is None else weights.fingerprint,
            **({"extra": {part.name: part.facts() for part in unit.taken}} if unit.taken else {}),
        },
    )
