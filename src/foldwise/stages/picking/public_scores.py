"""Public scores by run, as the ledger has them."""

from __future__ import annotations

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.home import Home
from foldwise.parts import name_of
from foldwise.stages.ledgering.listing import is_of
from foldwise.stages.ledgering.rows import read_rows
from foldwise.stages.scoring.held_out import file_hash
from foldwise.stages.submitting.ledger import read_ledger


def public_scores(home: Home) -> dict[str, float]:
    """Run → public score of its last submission that has one, by the competition's metric.

    A submission that was made from other test scores than the run has now says nothing about the
    run as it stands, and is passed over. What was submitted elsewhere is taken at its name.

    Raises:
        DataError: the ledger is damaged.
    """
    metric = name_of(load(home.competition, Competition).metric)
    made_from = {entry.path.name: entry.facts["test_sha256"] for entry in read_ledger(home)}
    return {
        row.run: row.public
        for row in read_rows(home)
        if row.public is not None
        and is_of(row, metric)
        and (row.folder is None or made_from.get(row.folder) == file_hash(home.run(row.run).test))
    }
