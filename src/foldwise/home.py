"""Names and places of every file of a competition's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise.errors import FoldwiseError, RunError
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.rundir import NAME_RULE, RunDir, is_name

COMPETITION_FILE = "competition.yaml"


@dataclass(frozen=True)
class Home:
    """A competition's folder."""

    path: Path

    @property
    def competition(self) -> Path:
        """What is asked."""
        return self.path / COMPETITION_FILE

    @property
    def plan(self) -> Path:
        """Which recipes, folds, seeds and blends."""
        return self.path / "plan.yaml"

    @property
    def recipes(self) -> Path:
        """One YAML file per recipe."""
        return self.path / "recipes"

    @property
    def code(self) -> Path:
        """The user's own models, losses and metrics."""
        return self.path / "code"

    @property
    def samples(self) -> Path:
        """One row per sample."""
        return self.path / "samples.parquet"

    @property
    def masks(self) -> Path:
        """The masks of train samples, where they are what is asked."""
        return self.path / "masks.parquet"

    @property
    def audit(self) -> Path:
        """What the audit found."""
        return self.path / "audit.json"

    @property
    def external(self) -> Path:
        """One row per image of external data, if any is declared."""
        return self.path / "external.parquet"

    @property
    def folds(self) -> Path:
        """Sample id → fold."""
        return self.path / "folds.csv"

    @property
    def groups(self) -> Path:
        """Sample id → group whose rows share a fold."""
        return self.path / "groups.csv"

    @property
    def gaps(self) -> Path:
        """Rows beside a validation block, left out of training for that fold."""
        return self.path / "gaps.csv"

    @property
    def cache(self) -> Path:
        """Prepared images and features; shared and deletable."""
        return self.path / "cache"

    def step_trial(self, kind: str, key: str) -> Path:
        """Seconds of a network's step or pass in several ways, such as two layouts."""
        return self.cache / "trials" / f"{kind}-{key}.json"

    @property
    def runs(self) -> Path:
        """One folder per run."""
        return self.path / "runs"

    @property
    def costs(self) -> Path:
        """What every process took in time, a file each: see `time_records.py`."""
        return self.path / "costs"

    @property
    def packs(self) -> Path:
        """One folder per pack."""
        return self.path / "packs"

    @property
    def submissions(self) -> Path:
        """One folder per submission."""
        return self.path / "submissions"

    @property
    def ledger(self) -> Path:
        """Every submission's scores: SQLite, see `stages/ledgering/store.py`."""
        return self.submissions / "ledger.db"

    @property
    def submission(self) -> Path:
        """Copy of the best-founded valid submission so far: `submission.csv`, or a `.zip`."""
        return submission_in(self.path)

    @property
    def report(self) -> Path:
        """The page to keep or send."""
        return self.path / "report.html"

    def recipe(self, name: str) -> Path:
        """The recipe's file."""
        return self.recipes / f"{name}.yaml"

    def run(self, name: str) -> RunDir:
        """A run by its name or path."""
        given = Path(name)
        return RunDir(
            given if given.is_dir() and (given / "run.json").exists() else self.runs / name
        )

    def new_run(self, name: str) -> RunDir:
        """The place of a run to be made, right below `runs/`.

        Raises:
            RunError: it cannot have that name.
        """
        if not is_name(name):
            raise RunError(f"a run cannot be called {name!r}", remedy=NAME_RULE)
        return RunDir(self.runs / name)

    def run_names(self) -> list[str]:
        """Runs that have a record, sorted."""
        return sorted(p.parent.name for p in self.runs.glob("*/run.json"))

    def stamp(self, stage: str) -> Path:
        """What the stage's stored result was made from."""
        return self.path / ".foldwise" / f"{stage}.json"

    def is_fresh(self, stage: str, inputs: Any, *outputs: Path) -> bool:
        """Whether the stage's outputs are there and were made from these inputs."""
        return all(path.exists() for path in outputs) and read_json(self.stamp(stage)) == inputs

    @property
    def assumptions(self) -> Path:
        """What `init` took for what, and why."""
        return self.path / ".foldwise" / "init.json"

    def schema(self, name: str) -> Path:
        """A config file's keys for editors."""
        return self.path / ".foldwise" / "schema" / f"{name}.json"

    def replay(self, name: str) -> Home:
        """Where a submission is made again."""
        return Home(self.path / ".foldwise" / "replays" / name)

    def set_fresh(self, stage: str, inputs: Any) -> None:
        """Remember what the stage's outputs were made from."""
        publish_json(self.stamp(stage), inputs)


def submission_in(folder: Path) -> Path:
    """The submission of a folder: the zip if there is one, else the place of the table."""
    packed = folder / "submission.zip"
    return packed if packed.exists() else folder / "submission.csv"


def find_home(start: Path) -> Home:
    """The nearest folder at or above `start` that holds `competition.yaml`.

    Raises:
        FoldwiseError: there is none.
    """
    for folder in [start.resolve(), *start.resolve().parents]:
        if (folder / COMPETITION_FILE).is_file():
            return Home(folder)
    raise FoldwiseError(
        f"no {COMPETITION_FILE} in {start.resolve()} or above it",
        remedy="go into a competition's folder, name it with -C DIR, or make one: "
        "foldwise init DIR --data PATH",
    )
