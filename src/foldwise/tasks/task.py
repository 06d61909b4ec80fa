"""What differs between tasks, as one frozen value of plain functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from foldwise.decide.decision import Decision
from foldwise.maps.maps import mean as mean_of_maps
from foldwise.predictions import Predictions
from foldwise.tables import Table


@dataclass(frozen=True)
class Formulation:
    """How a task is put to a network.

    Attributes:
        num_outputs: number of classes → network outputs.
        encode: (N,)/(N, C) target, number of classes → what the loss takes: int64 classes or
            float32 (N, O).
        activate: (N, O) float64 logits → (N, R) raw outputs.
        raw_columns: class names → R names.
        to_common: (N, R) raw outputs, number of classes → (N, C) scores on the common scale.
        loss: default loss by name.
        losses: losses whose logits mean what `activate` expects.
        solver: how the head is solved on frozen features; see `models.composed_head.Solver`;
            None: it cannot be.
        prior: whether a sampler's or weights' class shares can be taken out of the logits.
        soften: (n, C) scores on the common scale, number of classes → what the loss takes, (n, O)
            float32; None: scores do not say what each output should be.
        unmixable: what it has that the mixture of two samples' targets means nothing to; None:
            their mixture is what the outputs of a mixed image should be.
        shares_weights: whether one weight per feature serves all outputs, each with a bias.
        has_prototypes: whether its outputs are log-similarities to prototypes of the classes.
        is_proposed: whether `init` writes it into a recipe.
        is_exclusive: of masks: whether each pixel has one class, and classes share a softmax.
    """

    num_outputs: Callable[[int], int]
    encode: Callable[[Any, int], np.ndarray]
    activate: Callable[[np.ndarray], np.ndarray]
    raw_columns: Callable[[Sequence[str]], tuple[str, ...]]
    to_common: Callable[[np.ndarray, int], np.ndarray]
    loss: str
    losses: tuple[str, ...]
    solver: Literal["softmax", "sigmoid", "linear", "shared", "conditional", "two_step"] | None
    prior: bool = False
    soften: Callable[[np.ndarray, int], np.ndarray] | None = None
    unmixable: str | None = None
    shares_weights: bool = False
    has_prototypes: bool = False
    is_proposed: bool = True
    is_exclusive: bool = False

    @property
    def has_class_logits(self) -> bool:
        """Whether there is a logit per class, and a softmax makes probabilities of them."""
        return self.solver == "softmax"


@dataclass(frozen=True)
class MasksSeen:
    """Masks of the train samples that `init` saw.

    Attributes:
        classes: their names in order.
        is_exclusive: whether every pixel is of one class.
        is_asked: whether nothing but masks can be what the submission is to hold.
        reason: where they stand.
    """

    classes: tuple[str, ...]
    is_exclusive: bool
    is_asked: bool
    reason: str


@dataclass(frozen=True)
class Evidence:
    """What `init` saw, for a task to recognise itself in.

    Attributes:
        targets: label columns of train that the submission asks for → their cells.
        asked: columns of the sample submission beside the id → their cells.
        readme: text beside the data, lower case.
        metric: the metric's name when it is already known.
        masks: what was seen of masks; None: there are none.
    """

    targets: Mapping[str, Sequence[str]]
    asked: Mapping[str, Sequence[str]]
    readme: str
    metric: str | None
    masks: MasksSeen | None = None


@dataclass(frozen=True)
class Guess:
    """A task's claim on a competition.

    Attributes:
        confidence: in [0, 1]; the highest wins; below 0.6 it counts as undecided. A task that
            could be meant at all claims at least 0.2, so that naming it is enough.
        reason: what spoke for it.
        classes: class names in order.
        metric: the metric if nothing else names one.
        gives: what the submission holds.
        separator: splits several labels in one cell.
        columns: sample submission's column → class, where they differ.
        formulations: those that suit what was seen, to be proposed; empty: all.
    """

    confidence: float
    reason: str
    classes: tuple[str, ...]
    metric: str
    gives: Literal["answers", "scores"]
    separator: str | None = None
    columns: Mapping[str, str] | None = None
    formulations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """One kind of question asked of images.

    Attributes:
        name: the word in `competition.yaml`.
        formulations: name → formulation; the first is the default.
        columns: class names, target columns → names of the common scores.
        target: table, target columns, class names, separator → (N,) or (N, C) array; wrong cells
            are refused with their line.
        strata: target → (N,) int or (N, L) 0/1 for stratified folds, or float for bins.
        one_hot: target, number of classes → (N, C) target on the common scale.
        decision: number of classes, train and test class shares → default decision.
        answers: number of classes, decided answers, class names → cells per target column.
        recognise: evidence → guess, or None.
        metrics: names of metrics that suit it, the commonest first.
        has_classes: whether it has classes or grades.
        certainty: (n, C) scores → (n,) probability of each row's answer; None: scores hold none.
        one_of_classes: whether each sample has exactly one of them, so that shares make sense.
        kind: of its predictions: `vector`, numbers of each sample; `map`, numbers of each pixel,
            whose target are the masks that `prepare` keeps.
    """

    name: str
    formulations: Mapping[str, Formulation]
    columns: Callable[[Sequence[str], Sequence[str]], tuple[str, ...]]
    target: Callable[[Table, Sequence[str], Sequence[str], str | None], np.ndarray]
    strata: Callable[[Any], np.ndarray]
    one_hot: Callable[[Any, int], np.ndarray]
    decision: Callable[[int, np.ndarray | None, np.ndarray | None], Decision]
    answers: Callable[[np.ndarray, Sequence[str], int, str | None], list[list[str]]]
    recognise: Callable[[Evidence], Guess | None]
    metrics: tuple[str, ...]
    has_classes: bool = True
    certainty: Callable[[np.ndarray], np.ndarray] | None = None
    one_of_classes: bool = True
    kind: Literal["vector", "map"] = "vector"

    @property
    def default_formulation(self) -> str:
        """The formulation a recipe has if it names none."""
        return next(iter(self.formulations))


def merge(parts: Sequence[Predictions], *, weights: Sequence[float] | None = None) -> Predictions:
    """The mean of predictions of the same rows and columns: views, folds, seeds.

    Args:
        parts: predictions with equal ids in equal order.
        weights: how much each counts, above 0; None: all alike.
    """
    first = parts[0]
    for part in parts[1:]:
        assert part.columns == first.columns
        assert (part.ids == first.ids).all()
    if first.kind == "map":
        return replace(first, scores=mean_of_maps([p.scores for p in parts], weights))
    scores = np.average([p.scores for p in parts], axis=0, weights=weights)
    raws = [p.raw for p in parts if p.raw is not None and p.raw_columns == first.raw_columns]
    has_raw = len(raws) == len(parts)
    return Predictions(
        ids=first.ids,
        scores=scores,
        columns=first.columns,
        raw=np.average(raws, axis=0, weights=weights) if has_raw else None,
        raw_columns=first.raw_columns if has_raw else (),
        folds=first.folds,
        kind=first.kind,
    )
