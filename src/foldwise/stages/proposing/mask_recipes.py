"""Two unlike recipes for masks, light decoders on two small encoders, and a gate for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from foldwise.stages.proposing.machine import PretrainedNetwork
from foldwise.stages.proposing.recipes import Facts, Proposal, frozen_recipe, frozen_size
from foldwise.tasks.presence import PRESENCE

#: Why images are stretched.
MASKS_FIT = "stretched, and masks brought back to each image's own size and shape"
_SIZES_CPU, _SIZES_GPU = (256, 192, 160, 128, 96), (512, 384, 256)
_FEWEST, _ENOUGH, _MOST = 5, 7, 40
#: From so many clean images on those with something to be found are drawn more often.
_MANY_CLEAN = 0.5
#: A step and a pass against those of tf_efficientnet_lite0 with classes alone. Measured at 128 px
#: by the processor's clock: 24 (fpn) and 29 (unet) images a second and core against 27 in
#: training, 113 and 112 against 152 at inference, which also resizes and writes maps.
_TRAIN_SHARE, _INFER_SHARE = 0.9, 0.5
#: Encoders in the place of pretrained ones, where there are none.
_PLAIN = ("tf_efficientnet_lite0", "mobilenetv2_100")


@dataclass(frozen=True)
class _Kind:
    """What sets a recipe apart.

    Attributes:
        decoder: as `model.decoder` says it; a half of the usual widths costs a tenth of the time.
        losses: by formulation.
    """

    decoder: dict[str, Any]
    losses: dict[str, list[Any]]


_KINDS = (
    _Kind(
        {"name": "fpn", "channels": 64, "segmentation_channels": 64},
        {
            "sigmoid": ["mask_bce", {"name": "mask_dice", "weight": 0.5}],
            "softmax": ["mask_cross_entropy", {"name": "mask_dice", "weight": 0.5}],
        },
    ),
    _Kind(
        {"name": "unet", "channels": [128, 64, 32, 16, 8]},
        {"sigmoid": ["mask_bce"], "softmax": ["mask_cross_entropy"]},
    ),
)


def propose_masks(facts: Facts) -> list[Proposal]:
    """Two recipes, unlike in encoder, decoder and loss, of half the time each; and a gate.

    The gate, a classifier of which classes are there, is proposed where classes may overlap, so
    that an image may have none, and where there are pretrained features, which take it seconds.
    """
    found = facts.machine.networks if facts.pretrained else ()
    plain = [PretrainedNetwork(name, False) for name in _PLAIN]
    networks = [found[0], found[min(1, len(found) - 1)]] if found else plain
    gates = [_gate(facts, found[0])] if found and facts.formulations[0] == "sigmoid" else []
    left = facts.budget_s - sum(gate.forecast_s for gate in gates)
    return [
        *(
            _proposal(facts, network, kind, left / len(_KINDS))
            for network, kind in zip(networks, _KINDS, strict=True)
        ),
        *gates,
    ]


def mask_blends(proposals: Sequence[Proposal]) -> dict[str, dict[str, Any]]:
    """The plan's blends: the mean of all that give masks and, where there is one, with the gate."""
    gates = [p.name for p in proposals if p.values.get("target") == PRESENCE]
    mean = {"method": "mean", "members": "all"}
    return {"blend": mean, **({"gated-blend": {**mean, "gate": gates[0]}} if gates else {})}


def _gate(facts: Facts, network: PretrainedNetwork) -> Proposal:
    """Frozen features and a solved head, asked which classes are there."""
    made = frozen_recipe(facts, network, frozen_size(facts), 0)
    values = {**made.values, "target": PRESENCE}
    values["input"] = {**values["input"], "fit": "stretch"}
    comments = {
        **made.comments,
        "": "Which classes are in an image, by frozen features: a gate for the blend of masks.",
        "target": "not where a class is but whether it is there",
        "input.fit": "all of an image counts, not its middle alone",
    }
    reason = f"{made.reason}: which classes are there, a gate"
    return replace(
        made, name=f"gate-{_short(network)}", values=values, comments=comments, reason=reason
    )


def mask_size(facts: Facts, budget_s: float) -> tuple[int, int]:
    """Side of the input and epochs: the largest that leaves enough epochs, images not enlarged."""
    sizes = _SIZES_GPU if facts.machine.num_gpus else _SIZES_CPU
    fitting = [size for size in sizes if size <= 1.25 * facts.looks.side] or [sizes[-1]]
    for size in fitting:
        rate = _TRAIN_SHARE * facts.machine.train_rate(size)
        left = budget_s - _infer_s(facts, size)
        epochs = int(left * rate / facts.fold_rows)
        if epochs >= _ENOUGH:
            break
    return size, max(_FEWEST, min(_MOST, epochs))


def _proposal(facts: Facts, network: PretrainedNetwork, kind: _Kind, budget_s: float) -> Proposal:
    size, epochs = mask_size(facts, budget_s)
    name, decoder = network.name.partition(".")[0], kind.decoder["name"]
    formulation = facts.formulations[0]
    flips = [s for s in ("hflip", "vflip", "rot90") if s in facts.symmetries]
    crop = {"name": "mask_crop", "scale": [1.0, 1.5]}
    values: dict[str, Any] = {
        "model": {
            "name": network.name,
            "pretrained": network.pretrained,
            "decoder": kind.decoder,
        },
        "input": {"size": size, "zoom": 1.0, "fit": "stretch"},
        "formulation": formulation,
        "loss": kind.losses[formulation],
        "augment": [crop, *flips, "jitter"],
        "train": {
            "epochs": epochs,
            "batch": 16,
            "lr": 2e-3 if network.pretrained is False else 8e-4,
            "schedule": {"preset": "cosine", "warmup": 1},
            "optimizer": "adamw",
            "weight_decay": 0.01,
            "clip": 1.0,
        },
        "views": ["identity", *(s for s in facts.symmetries if s == "hflip")],
    }
    comments = {
        "": f"Decoder {decoder} on {name}: every pixel is given the classes it shows.",
        "input.fit": MASKS_FIT,
        "augment": _flips_reason(facts),
        "formulation": _formulation_reason(formulation),
    }
    if facts.looks.channels != 3:
        values["input"]["channels"] = facts.looks.channels
    if facts.clean_share >= _MANY_CLEAN:
        values["train"]["sampler"] = {"name": "defects"}
        comments["train.sampler"] = (
            f"{facts.clean_share:.0%} of the images are clean: the others are drawn more often"
        )
    forecast = facts.fold_rows * epochs / (_TRAIN_SHARE * facts.machine.train_rate(size))
    forecast += _infer_s(facts, size)
    reason = f"{decoder} on {name} at {size} px, {epochs} epochs"
    return Proposal(f"{decoder}-{_short(network)}", values, comments, reason, forecast)


def _short(network: PretrainedNetwork) -> str:
    return network.name.partition(".")[0].removeprefix("tf_").replace("_", "-")


def _infer_s(facts: Facts, size: int) -> float:
    """Seconds to score train rows once and test rows by every fold's network."""
    rows = facts.num_train + facts.num_test * facts.num_folds
    return rows / (_INFER_SHARE * facts.machine.infer_rate(size))


def _flips_reason(facts: Facts) -> str:
    if not facts.symmetries:
        return "no flips or quarter turns: none was measured to be harmless"
    return f"{', '.join(facts.symmetries)}: measured to be harmless"


def _formulation_reason(formulation: str) -> str:
    if formulation == "softmax":
        return "each pixel is of one class"
    return "each class by itself, so that they may overlap"
