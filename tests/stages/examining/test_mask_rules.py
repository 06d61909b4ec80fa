"""What the doctor says of masks whose columns or sample submission do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.stages.examining.cases import Ground
from foldwise.stages.examining.competition_rules import unreachable_column
from foldwise.tables import read_table
from tests.stages.submitting.mask_problems import by_number, make_problem

SAMPLES = {
    "id_kind": [f"{name}_{n}" for name in ("a_1", "b", "c") for n in (1, 2)],
    "rle": [""] * 6,
}


def told(folder: Path, train: str, sample: dict[str, list[str]]) -> list[str]:
    problem = make_problem(folder / "home", sample=sample, masks=by_number())
    data = problem.home.path / "data"
    (data / "train.csv").write_text(train)
    tables = {
        "train": read_table(data / "train.csv"),
        "sample_submission": read_table(data / "sample.csv"),
    }
    ground = Ground(problem.home, problem.competition, problem.task, tables)
    return [f"{fault.key}: {fault.message}" for fault in unreachable_column(ground)]


GOOD = "id,path,kind,rle\na,a.png,1,1 1\n"


def test_ids_of_masks_may_stand_in_a_column_of_another_name(tmp_path):
    assert told(tmp_path, GOOD, SAMPLES) == []


@pytest.mark.parametrize("column", ["kind", "rle"])
def test_columns_of_masks_that_train_lacks(tmp_path, column):
    (fault,) = told(tmp_path, GOOD.replace(column, "other"), SAMPLES)
    assert fault.startswith(f"masks: train.csv has no column '{column}'")


def test_a_sample_submission_that_does_not_say_the_class(tmp_path):
    (fault,) = told(tmp_path, GOOD, {"id": ["a_1", "b", "c"], "rle": [""] * 3})
    assert fault.startswith("tables.sample_submission: ")
    assert "rle is none of crack, hole, 1, 2" in fault
