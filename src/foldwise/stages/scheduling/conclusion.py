"""The end of `run`: merge, score, blend, hand in and report what there is, within the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from foldwise.cluster.local import Job, run_jobs
from foldwise.config.plan import BlendConfig, Plan
from foldwise.config.recipe import Recipe
from foldwise.errors import BudgetError, FoldwiseError
from foldwise.home import Home
from foldwise.rundir import RunDir
from foldwise.stages.blend import blend
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate, tell
from foldwise.stages.predict import Merged, predict
from foldwise.stages.report import report
from foldwise.stages.scheduling.deadline import kept
from foldwise.stages.submit import submit
from foldwise.tasks.problem import Problem

T = TypeVar("T")


@dataclass
class Done:
    """What a `run` did.

    Attributes:
        failed: unit, run or blend → why it is not done.
        notes: what was shortened, left out, stopped or broken off.
    """

    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Conclusion:
    """Turns trained units into scores, blends and a submission.

    What fails is said, and the rest goes on; what is not over at the deadline is broken off.

    Attributes:
        problem: with folds.
        plan: what is blended and handed in.
        recipes: name → resolved recipe.
        stop_at: on the monotonic clock; None: no limit.
        show: where it is said.
        done: what failed or was broken off is added to it.
    """

    problem: Problem
    plan: Plan
    recipes: dict[str, Recipe]
    stop_at: float | None
    show: Display
    done: Done

    @property
    def home(self) -> Home:
        """The competition."""
        return self.problem.home

    def settle(self, name: str) -> None:
        """Merge, score and hand in what a run has so far, without a word."""
        silent = self.show.silent()
        if self._merged(name) is not None:
            self._tried(name, "scoring it", partial(self._evaluate, name, silent))
            if self.recipes[name].target is None:
                self._tried("submission", "submitting", partial(self._submit, None, silent))

    def conclude(self) -> None:
        """Do all that follows training."""
        self._blended(self._scored())
        chosen = None if self.plan.submit == "best" else self.plan.submit
        self._tried("submission", "submitting", partial(self._submit, chosen, self.show))
        is_reported = self._reported()
        if self.home.submission.exists():
            self.show.say(f"submission: {self.home.submission}")
        if is_reported:
            self.show.say(f"report: {self.home.report}")

    def _reported(self) -> bool:
        """Write the report in a process of its own: it imports torch, which takes no breaking off.

        Returns:
            Whether it is there.
        """
        job = Job(
            name="report",
            function=f"{write_report.__module__}:{write_report.__name__}",
            arguments=(str(self.home.path),),
            log=self.home.stamp("report").with_name("report-log.txt"),
            threads=1,
            stop_at=self.stop_at,
        )
        for outcome in run_jobs([job], parallel=1):
            if outcome.stopped:
                self._say_late("report", "the time was up; `foldwise report` writes it")
            elif outcome.error is not None:
                self.done.failed["report"] = outcome.error
                self.show.warn(f"report: {outcome.error}")
            else:
                return True
        return False

    def _scored(self) -> dict[str, tuple[int, ...]]:
        """Merge and score all runs that have units; run → its complete folds."""
        folds = {}
        for name in self.recipes:
            run = RunDir(self.home.runs / name)
            if not any(run.path.glob("units/fold*/unit.json")):
                continue
            merged = self._merged(name)
            if merged is None:
                continue
            names = [name, f"{name}/reference"] if run.reference.record.exists() else [name]
            for label in reversed(names):
                silent = self.show.silent()
                scores = self._tried(label, "scoring it", partial(self._evaluate, label, silent))
                if scores is not None and label == name:
                    tell(self.show, scores)
            folds[name] = merged.folds
        return folds

    def _blended(self, folds: dict[str, tuple[int, ...]]) -> None:
        """Make the plan's blends; all runs that have the most complete folds are members.

        Those that say which classes are in an image are members of none, unless they are named.
        """
        answering = {
            name: found for name, found in folds.items() if self.recipes[name].target is None
        }
        most = max(answering.values(), key=len, default=())
        fullest = [name for name, found in answering.items() if found == most]
        everyone = [*fullest, *frozen_heads(self.home, self.recipes, fullest)]
        for name, config in self.plan.blends.items():
            members = everyone if config.members == "all" else list(config.members)
            if len(members) < (2 if config.gate is None else 1):
                self.show.warn(f"{name}: not blended, only {len(members)} of the runs are complete")
                continue
            self._blend(name, config, members, self.show)

    def blend_teachers(self, recipes: Sequence[Recipe]) -> None:
        """Make the plan's blends that label test rows for these recipes, without a word."""
        silent = self.show.silent()
        names = {teacher for recipe in recipes for teacher in recipe.teachers}
        blends = self.plan.blends
        # A blend may be made of those before it in the plan.
        for name in reversed(blends):
            if name in names and blends[name].members != "all":
                names |= {*blends[name].members}
        for name, config in blends.items():
            if name in names and config.members != "all":
                for member in {*config.members} & {*self.recipes}:
                    self.settle(member)
                self._blend(name, config, config.members, silent)

    def _blend(self, name: str, config: BlendConfig, members: Sequence[str], show: Display) -> None:
        call = partial(
            blend,
            self.home,
            name,
            method=config.method,
            members=members,
            gate=config.gate,
            problem=self.problem,
            display=show,
        )
        self._tried(name, "blending it", call)

    def _merged(self, name: str) -> Merged | None:
        call = partial(predict, self.home, name, problem=self.problem)
        return self._tried(name, "merging it", call)

    def _evaluate(self, name: str, show: Display) -> dict[str, object]:
        return evaluate(self.home, name, problem=self.problem, display=show)

    def _submit(self, name: str | None, show: Display) -> None:
        submit(self.home, name, problem=self.problem, display=show)

    def _tried(self, name: str, doing: str, call: Callable[[], T]) -> T | None:
        """The call's result; a user's mistake in it is said, and the others go on."""
        try:
            with kept(self.stop_at, doing):
                return call()
        except BudgetError as error:
            self._say_late(name, f"{error}; `foldwise run` makes up for it")
        except FoldwiseError as error:
            self.done.failed[name] = str(error)
            self.show.warn(f"{name}: {error}")
        return None

    def _say_late(self, name: str, why: str) -> None:
        self.done.notes.append(f"{name}: {why}")
        self.show.warn(f"{name}: {why}")


def write_report(home: str) -> None:
    """Write a competition's report; the job behind the end of `run`."""
    report(Home(Path(home)))


def frozen_heads(home: Home, recipes: dict[str, Recipe], names: Sequence[str]) -> list[str]:
    """The references of fine-tuned runs, as members: what fine-tuning spoilt is still there.

    Not where a recipe of its own has that backbone frozen: it would count twice.
    """
    frozen = {
        (recipes[name].model.name, recipes[name].input.size)
        for name in names
        if recipes[name].freeze == "backbone"
    }
    return [
        f"{name}/reference"
        for name in names
        if RunDir(home.runs / name).reference.oof.exists()
        and (recipes[name].model.name, recipes[name].input.size) not in frozen
    ]
