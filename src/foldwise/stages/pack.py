"""Makes a folder that trains or answers elsewhere: competition, units, wheels and a notebook."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from foldwise.config.duration import seconds
from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.answering.test_rows import rows_print
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.packing.answer_contents import answer_marks, copy_answer_contents, every_unit
from foldwise.stages.packing.choosing import planned_answer
from foldwise.stages.packing.contents import copy_contents, copy_file, wanted_recipes
from foldwise.stages.packing.costs import recipes_of
from foldwise.stages.packing.elsewhere import read_elsewhere
from foldwise.stages.packing.making import (
    ANSWER_NOTEBOOK,
    COLAB_NOTEBOOK,
    NOTEBOOK,
    PACK_FILE,
    PACKED_HOME,
    PACKED_RUNS,
    SCRIPTS,
    complete,
    making_folder,
    megabytes,
    one_at_a_time,
    platform_of,
    published,
    units_print,
)
from foldwise.stages.packing.notebooks import answer_notebook, training_notebook
from foldwise.stages.packing.paper import write_readme
from foldwise.stages.packing.telling import tell
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.deadline_clock import clock_line, deadline_clock, longest_run_s
from foldwise.stages.session import EVERY
from foldwise.stages.submitting.masks import submission_ending
from foldwise.tasks.asked import load_competition
from foldwise.tasks.problem import open_problem


@one_at_a_time
def pack_training(
    home: Home,
    names: Sequence[str] = (),
    *,
    on: str,
    as_name: str = "train",
    limit: str | None = None,
    display: Display | None = None,
) -> Path:
    """Write `packs/NAME/`: all that a notebook needs to train but the data.

    Args:
        home: the competition; it has samples and folds.
        names: recipes or runs; none: all of the plan.
        on: name of a platform.
        as_name: name of the pack; one that is there is replaced.
        limit: how long a session may be; None: as the platform allows.
        display: where it is said what to do next.

    Returns:
        The pack's folder.

    Raises:
        ConfigError: unknown platform, no duration, or a recipe that cannot be packed.
        DataError: there are no samples or folds yet.
        RunError: there is neither such a recipe nor such a run, or the pack cannot have that name.
        LockedError: another process packs.
    """
    show = display or Display()
    platform = platform_of(on)
    seconds(limit or platform.limit)
    recipes = wanted_recipes(home, names)
    making = making_folder(home, as_name)
    found = copy_contents(home, Home(making / PACKED_HOME), recipes)
    facts = {"kind": "train", "platform": on, "marks": list(found.marks)}
    competition = load_competition(home)[0]
    missing = complete(making, as_name, facts, competition, found.packages)
    notebook = training_notebook(as_name, platform, limit=limit or platform.limit, every=EVERY)
    publish_json(making / NOTEBOOK, notebook)
    folder = published(home, as_name, platform, competition.name)
    for note in found.notes:
        show.warn(note)
    show.say(f"{folder}: {', '.join(recipes)}; {megabytes(folder)}")
    show.say(f"the notebook's image must have: {', '.join(missing)}")
    show.say(f"what to do with it: {folder / NOTEBOOK}, and docs/notebooks.md")
    return folder


@one_at_a_time
def pack_answer(
    home: Home,
    run_name: str,
    *,
    on: str,
    as_name: str = "answer",
    limit: str | None = None,
    num_images: int | None = None,
    factor: float | None = None,
    measured: Path | None = None,
    anyway: bool = False,
    skips_public: bool = False,
    is_dry: bool = False,
    display: Display | None = None,
) -> Path | None:
    """Write `packs/NAME/`: what answers the test rows with a run, offline and within a limit.

    Args:
        home: the competition.
        run_name: a run of a recipe, a reference, or a blend of such runs.
        on: name of a platform, whose folders and image it is made for.
        as_name: name of the pack; one that is there is replaced.
        limit: how long it may take; None: `limits.inference` of `competition.yaml`.
        num_images: test samples that are announced; None: as many as there are now.
        factor: how many times longer than here it takes there; None: as long.
        measured: the `answer.json` that a pack of this run has left there, whose times are taken.
        anyway: pack also what could not be scored before the deadline.
        skips_public: hand in a constant where it finds the test rows that there are now, and
            spend time on others alone: a platform's run on public rows takes hours for nothing.
        is_dry: say what would be packed, and write nothing.
        display: where it is said.

    Returns:
        The pack's folder; None: nothing was written.

    Raises:
        ConfigError: unknown platform, no limit, or there is no test to answer.
        BudgetError: nothing of the run stays within the limit, or is scored before the deadline.
        RunError: there is no such run, or something of it cannot be packed.
        LockedError: another process packs.
    """
    show = display or Display()
    platform, problem = platform_of(on), open_problem(home)
    if factor is not None and measured is not None:
        raise ConfigError(
            "--slower and --measured both say how long it takes there", remedy="say one of them"
        )
    if platform.is_other and factor is None and measured is None:
        show.warn(
            f"nothing says how fast {platform.title} is: times are those of this machine; say "
            "--slower, or --measured with the answer.json that a pack has left there"
        )
    asked = limit or problem.competition.limits.inference
    if asked is None:
        raise ConfigError(
            "a pack needs to know how long it may take",
            remedy="say --limit, such as --limit 9h, or set limits.inference in competition.yaml",
        )
    marks = answer_marks(problem.competition)
    problem.check_handed_in(run_name, home.run(run_name).read_record())
    evaluate(home, run_name, problem=problem, display=Display(quiet=True))
    found = planned_answer(
        problem,
        home.run(run_name),
        limit_s=seconds(asked),
        in_time_s=None if anyway else longest_run_s(problem.competition, datetime.now(UTC)),
        num_images=num_images,
        factor=factor or 1.0,
        is_here=platform.name == "this",
        elsewhere=None if measured is None else read_elsewhere(measured),
        show=show,
    )
    tell(found, show)
    planned_s = found.planned.chosen.seconds
    clock = deadline_clock(problem.competition, run_s=planned_s, by="notebook")
    if clock is not None:
        show.say(clock_line(clock, datetime.now(UTC)))
        if platform.name == "kaggle" and not skips_public:
            show.warn(
                "one run is counted: where hidden rows take the place of these, the notebook runs "
                "once for each, and --skip-public makes the first one short"
            )
    if is_dry:
        return None
    making = making_folder(home, as_name)
    target = Home(making / PACKED_HOME)
    copy_answer_contents(home, target, making / PACKED_RUNS, found.rounds)
    for backend in found.backends.values():
        copy_file(backend.trial, target.path / backend.trial.relative_to(home.path))
    submission = f"submission{submission_ending(problem.competition)}"
    rounds = [round_.to_json() for round_ in found.rounds]
    recipes = recipes_of(problem, found.planned.chosen.subset.node.every_unit)
    facts = {
        "kind": "answer",
        "platform": on,
        "marks": list(marks),
        "run": run_name,
        "submission": submission,
        "limit": asked,
        "seconds": round(planned_s, 1),
        "seconds_here": round(found.seconds_here, 1),
        "input": platform.input,
        "output": platform.output,
        "public": rows_print(problem.test) if skips_public else None,
        "rounds": rounds,
        "views": found.views,
        "options": found.option_facts(),
        "backends": {name: each.choice for name, each in found.backends.items()},
        "id": units_print(making / PACKED_RUNS, [rounds, found.views]),
        "notes": found.notes,
    }
    missing = complete(making, as_name, facts, problem.competition)
    shutil.copyfile(SCRIPTS / "predict.py", making / "predict.py")
    write_readme(making, read_json(making / PACK_FILE), platform, missing)
    notebook = partial(answer_notebook, as_name, limit=asked, submission=submission)
    publish_json(making / ANSWER_NOTEBOOK, notebook(platform))
    colab = platform_of("colab")
    if platform is not colab:
        publish_json(making / COLAB_NOTEBOOK, notebook(colab))
    folder = published(home, as_name, platform, problem.competition.name)
    units = len(every_unit(found.rounds))
    show.say(f"{folder}: {units} units of {', '.join(recipes)}; {megabytes(folder)}")
    show.say(f"the image must have: {', '.join(missing)}")
    show.say(
        f"about {duration(planned_s)} there; run it here: python "
        f"{folder / 'predict.py'} --input DATA --output OUT"
    )
    return folder
