"""Rules on the network and the weights it starts from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import starmap
from pathlib import Path

from foldwise import device as machine
from foldwise.engine import frozen
from foldwise.errors import FoldwiseError, OfflineError
from foldwise.models.packages import find_package
from foldwise.parts import name_of
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.finding import Fault, error, warning
from foldwise.stages.proposing.machine import hub_networks

_HEAD_SIZE = ("num_classes", "num_outputs")


def head_size(case: RecipeCase) -> Iterator[Fault]:
    """The number of outputs is set by hand; task and formulation know it."""
    formulation = case.ground.task.formulations.get(case.formulation)
    for key in _HEAD_SIZE:
        if key in case.recipe.model.options and formulation is not None:
            wanted = formulation.num_outputs(max(1, len(case.ground.competition.classes)))
            yield error(
                f"model.options.{key}",
                f"{case.recipe.model.options[key]}: task and formulation set it, to {wanted}",
                "take it out",
            )


def random_features(case: RecipeCase) -> Iterator[Fault]:
    """A backbone, or its normalisation, is kept as it is that has never seen an image."""
    yield from starmap(error, frozen.random_features(case.recipe))
    if case.is_pretrained or case.is_frozen:
        return
    train = case.recipe.train
    is_staged = name_of(train.schedule.preset) == "staged" and not case.own_stages
    heads = [
        f"train.schedule.stages.{i}" for i, s in enumerate(case.own_stages) if s.trainable == "head"
    ]
    heads += ["train.schedule.head"] if is_staged and train.schedule.head else []
    heads += ["train.trainable"] if train.trainable != "all" and not case.own_stages else []
    for key in heads:
        yield warning(
            key,
            "holds back a backbone without pretrained weights: its features are random",
            "train all of it from the start",
        )
    if train.norm == "frozen":
        yield warning(
            "train.norm",
            "frozen: without pretrained weights batch norm keeps mean 0 and variance 1, which are "
            "no image's",
            "use norm: train, or set model.pretrained",
        )


def untrained_parts(case: RecipeCase) -> Iterator[Fault]:
    """A part is added to the network that never trains."""
    yield from starmap(error, frozen.untrained_parts(case.recipe))


def rules_pretrained(case: RecipeCase) -> Iterator[Fault]:
    """The competition forbids weights trained on other data."""
    if case.is_pretrained and case.ground.competition.rules.pretrained == "forbidden":
        yield error(
            "model.pretrained",
            f"{case.recipe.model.pretrained}: rules.pretrained in competition.yaml is forbidden",
            "set it to false, or correct the rule if it is wrong",
        )


def weights_offline(case: RecipeCase) -> Iterator[Fault]:
    """The weights would have to be fetched, and nothing may be."""
    pretrained = case.recipe.model.pretrained
    if isinstance(pretrained, str) and pretrained.startswith("package:"):
        if isinstance(problem := _package_problem(case), OfflineError):
            yield error("model.pretrained", problem.problems[0], problem.remedy)
        return
    if pretrained is True and _is_offline() and not _is_at_hand(case):
        folder = case.ground.home.cache / "weights"
        yield error(
            "model.pretrained",
            f"true: {case.recipe.model.name} is not in the hub's cache, and HF_HUB_OFFLINE is set",
            f"put its model.safetensors at {folder}/<network>.<tag>.safetensors, or give a file "
            "or package:NAME",
        )


def weights_file(case: RecipeCase) -> Iterator[Fault]:
    """There is no such file of weights, or the package holds another network's."""
    pretrained = case.recipe.model.pretrained
    if not isinstance(pretrained, str):
        return
    if pretrained.startswith("package:"):
        problem = _package_problem(case)
        if problem is not None and not isinstance(problem, OfflineError):
            yield error("model.pretrained", problem.problems[0], problem.remedy)
    elif not (path := _file(case, pretrained)).is_file():
        yield error(
            "model.pretrained",
            f"{path}: no such file",
            "give true, false, package:NAME, or the path of a weights file",
        )


def normalisation(case: RecipeCase) -> Iterator[Fault]:
    """Nobody says how the images were normalised that the weights were trained on."""
    pretrained, name = case.recipe.model.pretrained, case.recipe.model.name
    is_file = isinstance(pretrained, str) and not pretrained.startswith("package:")
    if not is_file or not (":" in name or name.startswith("small_")):
        return  # timm knows the statistics of its networks, packages those of theirs.
    path = _file(case, str(pretrained))
    if path.is_file() and not _has_statistics(path):
        yield warning(
            "model.pretrained",
            f"{path.name} does not say by which mean and std its images were normalised; "
            "mean 0.5, std 0.25 is used",
            "save `mean` and `std`, channels in 0..1, beside the weights in a .safetensors file",
        )


def precision(case: RecipeCase) -> Iterator[Fault]:
    """The device cannot compute in the precision asked for."""
    if case.recipe.train.precision == "fp16" and not machine.num_gpus():
        yield error(
            "train.precision", "fp16 needs a GPU, and here is none", "use auto, bf16 or fp32"
        )


def _package_problem(case: RecipeCase) -> FoldwiseError | None:
    package = str(case.recipe.model.pretrained).removeprefix("package:")
    try:
        find_package(package, network=case.recipe.model.name)
    except FoldwiseError as problem:
        return problem
    return None


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _is_at_hand(case: RecipeCase) -> bool:
    name = case.recipe.model.name
    own = [path.stem for path in (case.ground.home.cache / "weights").glob("*.safetensors")]
    return any(known == name or known.startswith(f"{name}.") for known in [*hub_networks(), *own])


def _file(case: RecipeCase, pretrained: str) -> Path:
    return case.ground.home.path / Path(pretrained).expanduser()


def _has_statistics(path: Path) -> bool:
    """Whether the header of a safetensors file names `mean` and `std`."""
    if path.suffix != ".safetensors":
        return False
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(min(length, 10_000_000))
    return b'"mean"' in header and b'"std"' in header


RULES: dict[str, Callable[[RecipeCase], Iterator[Fault]]] = {
    "head-size": head_size,
    "random-features": random_features,
    "untrained-parts": untrained_parts,
    "rules-pretrained": rules_pretrained,
    "weights-offline": weights_offline,
    "weights-file": weights_file,
    "normalisation": normalisation,
    "precision": precision,
}
