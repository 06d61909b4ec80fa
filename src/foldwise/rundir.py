"""Names and places of every file of a run and of its units."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise.errors import RunError
from foldwise.json_files import read_json

#: What a run, a recipe or a blend may be called.
NAME_RULE = "use up to 100 letters, digits, and . _ + - after the first"
_NAME = re.compile(r"\w[\w.+-]{0,99}")


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
    def backbone(self) -> Path:
        """In packs alone: the network whose features frozen heads and references stand on."""
        return self.path / "backbone.safetensors"

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
    def _is_reference(self) -> bool:
        return self == RunDir(self.path.parent).reference

    @property
    def _label(self) -> str:
        """`b`, or `b/reference`."""
        return f"{self.path.parent.name}/{self.name}" if self._is_reference else self.name

    def _known(self) -> str:
        """The runs beside it."""
        run = RunDir(self.path.parent) if self._is_reference else self
        runs = [RunDir(record.parent) for record in run.path.parent.glob("*/run.json")]
        every = [found for run in runs for found in (run, run.reference) if found.record.exists()]
        return f"known: {', '.join(sorted(run._label for run in every)) or 'none'}"


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
