"""How scores become answers: the cuts, what they gain, and what each fold would have chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from foldwise.blending.gain import verdict
from foldwise.decide.steps import OVER_TIME
from foldwise.stages.reporting.gains import Gain, gain_table
from foldwise.stages.reporting.histograms import Cuts
from foldwise.stages.reporting.material import Material
from foldwise.stages.reporting.words import count, score_text, signed

#: Answer step → what its limits are called.
_WORDS = {"cuts": "cuts", "threshold": "threshold", "thresholds": "thresholds"}


@dataclass(frozen=True)
class Stored:
    """What `decision.json` has: the last step of each decision.

    Attributes:
        final: for new rows; a choice of the surest of two classes for which a threshold was tried
            is a threshold of one half.
        fixed: the formulation's.
        folds: fold → the one made without it, where that cuts; empty where all are the final one.
    """

    final: Mapping[str, Any]
    fixed: Mapping[str, Any]
    folds: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Stored:
        """From the file's content."""
        final = stored["steps"][-1]
        if final["name"] == "argmax" and stored["choice"]["gain"] is not None:
            final = {"name": "threshold", "options": {"value": 0.5}, "fitted": False}
        return cls(
            final,
            stored["inputs"]["fixed"]["steps"][-1],
            {
                fold: value["steps"][-1]
                for fold, value in stored["folds"].items()
                if value["steps"][-1]["name"] not in OVER_TIME
            },
        )

    @property
    def word(self) -> str | None:
        """`cuts`, `threshold` or `thresholds`; None where nothing is cut."""
        return _WORDS.get(self.final["name"])

    def cuts(self, num_columns: int, between: Sequence[str]) -> list[Cuts]:
        """The cuts of each column of scores; none where nothing is cut.

        Args:
            num_columns: of the scores that are cut.
            between: the answers from low to high, of a single column.
        """
        if self.word is None:
            return []
        final, fixed = (_limits(step, num_columns) for step in (self.final, self.fixed))
        folds = [_limits(step, num_columns) for step in self.folds.values()]
        return [
            Cuts(
                final[c],
                fixed[c],
                is_fitted=bool(self.final["fitted"]),
                per_fold=tuple(value for found in folds for value in found[c]),
                between=tuple(between) if num_columns == 1 else (),
            )
            for c in range(num_columns)
        ]

    def lines(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """One a cut: its name, the fixed and the final value, least and most over the folds."""
        num_columns = 1 if self.word != "thresholds" else len(names)
        final, fixed = (_flat(step, num_columns) for step in (self.final, self.fixed))
        folds = [_flat(step, num_columns) for step in self.folds.values()]
        return [
            {
                "name": name,
                "fixed": fixed[k],
                "value": final[k],
                "low": min((found[k] for found in folds), default=None),
                "high": max((found[k] for found in folds), default=None),
            }
            for k, name in enumerate(names)
        ]


def decision_view(
    scores: Mapping[str, Any], stored: Stored, classes: Sequence[str]
) -> dict[str, Any] | None:
    """What the page says of a run's decision; None where nothing is cut.

    Args:
        scores: the run's `scores.json`.
        stored: its decision.
        classes: of the competition.
    """
    found = scores.get("decision")
    if found is None or stored.word is None:
        return None
    gain = found["gain"]
    plots = None
    if gain is not None:
        ends = None if gain["low"] is None else (gain["low"], gain["high"])
        said = verdict(gain["low"], gain["high"])
        plots = gain_table([Gain("over the fixed ones", gain["point"], None, ends, said)])
    return {
        "word": stored.word,
        "sentence": _sentence(found, stored),
        "scores": _scores_sentence(scores, found),
        "folds": _folds_sentence(stored),
        "plots": plots,
        "lines": stored.lines(_names(stored.word, classes)),
        "is_fitted": bool(stored.final["fitted"]),
        "differs": bool(stored.folds),
    }


def uncut_view(scores: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says where nothing is cut, and steps over time are all that was chosen."""
    told = _scores_sentence(scores, scores["decision"])
    return {"word": None, "sentence": None, "scores": told, "folds": None, "plots": None}


def decided_runs(material: Material) -> list[dict[str, Any]]:
    """Runs for which something was fitted: what was chosen, its gain, both scores."""
    return [
        {
            "label": run.label,
            "kind": run.scores["decision"]["kind"],
            "gain": run.scores["decision"]["gain"],
            "score": run.scores["score"],
            "naive": run.scores["decision"]["naive_score"],
        }
        for run in material.scored
        if run.scores is not None
        and run.scores.get("decision") is not None
        and (run.scores["decision"]["gain"] or run.scores["decision"]["kind"] != "fixed")
    ]


def _limits(step: Mapping[str, Any], num_columns: int) -> list[tuple[float, ...]]:
    """The limits that a step sets to each column."""
    options = step["options"]
    if step["name"] == "cuts":
        return [tuple(options["values"])]
    if step["name"] == "thresholds":
        values = options.get("values", 0.5)
        every = values if isinstance(values, list) else [values] * num_columns
        return [(float(value),) for value in every]
    # The surest of two classes is the second from one half on.
    return [(float(options.get("value", 0.5)),)]


def _flat(step: Mapping[str, Any], num_columns: int) -> list[float]:
    return [value for column in _limits(step, num_columns) for value in column]


def _names(word: str, classes: Sequence[str]) -> list[str]:
    if word == "cuts":
        return [f"{low} | {high}" for low, high in pairwise(classes)]
    return [classes[1]] if word == "threshold" else list(classes)


def _sentence(found: Mapping[str, Any], stored: Stored) -> str:
    gain, word, is_fitted = found["gain"], stored.word, bool(stored.final["fitted"])
    if found["asked"] != "auto":
        used = "Share-matched" if found["asked"] == "shares" else "Fitted"
        used = used if is_fitted else "The formulation's fixed"
        return f"{used} {word}, as asked for."
    if gain is None:
        return f"The formulation's fixed {word}: {found['reason']}."
    size = signed(gain["point"])
    if gain["low"] is not None:
        ends = f"{signed(gain['low'])} to {signed(gain['high'])}"
        size += f" (95 % interval {ends}, {gain['covers']})"
    if is_fitted:
        return f"Fitted {word}: they win cross-fitted by {size}."
    return f"The formulation's fixed {word}: fitted ones do not win cross-fitted, {size}."


def _scores_sentence(scores: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    naive, score = found["naive_score"], scores["score"]
    if naive is None or score is None:
        return None
    if scores["how"]["got"] == "naive":
        return f"The score {score_text(score)} is naive: cut where it is scored."
    sign = 1 if scores["metric"]["higher_is_better"] else -1
    more = sign * (naive - score)
    return (
        f"Scored on the rows they were fitted to, {score_text(naive)}; cross-fitted, the choice "
        f"between fixed and fitted included, {score_text(score)}. The difference, "
        f"{signed(more)}, is what fitting promises too much."
    )


def _folds_sentence(stored: Stored) -> str | None:
    kinds = {fold: bool(step["fitted"]) for fold, step in stored.folds.items()}
    if len(set(kinds.values())) < 2:
        return None
    fixed = [fold for fold, is_fitted in kinds.items() if not is_fitted]
    which = f"fold {fixed[0]}" if len(fixed) == 1 else f"folds {', '.join(fixed)}"
    return (
        f"The folds do not agree: without {which} the fixed ones would have stayed, without the "
        f"other {count(len(kinds) - len(fixed), 'fold')} not."
    )
