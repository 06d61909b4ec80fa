"""Checks any submission file against what is asked, every problem with line, found and fix."""

from __future__ import annotations

from pathlib import Path

from foldwise.home import Home
from foldwise.stages.submitting.forms import FORMS
from foldwise.tasks.asked import load_competition


def check_submission(home: Home, path: Path) -> list[str]:
    """What is wrong with a submission file; empty if it is right.

    Checked: encoding, what stands between cells, columns and their order, ids (missing, unknown,
    repeated, out of order, formulas), every cell, and sums of rows where the sample's are 1. Of
    masks: see `check_mask_table` and `check_mask_images`.

    Args:
        home: the competition whose sample submission says what is asked.
        path: any file.

    Returns:
        One sentence each: where, found, wanted or fix. Of one kind five and their number, in all
        twenty and the number of the others.

    Raises:
        ConfigError, DataError: the competition or its sample submission is wrong itself.
    """
    competition, task = load_competition(home)
    return FORMS[task.kind].problems(home, competition, task, path)
