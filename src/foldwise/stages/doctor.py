"""Checks competition, plan and recipes before money is spent on them, and tries each recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from foldwise import device as machine
from foldwise.cluster.local import Job, Outcome, run_jobs
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.errors import FoldwiseError, RunError
from foldwise.home import Home
from foldwise.stages.display import Display
from foldwise.stages.examining import (
    competition_rules,
    fitting_rules,
    input_rules,
    mask_rules,
    network_rules,
    over_time,
    plan_rules,
    schedule_rules,
    second_level_rules,
    trial_rules,
    view_rules,
)
from foldwise.stages.examining.cases import Ground, PlanCase, RecipeCase
from foldwise.stages.examining.costing import show_costs
from foldwise.stages.examining.finding import Fault, Finding, apply_rules, from_error
from foldwise.stages.examining.ground import open_ground
from foldwise.stages.examining.rating import show_lr_range
from foldwise.stages.examining.telling import trial_lines
from foldwise.stages.examining.trial_facts import Tried
from foldwise.stages.examining.trial_jobs import trial_log
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import (
    load_plan,
    load_recipe,
    plan_changes,
    plan_places,
    recipe_path,
    recipe_places,
)
from foldwise.stages.scheduling.lanes import side_by_side

#: A trial takes up to about 20 s; one that takes this long hangs.
_TRIAL_LIMIT_S = 180.0

RECIPE_RULES = {
    **schedule_rules.RULES,
    **network_rules.RULES,
    **input_rules.RULES,
    **view_rules.RULES,
    **fitting_rules.RULES,
    **mask_rules.RULES,
}

#: What is examined → rule → what finds it; the reference page is made from it.
RULES: dict[str, Mapping[str, Callable[..., Iterable[Fault]]]] = {
    "Competition": {**competition_rules.RULES, **over_time.RULES},
    "Plan": plan_rules.RULES,
    "Recipes": RECIPE_RULES,
    "Second-level recipes": second_level_rules.RULES,
    "Recipes, by a short trial": trial_rules.RULES,
}


def doctor(
    home: Home,
    recipe: str | None = None,
    *,
    overrides: Sequence[str] = (),
    trial: bool = True,
    costs: bool = False,
    lr_range: bool = False,
    display: Display | None = None,
) -> list[Finding]:
    """Look for mistakes; what a loader or binder would raise is a finding, too.

    Args:
        home: the competition.
        recipe: name or path; None: all recipes of the plan, with its changes, and the plan.
        overrides: `key=value` for the recipe, or for each.
        trial: whether each recipe also learns one batch by heart, in a process of its own, and a
            picture of a batch is written; images are prepared for it if they are not. Without it
            torch is not needed, and parts' own options are not checked.
        costs: whether memory and time of each sound recipe's steps are measured, too.
        lr_range: whether each sound recipe is tried at a rising rate, too.
        display: where findings are shown.

    Returns:
        Errors first, then warnings.

    Raises:
        FoldwiseError: there is no recipe of that name.
    """
    show = display or Display()
    found: list[Finding] = []
    plan = _plan(home, recipe, found)
    ground = open_ground(home, plan, found)
    names = [recipe] if recipe is not None else list(plan.recipes) if plan is not None else []
    cases: list[RecipeCase] = []
    for name in names:
        case = _case(home, name, overrides, None if recipe else plan, ground, found)
        if case is not None:
            cases.append(case)
            is_second = case.recipe.is_second_level
            rules = second_level_rules.RULES if is_second else RECIPE_RULES
            found += apply_rules(rules, case, places=case.places, recipe=case.name)
    if recipe is None and plan is not None and ground is not None:
        known = {case.name: case.recipe for case in cases}
        planned = PlanCase(ground, plan, known)
        found += apply_rules(plan_rules.RULES, planned, places=plan_places(home))
    networks = [case for case in cases if not case.recipe.is_second_level]
    if trial and networks:
        found += _try_all(home, networks, found, show)
    ordered = sorted(found, key=lambda finding: (finding.level != "error", finding.recipe))
    _tell(show, ordered, len(names))
    measures = [show_costs] * costs + [show_lr_range] * lr_range
    for case in networks:
        if not _error_rules(found, case) and _trains(case.recipe):
            for measure in measures:
                try:
                    measure(home, case, show)
                except RunError as problem:
                    show.warn(str(problem))
    return ordered


def _trains(recipe: Recipe) -> bool:
    """Whether there are steps of a whole network to measure."""
    return recipe.freeze == "none" and bool(recipe.train.schedule.stages or recipe.train.epochs)


def _plan(home: Home, recipe: str | None, found: list[Finding]) -> Plan | None:
    if recipe is not None and not home.plan.exists():
        return None
    try:
        return load_plan(home)
    except FoldwiseError as problem:
        found += from_error(problem, "config")
        return None


def _case(
    home: Home,
    name: str,
    overrides: Sequence[str],
    plan: Plan | None,
    ground: Ground | None,
    found: list[Finding],
) -> RecipeCase | None:
    """The recipe on its ground; None if either cannot be read."""
    if plan is not None and not home.recipe(name).is_file():
        return None  # The rule recipe-file says so.
    path = recipe_path(home, name)
    changes = plan_changes(home).get(path.stem) if plan is not None else None
    try:
        resolved = load_recipe(home, name, overrides=overrides, changes=changes)
        places = recipe_places(home, name, overrides=overrides, changes=changes)
    except FoldwiseError as problem:
        found += from_error(problem, "config", recipe=path.stem)
        return None
    if ground is None:
        return None
    return RecipeCase(ground.asked_by(resolved), path.stem, resolved, places)


def _try_all(
    home: Home, cases: Sequence[RecipeCase], found: Sequence[Finding], show: Display
) -> list[Finding]:
    """What the trials of the recipes find."""
    if any(finding.level == "error" and not finding.recipe for finding in found):
        show.say("recipes are tried once competition and plan are in order")
        return []
    bad = {finding.recipe for finding in found if finding.level == "error"}
    sound = [case for case in cases if not {"steps", "channels"} & _error_rules(found, case)]
    try:
        prepare(home, inputs=[case.recipe.input for case in sound], display=show)
    except FoldwiseError as problem:
        return from_error(problem, "images")
    by_name = {case.name: case for case in sound}
    at_once, threads = side_by_side(None)
    stop_at = machine.monotonic() + _TRIAL_LIMIT_S * len(sound)
    jobs = [_job(home, case, threads, stop_at, is_sound=case.name not in bad) for case in sound]
    more: list[Finding] = []
    # Side by side and with the threads of units, so that what is measured is what they will get.
    for outcome in run_jobs(jobs, parallel=at_once):
        case = by_name[outcome.job.name]
        known = _error_rules(found, case)
        more += [f for f in _from_outcome(home, case, outcome, show) if f.rule not in known]
    return more


def _error_rules(found: Sequence[Finding], case: RecipeCase) -> set[str]:
    """Rules that have found an error in a recipe already."""
    return {f.rule for f in found if f.recipe == case.name and f.level == "error"}


def _job(home: Home, case: RecipeCase, threads: int, stop_at: float, *, is_sound: bool) -> Job:
    folder = home.path / ".foldwise"
    return Job(
        name=case.name,
        function="foldwise.stages.examining.trial:try_recipe",
        arguments=(
            str(home.path),
            json.dumps(case.recipe.model_dump(mode="json")),
            case.name,
            str(folder / f"doctor-{case.name}.png"),
            int(is_sound),
        ),
        log=trial_log(home),
        threads=threads,
        stop_at=stop_at,
    )


def _from_outcome(
    home: Home, case: RecipeCase, outcome: Outcome, show: Display
) -> Iterator[Finding]:
    if outcome.error is not None:
        why = f"the trial failed: {outcome.error}"
        yield Finding("trial", "error", case.name, why, "", case.places.file)
        return
    tried: Tried = outcome.value
    for failure in tried.failures:
        where = case.places.of(failure.key)
        yield from from_error(failure.at(case.places), failure.rule, recipe=case.name, where=where)
    if tried.facts is not None:
        for line in trial_lines(case, tried):
            show.say(f"  {case.name}: {line}")
        at_once, _ = side_by_side(None)
        yield from apply_rules(
            trial_rules.RULES,
            trial_rules.TrialCase(tried.facts, at_once),
            places=case.places,
            recipe=case.name,
        )


def _tell(show: Display, found: Sequence[Finding], num_recipes: int) -> None:
    for finding in found:
        style = "red" if finding.level == "error" else "yellow"
        line = f"{finding.level:<7}  {finding.rule:<18}  {finding}"
        show.console.print(line, style=style, markup=False)
    if not found:
        recipes = f"{num_recipes} recipe{'s' * (num_recipes != 1)}"
        show.say(f"nothing found in {recipes}, their tables and the plan")
