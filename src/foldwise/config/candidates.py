"""Views to be measured, as the command line names them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from foldwise.config.section import Part, Section


class Candidates(Section):
    """What `foldwise views` is asked to measure."""

    candidates: Annotated[
        tuple[Part, ...],
        Field(min_length=1, description="Views as in a recipe: [hflip, {name: rotate}]."),
    ]
