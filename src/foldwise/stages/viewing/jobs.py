"""The jobs that `views` gives to a cluster: plain functions of paths, in their own process."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foldwise.errors import ConfigError
from foldwise.publish import locked
from foldwise.stages.featuring.jobs import opened_unit, trained_network
from foldwise.stages.training.choices import reuse
from foldwise.stages.training.unit import Unit
from foldwise.stages.viewing.files import (
    UnitViews,
    lock_of,
    missing_views,
    view_path,
    views_print,
    write_views,
)
from foldwise.views import View, views_of

if TYPE_CHECKING:
    from foldwise.engine.assemble import Assembly
    from foldwise.models.network import Network
    from foldwise.stages.training.at_work import UnitWork

_TRIAL_BATCHES = 5
_NEEDS = "it cannot be shown views"


def try_views(
    home: str, run: str, fold: int, seed: int, threads: int, names: str
) -> dict[str, Any]:
    """What a unit's network takes, and how fast it is.

    Args:
        home: the competition's folder.
        run: the run's folder.
        fold: held-out fold.
        seed: of the unit.
        threads: compute threads, if it was not trained here.
        names: of views, as JSON.

    Returns:
        `rate`: images per second of the plain pass; `refused`: view → why it cannot be shown.
    """
    import torch

    from foldwise.engine.assemble import Assembly
    from foldwise.stages.training.trial import infer_rate
    from foldwise.stages.training.work import laid_out

    unit = opened_unit(home, run, fold, seed)
    with closing(Assembly(unit.problem, unit.recipe)) as assembly:
        network = trained_network(unit, assembly, but=_NEEDS)
        choices = reuse(unit, threads)
        torch.set_num_threads(choices.threads)
        network = laid_out(network, choices)
        return {
            "refused": _refused(network, assembly, views_of(json.loads(names))),
            "rate": infer_rate(assembly, network, num_batches=_TRIAL_BATCHES),
        }


def show_views(
    home: str, run: str, fold: int, seed: int, threads: int, names: str, timing: str
) -> str:
    """Let a done unit's network answer its held-out rows in each view.

    One pass over the images for all views; of masks one for each, whose maps are written as they
    come.

    The whole network is run, also where its backbone is frozen and features are cached: what it
    takes is measured.

    Args:
        home: the competition's folder.
        run: the run's folder.
        fold: held-out fold.
        seed: of the unit.
        threads: compute threads, if it was not trained here.
        names: of views, as JSON.
        timing: file for progress.

    Returns:
        What the user should know, or nothing.
    """
    unit = opened_unit(home, run, fold, seed)
    # Who comes second waits: it wants the same files.
    with locked(lock_of(unit), doing=f"views of {unit.name}", wait_s=86_400):
        views = missing_views(unit, views_of(json.loads(names)))
        if not views:
            return "already there"
        _show(unit, views, threads, Path(timing))
    return ""


def _show(unit: Unit, views: list[View], threads: int, timing: Path) -> None:
    from foldwise.stages.training.at_work import open_work
    from foldwise.stages.training.work import laid_out

    choices = reuse(unit, threads)
    with closing(open_work(unit, choices, timing=timing)) as at_work:
        network = trained_network(unit, at_work.assembly, but=_NEEDS)
        network = laid_out(network, choices).to(at_work.device).eval()
        refused = _refused(network, at_work.assembly, views)
        shown = [view for view in views if view.name not in refused]
        show = _show_maps if at_work.assembly.gives_maps else _show_rows
        show(unit, at_work, network, shown, refused)


def _show_rows(
    unit: Unit, at_work: UnitWork, network: Network, views: list[View], refused: dict[str, str]
) -> None:
    from foldwise.engine.infer import infer

    samples = unit.problem.train.take(unit.valid_rows)
    seconds: dict[str, float] = {}
    began = time.monotonic()
    outputs = infer(
        network,
        at_work.assembly.feed.source(samples),
        views=views,
        batch=at_work.eval_batch,
        device=at_work.device,
        workers=unit.recipe.train.workers,
        autocast=at_work.autocast,
        progress=lambda done: at_work.report("views", done, len(samples)),
        timed=seconds.update,
    )
    read_s = max(time.monotonic() - began - sum(seconds.values()), 0.0)
    found = UnitViews(views_print(unit), len(samples), read_s, seconds, refused)
    answers = {view: at_work.predictions(samples, outputs[view.name], True) for view in views}
    write_views(unit, answers, found)


def _show_maps(
    unit: Unit, at_work: UnitWork, network: Network, views: list[View], refused: dict[str, str]
) -> None:
    """The same of masks, view by view, what was written kept: they are as large as their images."""
    from foldwise.engine.infer import tell_halved
    from foldwise.engine.map_scoring import score_maps
    from foldwise.stages.training.keeping_maps import Keep, keep_maps

    samples = unit.problem.train.take(unit.valid_rows)
    total = len(samples) * len(views)
    write_views(unit, {}, UnitViews(views_print(unit), len(samples), 0.0, {}, refused))
    for place, view in enumerate(views):
        spans: list[float] = []

        def tell(done: int, before: int = place * len(samples)) -> None:
            at_work.report("views", before + done, total)

        def again(batch: int, problem: str, spans: list[float] = spans) -> None:
            spans.clear()
            tell_halved(batch, problem)

        def infer(keep: Keep, view: View = view, spans: list[float] = spans) -> None:
            score_maps(
                at_work.assembly,
                network,
                samples,
                keep,
                views=[view],
                batch=at_work.eval_batch,
                device=at_work.device,
                autocast=at_work.autocast,
                progress=tell,
                halved=again,
                timed=spans.append,
                divided=False,
            )

        began = time.monotonic()
        columns, path = unit.problem.columns, view_path(unit, view)
        answers = keep_maps(path, samples, columns, infer, fold=at_work.key[1])
        seconds = sum(spans)
        read_s = max(time.monotonic() - began - seconds, 0.0)
        found = UnitViews(views_print(unit), len(samples), read_s, {view.name: seconds}, refused)
        write_views(unit, {view: answers}, found)


def _refused(network: Network, assembly: Assembly, views: Sequence[View]) -> dict[str, str]:
    from foldwise.engine.viewing import check_views

    found = {}
    size = assembly.feed.scored_side or assembly.recipe.input.size
    for view in views:
        try:
            check_views(network, [view], size)
        except ConfigError as error:
            found[view.name] = str(error)
    return found
