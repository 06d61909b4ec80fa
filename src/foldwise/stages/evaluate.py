"""Scores a run of any kind: decision, metric with its interval, errors, references, warnings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.config.writing import fingerprint
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import locked, publish_json
from foldwise.rundir import RunDir
from foldwise.stages.display import Display
from foldwise.stages.examining.over_time import check_over_time
from foldwise.stages.scoring.deciding import decision_facts, read_decided
from foldwise.stages.scoring.error_tables import error_tables
from foldwise.stages.scoring.frozen import inputs_of_frozen
from foldwise.stages.scoring.headline import headline, more_metrics
from foldwise.stages.scoring.held_out import file_hash, ordered_columns, run_label
from foldwise.stages.scoring.how_got import how_got
from foldwise.stages.scoring.learning import learning_curves
from foldwise.stages.scoring.mask_beside import beside_line
from foldwise.stages.scoring.mask_tables import mask_tables
from foldwise.stages.scoring.references import compare, has_thumbnails, member_runs, references
from foldwise.stages.scoring.warnings import spread, warnings
from foldwise.stages.training.prints import code_hash, data_hash
from foldwise.tasks.problem import Problem, open_problem

#: Raised whenever the same predictions of a kind would give another `scores.json` than before.
_VERSIONS = {"vector": 6, "map": 9}


def evaluate(
    home: Home, run_name: str, *, problem: Problem | None = None, display: Display | None = None
) -> dict[str, Any]:
    """Decide and score a run, and write its `decision.json` and `scores.json`.

    A recipe's run, its `reference/`, a blend and a run from outside are all scored by this.

    Args:
        home: the competition.
        run_name: a run with `oof.parquet` and `test.parquet`; `b/reference` for a reference.
        problem: if it is already open.
        display: where the score and the warnings are shown.

    Returns:
        What was written. `run`, `kind`, `inputs`; `how` (see `how_got`); `decision` (see
        `decision_facts`); `undecided`; the keys of
        `headline.headline` with the score; `more_metrics`; those of `error_tables.error_tables`;
        `learning`; `references`; `spread`; `warnings`. Numbers that are undefined are None.

    Raises:
        RunError: there is no such run, or it was made on other folds or rows.
        DataError: its score files are absent or damaged.
        ConfigError: `submission.over_time` cannot be honoured.
    """
    show = display or Display()
    problem = problem or open_problem(home)
    check_over_time(problem)
    run = home.run(run_name)
    record = run.read_record()
    problem = problem.asked_in(record)
    inputs = _inputs(problem, run, record)
    stored = read_json(run.scores)
    if stored is not None and stored["inputs"] == inputs and run.decision.exists():
        return dict(stored)
    with locked(run.lock, doing="evaluating the run", wait_s=600):
        scores = _plain({"inputs": inputs, **_scored(problem, run, record)})
        publish_json(run.scores, scores)
    tell(show, scores)
    return dict(scores)


def score_line(scores: dict[str, Any]) -> str:
    """A run's score in one line."""
    metric = scores["metric"]["label"]
    if scores["score"] is None:
        return f"{scores['run']}: {metric} is undefined"
    ends = scores["interval"]
    between = f" [{ends['low']:.4f}, {ends['high']:.4f}]" if ends else ""
    num_folds = len(scores["present_folds"]) + len(scores["missing_folds"])
    return (
        f"{scores['run']}: {metric} {scores['score']:.4f}{between}, {scores['how']['got']}, "
        f"{scores['num_rows']} rows, {len(scores['present_folds'])} of {num_folds} folds"
    )


def _inputs(problem: Problem, run: RunDir, record: dict[str, Any]) -> dict[str, Any]:
    # A recipe's identity is in the record; how many threads it trains with changes no score.
    dropped = ("created", "machine", "recipe")
    kept = {key: value for key, value in record.items() if key not in dropped}
    recipe = record.get("recipe", {})
    kept["recipe"] = {key: recipe.get(key) for key in ("folds", "refit")}
    return {
        "version": _VERSIONS[problem.task.kind],
        "oof": file_hash(run.oof),
        "test": file_hash(run.test),
        "record": fingerprint(kept),
        "merged": file_hash(run.path / "merged.json"),
        "competition": fingerprint(problem.competition),
        "folds": problem.folds_hash,
        "data": data_hash(problem),
        "groups": file_hash(problem.home.groups),
        "without": [file_hash(path) for path in run.every_without],
        "code": code_hash(problem),
        "frozen": inputs_of_frozen(problem.home, run, record),
        "members": [file_hash(place.oof) for place in member_runs(problem.home, record)],
        "thumbnails": has_thumbnails(problem),
    }


def _scored(problem: Problem, run: RunDir, record: dict[str, Any]) -> dict[str, Any]:
    name = run_label(problem.home, run)
    held = read_decided(problem, run)
    decided = decision_facts(run)
    test = ordered_columns(predictions_file.read(run.test), problem.columns, name=f"{name} (test)")
    scores = {
        "run": name,
        "kind": record["kind"],
        "how": how_got(run, record, held.decision, decided),
        "decision": decided,
        "undecided": list(problem.competition.undecided),
        **headline(held),
        "more_metrics": more_metrics(held),
        **(mask_tables(held, test.scores) if test.kind == "map" else error_tables(held)),
        "learning": learning_curves(run) if record["kind"] == "recipe" else None,
        "references": compare(held, references(problem, run, record, held)),
        "spread": spread(held, test),
    }
    scores["warnings"] = warnings(held, scores)
    return scores


def tell(show: Display, scores: dict[str, Any]) -> None:
    """Say a run's score and its warnings."""
    show.say(score_line(scores))
    if "masks" in scores:
        show.say(f"  {beside_line(scores['masks'])}")
    decision = scores["decision"]
    cuts = "fitted" if decision["steps"][-1]["fitted"] else "fixed"
    cuts = "shares" if decision["kind"] == "shares" else cuts
    if decision["gain"] is not None or cuts != "fixed":
        show.say(f"  decision {cuts}: {decision['reason']}")
    for tried in decision["masks"]:
        show.say(f"  {', '.join(tried['steps'])}: {tried['reason']}")
    for tried in decision["over_time"]:
        used = "used" if tried["is_used"] else "not used"
        show.say(f"  over time, {', '.join(tried['steps'])} {used}: {tried['reason']}")
    for guess in scores["undecided"]:
        show.warn(f"undecided: {guess}")
    for warning in scores["warnings"]:
        show.warn(f"{scores['run']}: {warning}")


def _plain(value: Any) -> Any:
    """The value as JSON takes it; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
