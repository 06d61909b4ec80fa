"""One page part per run: how it learned, where it errs, what it was fed, what it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from foldwise.config.recipe import Recipe
from foldwise.config.writing import to_yaml
from foldwise.errors import FoldwiseError
from foldwise.stages.progress import duration
from foldwise.stages.reporting.attention_view import attention_view
from foldwise.stages.reporting.charts import Course, courses
from foldwise.stages.reporting.errors_view import (
    class_table,
    confusion_view,
    curves_view,
    groups_view,
    samples_view,
    scatter_view,
)
from foldwise.stages.reporting.fed import fed_batch
from foldwise.stages.reporting.mask_sheets import sheets_view
from foldwise.stages.reporting.masks_view import masks_view
from foldwise.stages.reporting.material import Material, Run
from foldwise.stages.reporting.svg import without_outliers
from foldwise.stages.reporting.views_chart import views_view
from foldwise.stages.reporting.words import moment

#: More names than that would not find room at the ends of their lines.
_MAX_NAMED = 6
_HASHES = ("identity", "competition", "folds", "data", "code")


def run_pages(material: Material, first: str | None) -> list[dict[str, Any]]:
    """What the page says of each run and blend, the submitted one first, then the best.

    Args:
        material: with runs.
        first: the run that is handed in.
    """
    unscored = (run for run in material.runs if run.scores is None)
    order = [*material.scored, *material.gates, *unscored]
    shown = [run for run in order if run.kind != "reference"]
    shown.sort(key=lambda run: run.label != first)
    opened = _opened(shown)
    return [_page(material, run, is_open=run.label in opened) for run in shown]


def _opened(shown: list[Run]) -> set[str]:
    """The first run and, should that be a blend, the best recipe with its curves."""
    recipes = [run for run in shown if run.kind == "recipe"]
    return {run.label for run in [*shown[:1], *recipes[:1]]}


def learning_view(scores: dict[str, Any]) -> dict[str, Any] | None:
    """Charts of all units, and whether they speak of over- or underfitting."""
    found = scores["learning"]
    if found is None:
        return None
    units = [unit for unit in found["units"] if unit["rows"]]
    metric = scores["metric"]["label"]
    return {
        "verdict": found["verdict"],
        "sentence": found["sentence"].removeprefix(f"{found['verdict']}: "),
        "rule": found["rule"],
        "num_units": len(units),
        "losses": [_loss_chart(units, name) for name in ("loss", *_terms(units))],
        "score": _score_chart(units, metric),
    }


def changed_keys(record: dict[str, Any]) -> str:
    """The recipe's keys that differ from the defaults, as YAML."""
    recipe = Recipe.model_validate(record["recipe"])
    return to_yaml(recipe.model_dump(mode="json", exclude_defaults=True))


def _page(material: Material, run: Run, *, is_open: bool) -> dict[str, Any]:
    scores = run.scores
    masks = _of(scores, masks_view)
    is_recipe = run.kind == "recipe" and "recipe" in run.record
    is_fed = is_recipe and "second_level" not in run.record  # A head is fed no images.
    whole = material.problem
    problem = None if whole is None else material.tried(lambda: whole.asked_in(run.record))
    return {
        "label": run.label,
        "is_open": is_open,
        "kind": run.kind,
        "scores": scores,
        "is_stale": run.is_stale,
        "learning": _of(scores, learning_view),
        "confusion": _of(scores, confusion_view),
        "classes": None if masks else _of(scores, class_table),
        "curves": _of(scores, curves_view),
        "scatter": _of(scores, scatter_view),
        "groups": _of(scores, groups_view),
        "samples": None if scores is None or masks else samples_view(material, scores),
        "masks": masks,
        "sheets": sheets_view(material, run) if is_open else None,
        "fed": fed_batch(problem, run.record) if is_fed and problem is not None else None,
        "attention": attention_view(problem, run.folder, run.record)
        if is_fed and problem is not None
        else None,
        "views": views_view(run.folder) if is_recipe else None,
        "recipe": _recipe_text(run) if is_recipe else None,
        "units": run.units,
        "facts": _facts(run),
        "versions": run.record.get("machine", {}),
    }


def _of(
    scores: dict[str, Any] | None, view: Callable[[dict[str, Any]], Any]
) -> dict[str, Any] | Markup | None:
    return None if scores is None else view(scores)


def _recipe_text(run: Run) -> str:
    try:
        return changed_keys(run.record)
    except (FoldwiseError, ValueError) as error:
        return f"# of another version of foldwise: {error}"


def _facts(run: Run) -> list[tuple[str, str]]:
    record = run.record
    facts = [("made", moment(record.get("created"))), ("commit", record.get("commit"))]
    if run.kind == "recipe":
        facts.append(("seeds", ", ".join(map(str, record.get("seeds", ())))))
        if record.get("epochs") is not None:
            facts.append(("shortened", f"to {record['epochs']} epochs, to end in time"))
        if run.seconds is not None:
            facts.append(("training time", f"{duration(run.seconds)} over all units"))
    facts += [(f"hash of {name}", (record.get(name) or "")[:16]) for name in _HASHES]
    return [(name, str(value)) for name, value in facts if value]


def _course(unit: dict[str, Any], column: str, look: str, name: str = "") -> Course:
    rows = unit["rows"]
    return Course([row["epoch"] for row in rows], [row.get(column) for row in rows], look, name)


def _mean(units: list[dict[str, Any]], column: str, look: str, name: str) -> Course:
    """The mean over the units of each epoch that all of them have."""
    columns = list(
        zip(*([row.get(column) for row in unit["rows"]] for unit in units), strict=False)
    )
    means = [None if None in values else sum(values) / len(values) for values in columns]
    return Course(list(range(1, len(means) + 1)), means, look, name)


def _terms(units: list[dict[str, Any]]) -> list[str]:
    """Names of the loss's terms, where it names them."""
    columns = dict.fromkeys(column for unit in units for column in unit["rows"][0])
    known = ("train_loss", "valid_loss", "valid_score")
    return [
        column.removeprefix("train_")
        for column in columns
        if column.startswith("train_") and column not in known
    ]


def _loss_chart(units: list[dict[str, Any]], name: str) -> Markup:
    """The loss or one of its terms, in training and on the held-out fold."""
    lines = [
        *(_course(unit, f"train_{name}", "b thin") for unit in units),
        *(_course(unit, f"valid_{name}", "a thin") for unit in units),
        _mean(units, f"train_{name}", "b", "train"),
        _mean(units, f"valid_{name}", "a", "held out"),
    ]
    label = name if name == "loss" else f"{name.replace('_', ' ')}, a term of the loss"
    return courses(
        lines,
        x_label="epoch",
        y_label=label,
        about=f"training and held-out {label} by epoch",
        y_range=without_outliers([y for line in lines for y in line.ys if y is not None]),
    )


def _score_chart(units: list[dict[str, Any]], metric: str) -> Markup | None:
    """The metric on the held-out fold; None where no epoch was scored."""
    if not any(row.get("valid_score") is not None for unit in units for row in unit["rows"]):
        return None
    is_named = len(units) <= _MAX_NAMED and len({unit["seed"] for unit in units}) == 1
    lines = [
        _course(unit, "valid_score", "a thin", f"fold {unit['fold']}" if is_named else "")
        for unit in units
    ]
    return courses(
        [*lines, _mean(units, "valid_score", "a", "mean")],
        x_label="epoch",
        y_label=f"{metric} on the held-out fold",
        about=f"{metric} on the held-out fold by epoch",
    )
