"""Steps of a decision over time: `submission.over_time` of `competition.yaml`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from foldwise.config.section import Part, Section, distinct


class OverTimeConfig(Section):
    """Steps between scores and answers that look at a row's neighbours in time."""

    steps: Annotated[
        tuple[Part, ...],
        Field(
            min_length=1,
            description="One after the other: moving_average, median, peaks, and at the end "
            "hysteresis in the place of thresholds. Options that are left out are fitted.",
        ),
    ]
    sequence: Annotated[
        tuple[str, ...],
        Field(
            description="Rows that are equal in all of these columns, of which columns.group "
            "names at least one, are a sequence; empty: columns.group."
        ),
        AfterValidator(distinct),
    ] = ()
    max_gap: Annotated[
        float | None,
        Field(
            gt=0,
            description="A sequence is parted where columns.order rises by more than this at once "
            "(dates: seconds); null: never.",
        ),
    ] = None
