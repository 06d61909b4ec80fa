"""Rows to train on that are not of the train table: `external` and `pseudo` of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from foldwise.config.section import Name, Section, distinct

Weight = Annotated[float, Field(gt=0, le=100)]


class ExternalUse(Section):
    """External data with a weight."""

    name: Annotated[Name, Field(description="A key of external in competition.yaml.")]
    weight: Annotated[Weight, Field(description="Of each of its rows; one of train has 1.")] = 1.0


def _runs(names: Name | tuple[Name, ...]) -> Name | tuple[Name, ...]:
    if not names:
        raise ValueError("the list is empty; name the run that labels the test rows")
    if isinstance(names, tuple):
        distinct(names)
    return names


class PseudoConfig(Section):
    """Test rows to train on, each fold's labelled by the models that left that fold out."""

    run: Annotated[
        Name | tuple[Name, ...],
        AfterValidator(_runs),
        Field(description="Run or blend whose test scores label them, or runs, by their mean."),
    ]
    labels: Annotated[
        Literal["hard", "soft"],
        Field(description="hard: decided answers; soft: the scores, where the formulation can."),
    ] = "hard"
    confidence: Annotated[
        float | None,
        Field(gt=0, le=1, description="Least probability of the answer; null: no limit."),
    ] = None
    share: Annotated[
        float, Field(gt=0, le=1, description="Share of the rows that is kept, the surest first.")
    ] = 1.0
    weight: Annotated[Weight, Field(description="Of each of them; a row of train has 1.")] = 1.0

    @property
    def runs(self) -> tuple[str, ...]:
        """The teachers."""
        return (self.run,) if isinstance(self.run, str) else self.run

    @property
    def asks_how_sure(self) -> bool:
        """Whether rows are chosen by how sure their label is."""
        return self.confidence is not None or self.share < 1


def named_once(uses: tuple[Name | ExternalUse, ...]) -> tuple[Name | ExternalUse, ...]:
    """The external data, of which each may be named once.

    Raises:
        ValueError: one stands there twice.
    """
    distinct(tuple(use if isinstance(use, str) else use.name for use in uses))
    return uses
