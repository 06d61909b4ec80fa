"""Names and places of every file of a competition folder, a run and a unit."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise.errors import DataError, FoldwiseError, RunError
from foldwise.publish import publish_json

COMPETITION_FILE = "competition.yaml"
#: What a run, a recipe or a blend may be called.
NAME_RULE = "use up to 100 letters, digits, and . _ + - after the first"
_NAME = re.compile(r"\w[\w.+-]{0,99}")


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
        """Seconds of a network's step in two ways, such as two layouts."""
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
        """Copy of the best-founded valid submission so far."""
        return self.path / "submission.csv"

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


@dataclass(frozen=True)
class RunDir:
    """A run's folder."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def record(self) -> Path:
        """Resolved recipe, hashes, versions, commit."""
        return self.path / "run.json"

    @property
    def oof(self) -> Path:
        """Merged out-of-fold predictions."""
        return self.path / "oof.parquet"

    @property
    def test(self) -> Path:
        """Merged test predictions."""
        return self.path / "test.parquet"

    @property
    def decision(self) -> Path:
        """Steps from merged scores to answers, and those that were fitted without each fold."""
        return self.path / "decision.json"

    @property
    def scores(self) -> Path:
        """Scores, each saying how it was got."""
        return self.path / "scores.json"

    @property
    def blend(self) -> Path:
        """How members' scores of any rows become one; blends only."""
        return self.path / "blend.json"

    def without(self, fold: int) -> Path:
        """Blended scores of all other folds by the blend fitted without this one; blends only."""
        return self.path / f"without-fold{fold}.parquet"

    @property
    def every_without(self) -> list[Path]:
        """The files of `without` that are there."""
        return sorted(self.path.glob("without-fold*.parquet"))

    def features(self, unit: str) -> Path:
        """Features of all rows by one unit's network."""
        return self.path / "features" / f"{unit}.parquet"

    @property
    def views(self) -> Path:
        """What each view was measured to be worth and to cost, and the set that is proposed."""
        return self.path / "views.json"

    @property
    def views_picture(self) -> Path:
        """The same drawn, gain against cost."""
        return self.path / "views.svg"

    def unit_views(self, unit: str) -> Path:
        """Folder of a unit's held-out predictions by single views."""
        return self.path / "views" / unit

    @property
    def reference(self) -> RunDir:
        """The run's own frozen head: what fine-tuning is judged against."""
        return RunDir(self.path / "reference")

    @property
    def lock(self) -> Path:
        """Guards the merging of the run."""
        return self.path / ".lock"

    def unit(self, fold: int | None, seed: int) -> UnitDir:
        """The unit of a fold (None: all rows) and a seed."""
        part = "all" if fold is None else f"fold{fold}"
        return UnitDir(self.path / "units" / f"{part}-seed{seed}")

    def read_record(self) -> dict[str, Any]:
        """The run's record.

        Raises:
            RunError: there is no such run.
        """
        record = read_json(self.record)
        if record is None:
            raise RunError(f"{self.path}: there is no run {self._label!r}", remedy=self._known())
        return dict(record)

    @property
    def _label(self) -> str:
        """`b`, or `b/reference`."""
        is_reference = self == RunDir(self.path.parent).reference
        return f"{self.path.parent.name}/{self.name}" if is_reference else self.name

    def _known(self) -> str:
        """The runs of the competition around it."""
        try:
            home = find_home(self.path)
        except FoldwiseError:
            return ""
        runs = [home.run(name) for name in home.run_names()]
        every = [found for run in runs for found in (run, run.reference) if found.record.exists()]
        return f"known: {', '.join(run._label for run in every) or 'none'}"


@dataclass(frozen=True)
class UnitDir:
    """A unit's folder; only its worker writes, under its lock."""

    path: Path

    @property
    def name(self) -> str:
        """Such as `fold0-seed0`."""
        return self.path.name

    @property
    def place(self) -> tuple[int | None, int]:
        """Held-out fold, None: trained on all rows; and seed.

        >>> UnitDir(Path("fold2-seed0")).place, UnitDir(Path("all-seed1")).place
        ((2, 0), (None, 1))
        """
        part, _, seed = self.name.partition("-seed")
        return (None if part == "all" else int(part.removeprefix("fold"))), int(seed)

    @property
    def record(self) -> Path:
        """Written last: what the unit was made from and the hashes of its files."""
        return self.path / "unit.json"

    @property
    def pending(self) -> Path:
        """Written when trained, where the epoch is still to be chosen (stop: cross)."""
        return self.path / "pending.json"

    @property
    def choices(self) -> Path:
        """Choices made from clock or machine, recorded before they took effect."""
        return self.path / "choices.json"

    @property
    def weights(self) -> Path:
        """The final network, or what a second-level model has fitted."""
        return self.path / "weights.safetensors"

    @property
    def attention(self) -> Path:
        """Where its attention branch looks, on some held-out images; of networks that have one."""
        return self.path / "attention.safetensors"

    @property
    def history(self) -> Path:
        """One row per epoch."""
        return self.path / "history.csv"

    @property
    def checkpoint(self) -> Path:
        """Training states to go on from."""
        return self.path / "checkpoint"

    @property
    def valid(self) -> Path:
        """Predictions for the held-out fold."""
        return self.path / "valid.parquet"

    @property
    def test(self) -> Path:
        """Predictions for the test rows."""
        return self.path / "test.parquet"

    @property
    def reference_valid(self) -> Path:
        """The frozen head's predictions for the held-out fold."""
        return self.path / "reference-valid.parquet"

    @property
    def reference_test(self) -> Path:
        """The frozen head's predictions for the test rows."""
        return self.path / "reference-test.parquet"

    @property
    def head(self) -> Path:
        """The frozen head: weight and bias solved on cached features."""
        return self.path / "head.safetensors"

    def epoch_weights(self, epoch: int) -> Path:
        """Weights after an epoch, kept where the epoch is chosen later (stop: cross)."""
        return self._epochs / f"epoch-{epoch:04d}.safetensors"

    def drop_states(self) -> None:
        """Remove what only training needs, of a unit that is done; what a kill leaves goes later.

        Its lock is held.
        """
        for folder in (self.checkpoint, self._epochs):
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def has_states(self) -> bool:
        """Whether anything is there that only training needs."""
        return self.checkpoint.exists() or self._epochs.exists()

    @property
    def _epochs(self) -> Path:
        return self.path / "epochs"

    @property
    def timing(self) -> Path:
        """Progress and rates; never compared."""
        return self.path / "timing.jsonl"

    @property
    def log(self) -> Path:
        """What the unit's process printed."""
        return self.path / "log.txt"

    @property
    def lock(self) -> Path:
        """Guards the unit."""
        return self.path / ".lock"


def is_name(text: str) -> bool:
    """Whether a run, a recipe or a blend may be called so: a plain name of a folder.

    >>> is_name("b-fast.2"), is_name("../b"), is_name("")
    (True, False, False)
    """
    return _NAME.fullmatch(text) is not None


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


def read_json(path: Path) -> Any:
    """The value in a JSON file, or None if there is no such file.

    Raises:
        DataError: the file is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: damaged: {error}", remedy="delete it and run again") from None
