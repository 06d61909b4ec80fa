"""Two unlike recipes for masks, a careful and a bold one where there is a gate, and the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from foldwise.stages.proposing.machine import PretrainedNetwork
from foldwise.stages.proposing.recipes import Facts, Proposal, frozen_recipe, frozen_size
from foldwise.tasks.presence import PRESENCE

#: Why images are stretched.
MASKS_FIT = "stretched, and masks brought back to each image's own size and shape"
_SIZES_CPU, _SIZES_GPU = (256, 192, 160, 128, 96), (512, 384, 256)
_FEWEST, _ENOUGH, _MOST = 5, 10, 40
#: How much a side may be enlarged.
_MOST_ENLARGED = 1.25
_FEW_FOLDS = 3
#: From so many clean images on those with something to be found are drawn more often.
_MANY_CLEAN = 0.5
#: A step and a pass against those of tf_efficientnet_lite0 with classes alone. Measured at 128 px
#: by the processor's clock: 24 (fpn) and 29 (unet) images a second and core against 27 in
#: training, 113 and 112 against 152 at inference, which also resizes and writes maps.
_TRAIN_SHARE, _INFER_SHARE = 0.9, 0.5
#: By pixel; together with Dice: charged by pixels alone, a network of few epochs answers nothing.
_BY_PIXEL = {"sigmoid": "mask_bce", "softmax": "mask_cross_entropy"}
#: Images in a step, and its rate: few, so that few images still make many steps. On one of three
#: folds of tile-defects, one seed, 12 epochs, fixed decision: 0.9535 with these, images mirrored;
#: 0.9438 with 16 at 8e-4, upright, 0.9447 with 8 at twice the rate; 0.9426 by empty masks.
_BATCH, _RATE, _RATE_FRESH = 8, 1e-3, 2e-3
#: Encoders in the place of pretrained ones, where there are none.
_PLAIN = ("tf_efficientnet_lite0", "mobilenetv2_100")
#: Light decoders: a half of the usual widths costs a tenth of the time. fpn learns in few epochs:
#: after 12 on the same fold 0.9535 (tf_efficientnet_lite0) and 0.9516 (mobilenetv2_100), with
#: fitted thresholds and areas 0.9554 and 0.9582; unet on the latter 0.9496 and 0.9511.
_FPN: dict[str, Any] = {"name": "fpn", "channels": 64, "segmentation_channels": 64}
_UNET: dict[str, Any] = {"name": "unet", "channels": [128, 64, 32, 16, 8]}
_NUM_RECIPES = 2
#: Pixels that are added to the areas of `mask_dice`, as a share of the input's. With a single one a
#: careful network is charged so much for anything in empty masks that weak things are silenced: on
#: two folds of tile-defects, one seed, average precision of the top pixels was 0.29 for breaks and
#: 0.74 for uneven tiles, 0.47 and 0.76 by this share. No blowhole and no crack was seen by either.
_SMOOTH_CAREFUL, _SMOOTH_BOLD = 3e-3, 6e-4
#: How much larger images are than the windows that a bold recipe learns from, what a step costs (as
#: `_TRAIN_SHARE`), and how many epochs are enough. tf_efficientnet_lite0 by windows of 128 px,
#: charged by overlap for what is there alone, had Dice of 0.58 where blowholes are and 0.55 where
#: cracks are (three folds, one seed, cut at a half) and by the fixed decision 0.69: it needs the
#: gate.
_WINDOW_ZOOM, _WINDOW_SHARE, _ENOUGH_WINDOWS = 2.0, 0.7, 8


def propose_masks(facts: Facts) -> list[Proposal]:
    """Two recipes, unlike in encoder or, where there is one alone, in decoder; and a gate.

    Where most images are clean and there is a gate, the second one learns from windows of larger
    images and is bold: it finds small things, and sees things that are not there. The gate, a
    classifier of which classes are there, is proposed where classes may overlap, so that an image
    may have none, and where there are pretrained features, which take it seconds.
    """
    found = facts.machine.networks if facts.pretrained else ()
    plain = [PretrainedNetwork(name, False) for name in _PLAIN]
    networks = [found[0], found[min(1, len(found) - 1)]] if found else plain
    gates = [_gate(facts, found[0])] if found and facts.formulations[0] == "sigmoid" else []
    decoders = [_FPN, _FPN if _short(networks[0]) != _short(networks[1]) else _UNET]
    left = (facts.budget_s - sum(gate.forecast_s for gate in gates)) / _NUM_RECIPES
    first, second = zip(networks, decoders, strict=True)
    windows = _windows(facts, left) if gates and facts.clean_share >= _MANY_CLEAN else None
    if windows is not None:
        careful, bold = _proposal(facts, *first, left), _proposal(facts, *second, left)
        return [_careful(careful), _bold(facts, bold, second[0], windows), *gates]
    return [_proposal(facts, *first, left), _proposal(facts, *second, left), *gates]


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


def mask_folds(facts: Facts) -> int:
    """Folds: fewer than were thought of where that leaves time for larger images or enough epochs.

    With few folds a network learns from fewer rows, with few epochs from none of them.
    """
    fewer = min(_FEW_FOLDS, facts.num_folds)

    def reach(num_folds: int) -> tuple[int, int]:
        size, epochs = mask_size(replace(facts, num_folds=num_folds), facts.budget_s / _NUM_RECIPES)
        return size, min(epochs, _ENOUGH)

    return fewer if reach(fewer) > reach(facts.num_folds) else facts.num_folds


def _sizes(facts: Facts) -> tuple[int, ...]:
    return _SIZES_GPU if facts.machine.num_gpus else _SIZES_CPU


def mask_size(facts: Facts, budget_s: float) -> tuple[int, int]:
    """Side of the input and epochs: the largest that leaves enough epochs, images not enlarged."""
    sizes, most = _sizes(facts), _MOST_ENLARGED * facts.looks.side
    fitting = [size for size in sizes if size <= most] or [sizes[-1]]
    for size in fitting:
        rate = _TRAIN_SHARE * facts.machine.train_rate(size)
        left = budget_s - _infer_s(facts, size)
        epochs = int(left * rate / facts.fold_rows)
        if epochs >= _ENOUGH:
            break
    return size, max(_FEWEST, min(_MOST, epochs))


def _proposal(
    facts: Facts, network: PretrainedNetwork, decoder: dict[str, Any], budget_s: float
) -> Proposal:
    size, epochs = mask_size(facts, budget_s)
    name, decoder_name = network.name.partition(".")[0], decoder["name"]
    formulation = facts.formulations[0]
    flips = [s for s in ("hflip", "vflip", "rot90") if s in facts.symmetries]
    crop = {"name": "mask_crop", "scale": [1.0, 1.5]}
    values: dict[str, Any] = {
        "model": {
            "name": network.name,
            "pretrained": network.pretrained,
            "decoder": decoder,
        },
        "input": {"size": size, "zoom": 1.0, "fit": "stretch"},
        "formulation": formulation,
        "loss": [_BY_PIXEL[formulation], {"name": "mask_dice", "weight": 0.5}],
        "augment": [crop, *flips, "jitter"],
        "train": {
            "epochs": epochs,
            "batch": _BATCH,
            "lr": _RATE_FRESH if network.pretrained is False else _RATE,
            "schedule": {"preset": "cosine", "warmup": 1},
            "optimizer": "adamw",
            "weight_decay": 0.01,
            "clip": 1.0,
        },
        "views": ["identity", *(s for s in facts.symmetries if s == "hflip")],
    }
    comments = {
        "": f"Decoder {decoder_name} on {name}: every pixel is given the classes it shows.",
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
    reason = f"{decoder_name} on {name} at {size} px, {epochs} epochs"
    return Proposal(f"{decoder_name}-{_short(network)}", values, comments, reason, forecast)


class _Windows(NamedTuple):
    """What a bold recipe learns from.

    Attributes:
        size: side of a window.
        large: side of the images that they are cut out of.
        epochs: that there is time for.
    """

    size: int
    large: int
    epochs: int


def _windows(facts: Facts, budget_s: float) -> _Windows | None:
    """The largest windows that leave enough epochs, of images that are not enlarged.

    Returns:
        None: there is no room for any, or no time.
    """
    most, _ = mask_size(facts, budget_s)
    found = None
    for size in (size for size in _sizes(facts) if size <= most):
        large = round(_WINDOW_ZOOM * size)
        rate = _WINDOW_SHARE * facts.machine.train_rate(size)
        epochs = int((budget_s - _infer_s(facts, large)) * rate / facts.fold_rows)
        if large <= _MOST_ENLARGED * facts.looks.side and epochs >= _FEWEST:
            found = _Windows(size, large, min(_MOST, epochs))
            if epochs >= _ENOUGH_WINDOWS:
                break
    return found


def _careful(plain: Proposal) -> Proposal:
    """The same with a charge for false pixels that leaves something of what it is not sure of."""
    values = {**plain.values, "loss": _losses(plain.values, _SMOOTH_CAREFUL)}
    comments = {
        **plain.comments,
        "loss": "smooth: what is seen in empty masks costs less steeply, so weak things are kept",
    }
    return replace(plain, values=values, comments=comments)


def _bold(facts: Facts, plain: Proposal, network: PretrainedNetwork, windows: _Windows) -> Proposal:
    """The same from windows of larger images, charged by overlap for what is there alone."""
    size, large, epochs = windows
    crop = {"name": "mask_crop", "near": 0.5, "scale": [0.8, 1.25]}
    values = {
        **plain.values,
        "input": {**plain.values["input"], "size": size, "zoom": _WINDOW_ZOOM},
        "augment": [crop, *plain.values["augment"][1:]],
        "train": {**plain.values["train"], "epochs": epochs},
    }
    values["loss"] = _losses(values, _SMOOTH_BOLD, empty="skipped")
    comments = {
        **plain.comments,
        "input.zoom": f"it learns from windows of images of {large} px, and answers these whole",
        "loss": "bold: by overlap an empty mask costs nothing; the gate has to say what is there",
    }
    decoder, name = plain.values["model"]["decoder"]["name"], network.name.partition(".")[0]
    forecast = facts.fold_rows * epochs / (_WINDOW_SHARE * facts.machine.train_rate(size))
    return replace(
        plain,
        name=f"{decoder}-windows-{_short(network)}",
        values=values,
        comments=comments,
        reason=f"{decoder} on {name}, windows of {size} px from {large} px, {epochs} epochs: bold, "
        "for the blend behind the gate",
        forecast_s=forecast + _infer_s(facts, large),
    )


def _losses(values: dict[str, Any], share: float, **more: str) -> list[Any]:
    """By pixel and by overlap, with a share of the input's pixels added to both areas."""
    by_pixel, dice = values["loss"]
    smooth = max(1, round(share * values["input"]["size"] ** 2))
    return [by_pixel, {**dice, "smooth": smooth, **more}]


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
