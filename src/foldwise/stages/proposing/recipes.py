"""Three unlike recipes fit for the data, the machine, the time and the weights at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from foldwise.stages.proposing.looking import Looks
from foldwise.stages.proposing.machine import Machine, PretrainedNetwork

#: Epochs of a network that is trained, between what is too few and what stops paying.
_FEWEST, _MOST = 4, 12
_FEWEST_SCRATCH, _MOST_SCRATCH = 12, 40
#: Images up to this side are a small network's; larger ones are photos for a pretrained one.
TINY = 80
#: Shorter side up to which even frozen features see little.
_MINUTE = 16
#: From this side on a graphics card is given larger inputs.
_LARGE = 256


@dataclass(frozen=True)
class Facts:
    """What recipes depend on.

    Attributes:
        looks: of the images.
        machine: what it can do.
        num_train: train rows.
        num_test: test rows.
        formulations: of the task, the default first.
        symmetries: harmless ones.
        pretrained: whether the rules allow pretrained weights.
        num_folds: folds.
        budget_s: seconds that all training may take, about.
        clean_share: share of the train images without any mask, where masks are asked.
    """

    looks: Looks
    machine: Machine
    num_train: int
    num_test: int
    formulations: Sequence[str]
    symmetries: Sequence[str]
    pretrained: bool
    num_folds: int
    budget_s: float
    clean_share: float = 0.0

    @property
    def num_rows(self) -> int:
        """All rows."""
        return self.num_train + self.num_test

    @property
    def fold_rows(self) -> float:
        """Rows that all folds together train on in one epoch."""
        return self.num_train * (self.num_folds - 1)


@dataclass(frozen=True)
class Proposal:
    """A recipe.

    Attributes:
        name: of its file.
        values: what the file says.
        comments: dotted key → reason.
        reason: in one line, for the screen.
        forecast_s: seconds to train all its units and score the test rows, roughly.
    """

    name: str
    values: dict[str, Any]
    comments: dict[str, str]
    reason: str
    forecast_s: float


def propose(facts: Facts) -> list[Proposal]:
    """Three recipes, unlike in formulation, network or input."""
    networks = facts.machine.networks if facts.pretrained else ()
    if not networks:
        return _from_scratch(facts)
    first, second = networks[0], networks[min(1, len(networks) - 1)]
    size = frozen_size(facts)
    other = size if second is not first else _step_down(size)
    frozen = [frozen_recipe(facts, first, size, 0), frozen_recipe(facts, second, other, 1)]
    if second is first:
        frozen[1] = replace(frozen[1], name=f"{frozen[1].name}-{other}px")
    left = max(0.0, facts.budget_s - sum(proposal.forecast_s for proposal in frozen))
    if facts.looks.side <= _MINUTE:  # Too little for a network trained on photos to see.
        turns = ((1, "small_resnet"), (2, "small_cnn"))
        trained = [_scratch(facts, n, small_size(facts), turn, left / 2) for turn, n in turns]
        return [frozen[0], *trained]
    if facts.looks.side <= TINY:
        return [*frozen, _scratch(facts, "small_resnet", small_size(facts), 2, left)]
    return [*frozen, _tuned(facts, first, left)]


def frozen_size(facts: Facts) -> int:
    """Input of a frozen network.

    Measured on 400 to 600 images with a ridge head on tf_efficientnet_lite0, skill above chance:
    32 px images of tiny20 0.38, 0.54, 0.59 at 64, 96, 128 px; 35 px signs 0.51, 0.57, 0.57; 28 px
    fundus thumbnails 0.30, 0.29, 0.27 (error 0.04); photos of 100 to 350 px 0.77 and 0.80 at 160
    and 224 px.
    """
    if facts.looks.side <= TINY:
        return 128
    return 288 if facts.machine.num_gpus and facts.looks.side >= _LARGE else 224


def small_size(facts: Facts) -> int:
    """Input of a network trained from scratch: the image's own size, in steps of 8.

    At most 64 px on a CPU, where 96 px would take twice the time, and 96 px elsewhere.
    """
    largest = 96 if facts.machine.num_gpus else 64
    return min(largest, max(24, -(-facts.looks.side // 8) * 8))


def _from_scratch(facts: Facts) -> list[Proposal]:
    size, share = small_size(facts), facts.budget_s / 3
    return [
        _scratch(facts, "small_resnet", size, 0, share),
        _scratch(facts, "small_cnn", size, 1, share),
        _scratch(facts, "small_resnet", _step_down(size), 2, share, widths=(32, 64, 128)),
    ]


def frozen_recipe(facts: Facts, network: PretrainedNetwork, size: int, turn: int) -> Proposal:
    """A solved head on frozen features; `turn` counts such recipes."""
    views = ["identity", *(s for s in facts.symmetries if s == "hflip")]
    values: dict[str, Any] = {
        "model": {"name": network.name, "pretrained": network.pretrained},
        "input": {"size": size, "zoom": 1.0, **_input(facts)},
        **_formulation(facts, turn),
        "freeze": "backbone",
        "train": {"epochs": 0},
        "views": views,
    }
    comments = {
        "": f"Frozen features of {network.name} and a solved head: seconds, and hard to beat.",
        "freeze": "features are computed once and shared by all folds",
        "train.epochs": "the solved head alone",
        "views": _views_reason(facts),
        **_input_reasons(facts),
    }
    forecast = facts.num_rows * len(views) / facts.machine.infer_rate(size) + 4.0 * facts.num_folds
    reason = f"frozen {network.name} at {size} px, head solved{_put(facts, turn)}"
    return Proposal(_file_name("frozen", network.name), values, comments, reason, forecast)


def _tuned(facts: Facts, network: PretrainedNetwork, budget_s: float) -> Proposal:
    sizes = (224, 192, 160, 128) if not facts.machine.num_gpus else (288, 256, 224)
    fitting = [s for s in sizes if s <= max(facts.looks.side, sizes[-1])]
    size, epochs = fitting[-1], 0
    for size in fitting:
        epochs = int(budget_s * facts.machine.train_rate(size) / facts.fold_rows)
        if epochs >= _FEWEST + 2:
            break
    epochs = max(_FEWEST, min(_MOST, epochs))
    values: dict[str, Any] = {
        "model": {"name": network.name, "pretrained": network.pretrained, "drop": 0.2},
        "input": {"size": size, **_input(facts)},
        **_formulation(facts, 2),
        "augment": _augments(facts, strong=True),
        "train": {
            "epochs": epochs,
            "batch": 32,
            "lr": 5e-3,
            "schedule": {"preset": "staged", "warmup": 1, "hold": max(1, epochs // 4)},
            "norm": "frozen",
            "optimizer": "sgd",
            "clip": 1.0,
        },
        "views": ["identity", *(s for s in facts.symmetries if s == "hflip")],
    }
    comments = {
        "": f"{network.name} trained through, its head started from the solution on its features.",
        "augment": _augment_reason(facts),
        # Measured on two folds each, head solved, 6 epochs at 160 px. animals-tail, log loss: head
        # 0.41 and 0.14; adamw at 2e-4 0.47 and 0.22; sgd 0.35 and 0.12. fundus-grade, QWK: head
        # 0.78 and 0.84; sgd 0.77 and 0.81; sgd at 1e-2 with clip 5 fell apart.
        "train.optimizer": "a solved head leaves tiny gradients, which adamw would blow up again",
        "train.norm": "statistics of the pretraining; batches of few classes would blur them",
        "views": _views_reason(facts),
        **_input_reasons(facts),
    }
    forecast = facts.fold_rows * epochs / facts.machine.train_rate(size)
    forecast += facts.num_rows * facts.num_folds / facts.machine.infer_rate(size)
    reason = f"{network.name} fine-tuned at {size} px, {epochs} epochs{_put(facts, 2)}"
    return Proposal(_file_name("tuned", network.name), values, comments, reason, forecast)


def _scratch(
    facts: Facts,
    network: str,
    size: int,
    turn: int,
    budget_s: float,
    *,
    widths: tuple[int, ...] | None = None,
) -> Proposal:
    rate = facts.machine.small_rate(size) * (0.85 if network == "small_cnn" else 1.0)
    rate /= 1.0 if widths is None else 3.5
    epochs = int(budget_s * rate / facts.fold_rows)
    epochs = max(_FEWEST_SCRATCH, min(_MOST_SCRATCH, epochs))
    model: dict[str, Any] = {"name": network, "drop": 0.1}
    if widths is not None:
        model["options"] = {"widths": list(widths)}
    values: dict[str, Any] = {
        "model": model,
        "input": {"size": size, **_input(facts)},
        **_formulation(facts, turn),
        "augment": _augments(facts, strong=False),
        "train": {
            "epochs": epochs,
            "batch": 64,
            "lr": 2e-3,
            "schedule": {"preset": "cosine", "warmup": 2},
            "optimizer": "adamw",
            "weight_decay": 0.05,
            "clip": 1.0,
        },
        "views": ["identity", *(s for s in facts.symmetries if s == "hflip")],
    }
    comments = {
        "": f"{network}, trained from scratch: unlike the frozen networks in what it sees.",
        "input.size": "near the images' own size",
        "augment": _augment_reason(facts),
        "views": _views_reason(facts),
        **_input_reasons(facts),
    }
    forecast = facts.fold_rows * epochs / rate
    reason = f"{network} from scratch at {size} px, {epochs} epochs{_put(facts, turn)}"
    name = network.replace("_", "-") + ("-wide" if widths is not None else "")
    return Proposal(name, values, comments, reason, forecast)


def _input(facts: Facts) -> dict[str, Any]:
    looks = facts.looks
    values: dict[str, Any] = {"fit": _fit(looks)}
    if looks.channels != 3:
        values["channels"] = looks.channels
    if looks.has_borders:
        values["steps"] = ["crop_border"]
    return values


def _fit(looks: Looks) -> str:
    return "stretch" if looks.aspect_spread <= 1.3 else "shorter_side"


def _input_reasons(facts: Facts) -> dict[str, str]:
    looks = facts.looks
    reasons = {"input.fit": fit_reason(looks)}
    if looks.has_borders:
        reasons["input.steps"] = f"{looks.border_share:.0%} of the images have black borders"
    return reasons


def fit_reason(looks: Looks) -> str:
    """Why images become square the way they do."""
    if _fit(looks) == "stretch":
        return "the images are of nearly one shape"
    return "shapes differ: the middle square is taken, nothing is distorted"


def _formulation(facts: Facts, turn: int) -> dict[str, str]:
    """Another formulation for each recipe: that makes members unlike."""
    if len(facts.formulations) < 2:
        return {}
    return {"formulation": facts.formulations[turn % len(facts.formulations)]}


def _put(facts: Facts, turn: int) -> str:
    name = _formulation(facts, turn).get("formulation")
    return "" if name is None else f", {name}"


def _augments(facts: Facts, *, strong: bool) -> list[dict[str, Any] | str]:
    moved: dict[str, Any] = (
        {"name": "crop", "scale": [0.6, 1.0]} if strong else {"name": "shift", "fraction": 0.1}
    )
    flips = [s for s in ("hflip", "vflip", "rot90") if s in facts.symmetries]
    return [moved, *flips, "jitter"]


def _augment_reason(facts: Facts) -> str:
    if not facts.symmetries:
        return "no flips or turns: none was measured to be harmless"
    return f"{', '.join(facts.symmetries)}: measured to be harmless"


def _views_reason(facts: Facts) -> str:
    return "hflip: measured to be harmless" if "hflip" in facts.symmetries else "no harmless flip"


def _step_down(size: int) -> int:
    return max(24, size * 3 // 4 // 8 * 8)


def _file_name(how: str, network: str) -> str:
    short = network.partition(".")[0].removeprefix("tf_")
    return f"{how}-{short.replace('_', '-')}"
