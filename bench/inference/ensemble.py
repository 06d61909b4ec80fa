"""The ensemble as foldwise predicts with it: from files, through the cache, member by member."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from foldwise.engine.assemble import Assembly
from foldwise.engine.backends import opened
from foldwise.engine.backends.making import Forward
from foldwise.engine.infer import infer
from foldwise.home import Home
from foldwise.models.building import build
from foldwise.models.network import Network
from foldwise.stages.display import Display
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.tasks.problem import Problem, open_problem
from foldwise.views import views_of

SIZE, BATCH = 224, 32
NETWORKS = ("resnet18", "efficientnet_b0", "regnety_004")
SEEN = ("identity", "hflip", "vflip", "rot180")
CLASSES = ("ape", "bear", "cow", "deer")

COMPETITION = f"""\
name: bench
data: ../images
tables: {{train: ../train.csv}}
images: {{kind: path, column: file}}
columns: {{id: file, target: [label]}}
task: multiclass
classes: [{", ".join(CLASSES)}]
metric: log_loss
"""
RECIPE = """\
model: {{name: {name}}}
input: {{size: {size}, zoom: 1.0}}
train: {{precision: fp32}}
"""


@dataclass(frozen=True)
class Member:
    """A network and the pass that its backend makes of it."""

    name: str
    network: Network
    forward: Forward


def write_table(folder: Path, files: Sequence[Path]) -> None:
    """Let the images of a folder be the rows of a competition."""
    rows = [
        f"{path.relative_to(folder / 'images')},{CLASSES[index % len(CLASSES)]}"
        for index, path in enumerate(files)
    ]
    (folder / "train.csv").write_text("\n".join(["file,label", *rows]) + "\n")


@contextlib.contextmanager
def prepared(folder: Path, names: Sequence[str]) -> Iterator[Problem]:
    """The competition of a folder's images, decoded into a cache that was not there before."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        home = Home(Path(place))
        prepare_in(home, names)
        yield open_problem(home)


def prepare_in(home: Home, names: Sequence[str]) -> None:
    """Make an empty folder, in that of the images, a competition that is prepared."""
    home.recipes.mkdir()
    home.competition.write_text(COMPETITION)
    for name in names:
        home.recipe(name).write_text(RECIPE.format(name=name, size=SIZE))
    inputs = [load_recipe(home, name).input for name in names]
    prepare(home, inputs=inputs, display=Display(quiet=True))


def predict(folder: Path, members: Sequence[Member], *, views: Sequence[str] = SEEN) -> np.ndarray:
    """(N, C) mean probabilities of a folder's images."""
    with prepared(folder, [member.name for member in members]) as problem:
        return inferred(problem, members, views=views)


def inferred(
    problem: Problem, members: Sequence[Member], *, views: Sequence[str] = SEEN
) -> np.ndarray:
    """(N, C) mean probabilities of a prepared competition's images."""
    scores = []
    for member in members:
        source = assembled(problem, member.name).feed.source(problem.train)
        logits = infer(
            member.forward,
            source,
            views=views_of(views),
            batch=BATCH,
            device=torch.device("cpu"),
        )
        scores += map(softmax, logits.values())
    return np.mean(scores, axis=0)


def forward_alone(members: Sequence[Member], images: torch.Tensor) -> np.ndarray:
    """The passes of `predict` over (N, 3, S, S) uint8 images in memory, and nothing else."""
    scores = []
    with torch.inference_mode():
        for member in members:
            for view in views_of(SEEN):
                parts = [member.forward(view.images(part)) for part in images.split(BATCH)]
                scores.append(softmax(torch.cat(parts).double().numpy()))
    return np.mean(scores, axis=0)


def read_images(folder: Path) -> torch.Tensor:
    """All images of a folder as the networks take them, (N, 3, S, S) uint8."""
    with prepared(folder, NETWORKS[:1]) as problem:
        source = assembled(problem, NETWORKS[0]).feed.source(problem.train)
        pixels = np.stack([source.get(sha256) for sha256 in source.hashes])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def make_networks(images: torch.Tensor) -> list[Network]:
    """Random weights from a fixed seed, their statistics and logits spread out on these images."""
    networks = []
    for name in NETWORKS:
        torch.manual_seed(0)
        network = make_network(name)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        with torch.no_grad():
            network.train()(images)
            logits = network.eval()(images)
            network.head.weight.mul_(2.0 / logits.std(dim=0).mean())
            network.head.bias.sub_(network(images).mean(dim=0))
        networks.append(network)
    return networks


def make_network(name: str) -> Network:
    return build(name=name, num_outputs=len(CLASSES), size=SIZE).eval()


@contextlib.contextmanager
def opened_members(networks: Sequence[Network], backends: Sequence[str]) -> Iterator[list[Member]]:
    """The networks, each by its backend."""
    with contextlib.ExitStack() as stack:
        passes = [
            stack.enter_context(opened(network, backend, activate=softmax))
            for network, backend in zip(networks, backends, strict=True)
        ]
        yield [Member(*each) for each in zip(NETWORKS, networks, passes, strict=False)]


def assembled(problem: Problem, name: str) -> Assembly:
    """A recipe of the competition."""
    return Assembly(problem, load_recipe(problem.home, name))


def softmax(logits: np.ndarray) -> np.ndarray:
    """(N, C) logits → probabilities."""
    return torch.from_numpy(logits).softmax(dim=1).numpy()
