"""Whole training through foldwise's engine against a tuned plain PyTorch loop, timm and fastai.

Against the plain loop: same network and first weights, same batches in the same order, same fused
optimiser, rates and precision (fp32), one compute thread. The plain loop finds its images as a
uint8 tensor in memory, normalises each batch, and is timed in both layouts; where the trial says
that compiled steps are faster, both sides are timed compiled, too, without the compiling. foldwise
takes the layout that its short trial decides for, holds or reads images from the prepared cache and
keeps its books (keyed draws, finite losses, events). The process computes deterministically and
keeps freed memory, as a unit's does, for both. Each image is counted once an epoch.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import epochs
import measure
import numpy as np
import torch
from epochs import compare, run_case
from epochs import judge as judge_epochs
from noise import write_noise
from torch import nn

from foldwise import seeding
from foldwise.data.batches import epoch_order, eval_batches, num_steps
from foldwise.device import keep_freed_memory
from foldwise.engine.assemble import Assembly
from foldwise.engine.compiling import CompileTrial, Outputs, compile_trial, training_outputs
from foldwise.engine.fit import EpochEnd, fit
from foldwise.engine.fitting import fit_plan, fit_state, image_batches
from foldwise.engine.layout import faster_layout, layout_seconds
from foldwise.home import Home
from foldwise.models.network import Layout, Network
from foldwise.optim.schedule import rates
from foldwise.stages.display import Display
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.tasks.problem import Problem, open_problem

NUM, SIDE, CLASSES = 256, 64, ("ape", "bear", "cow")
TARGET = 1.0
CPU = torch.device("cpu")

COMPETITION = f"""\
name: bench
data: data
tables: {{train: train.csv}}
images: {{kind: path, column: file}}
columns: {{id: id, target: [label]}}
task: multiclass
classes: [{", ".join(CLASSES)}]
metric: log_loss
"""
RECIPE = """\
model: {{name: {name}}}
input: {{size: {size}, zoom: 1.0}}
train: {{epochs: {epochs}, batch: {batch}, lr: 1e-3, optimizer: adamw, precision: fp32}}
"""
#: Network → images, input side, batch, epochs: rounds are short and many, since the machine's
#: slow spells last some seconds, and a round's cases are compared with each other.
NETWORKS = {"small_cnn": (256, 32, 32, 2), "resnet18": (64, 64, 32, 2)}
ROUNDS = 21
#: Steps of a training in which compiling would not count.
LONG = 10**6


def make_competition(folder: Path) -> None:
    """Noise with a tint by class, prepared."""
    home = Home(folder)
    write_noise(folder / "data", num=NUM, side=SIDE, classes=CLASSES)
    home.competition.write_text(COMPETITION)
    home.recipes.mkdir()
    for name, (_, size, batch, num_epochs) in NETWORKS.items():
        text = RECIPE.format(name=name, size=size, batch=batch, epochs=num_epochs)
        home.recipe(name).write_text(text)
    inputs = [load_recipe(home, name).input for name in NETWORKS]
    prepare(home, inputs=inputs, display=Display(quiet=True))


@dataclass(frozen=True)
class Work:
    """One network's training, ready to be done by either side."""

    assembly: Assembly
    rows: np.ndarray

    def own(self, *, augmented: bool = False, compiled: bool = False) -> float:
        """Through the engine, as a unit does; the mean loss of the last epoch."""
        assembly, loss = self.assembly, float("nan")
        if augmented:
            recipe = assembly.recipe.model_copy(update={"augment": ("crop", "hflip")})
            assembly = Assembly(assembly.problem, recipe)
        network = self.network()
        network.set_layout(self.layout)
        if compiled:
            start, (network, outputs) = network.state_dict(), self.compiled
            network.load_state_dict(start)
        state = fit_state(assembly, network, CPU)
        if compiled:
            state.outputs = outputs
        plan = fit_plan(
            assembly,
            self.rows,
            CPU,
            batches=image_batches(assembly, self.rows, seed=0, fold=0),
            stages=assembly.stages(),
            seed=0,
            fold=0,
        )
        for event in fit(state, plan):
            if isinstance(event, EpochEnd):
                loss = event.loss
        return loss

    def plain(self, images: torch.Tensor, target: torch.Tensor, *, compiled: bool = False) -> float:
        """The plain loop; the mean loss of the last epoch."""
        whole = self.network()
        network = nn.Sequential(whole.backbone, whole.head).train()
        is_last = images.is_contiguous(memory_format=torch.channels_last)
        axes = torch.channels_last if is_last else torch.contiguous_format
        network = network.to(memory_format=axes)
        call: Callable[[torch.Tensor], torch.Tensor] = network
        if compiled:
            start, (network, call) = network.state_dict(), self.compiled_loop
            network.load_state_dict(start)
        train = self.assembly.recipe.train
        decayed = [p for p in network.parameters() if p.ndim > 1]
        others = [p for p in network.parameters() if p.ndim <= 1]
        groups = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        decay = train.weight_decay
        optimizer = torch.optim.AdamW(groups, lr=train.lr, weight_decay=decay, fused=True)
        steps = num_steps(len(target), train.batch)
        schedule = rates(self.assembly.stages(), steps)
        mean, std = (255.0 * x.view(1, -1, 1, 1) for x in (whole.mean, whole.std))
        loss_of, total, step = nn.CrossEntropyLoss(), 0.0, 0
        for epoch in range(train.epochs):
            total = 0.0
            order = epoch_order(len(target), seeding.key("order", 0, 0, epoch))
            for part in torch.from_numpy(order).tensor_split(steps):
                for group in optimizer.param_groups:
                    group["lr"] = float(schedule[step])
                optimizer.zero_grad(set_to_none=True)
                pixels = images[part].float().sub_(mean).div_(std)
                loss = loss_of(call(pixels.contiguous(memory_format=axes)), target[part])
                loss.backward()
                optimizer.step()
                total, step = total + loss.item() * len(part), step + 1
        return total / len(target)

    @cached_property
    def batch(self) -> torch.Tensor:
        source = self.assembly.feed.source(self.assembly.problem.train.take(self.rows))
        return next(eval_batches(source, batch=self.assembly.recipe.train.batch, workers=0)).images

    @cached_property
    def layout(self) -> Layout:
        """The faster one in the trial, as `stages/training/step_trials.py` decides."""
        return faster_layout(layout_seconds(self.network(), self.batch, device=CPU))

    @cached_property
    def trial(self) -> CompileTrial:
        """The trial of a compiled step in that layout."""
        network = self.network()
        network.set_layout(self.layout)
        return compile_trial(network, self.batch, device=CPU)

    @cached_property
    def compiled(self) -> tuple[Network, Outputs]:
        """A network in that layout and its compiled steps, for all rounds."""
        network = self.network()
        network.set_layout(self.layout)
        return network, training_outputs(network, compiled=True)

    @cached_property
    def compiled_loop(self) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
        """The same for the plain loop."""
        whole, is_last = self.network(), self.layout == "channels_last"
        axes = torch.channels_last if is_last else torch.contiguous_format
        network = nn.Sequential(whole.backbone, whole.head).train().to(memory_format=axes)
        return network, torch.compile(network, dynamic=False)

    def network(self) -> Network:
        torch.manual_seed(0)
        return copy.deepcopy(self.assembly.network())

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        source = self.assembly.feed.source(self.assembly.problem.train.take(self.rows))
        images = next(eval_batches(source, batch=len(self.rows), workers=0)).images
        return images, self.assembly.encoded(self.rows)


def make_work(problem: Problem, name: str) -> Work:
    return Work(Assembly(problem, load_recipe(problem.home, name)), np.arange(NETWORKS[name][0]))


def make_cases(work: Work, name: str) -> dict[str, Callable[[], float]]:
    images, target = work.tensors()
    first, last = images.contiguous(), images.contiguous(memory_format=torch.channels_last)
    return {
        f"{name}, plain, channels first": lambda: work.plain(first, target),
        f"{name}, plain, channels last": lambda: work.plain(last, target),
        f"{name}, foldwise": work.own,
        f"{name}, foldwise, crop and flip": lambda: work.own(augmented=True),
    }


def make_compiled_cases(work: Work, name: str) -> dict[str, Callable[[], float]]:
    """Both sides with compiled steps, where these are faster."""
    if not work.trial.pays(num_steps=LONG, num_graphs=1):
        return {}
    is_last = work.layout == "channels_last"
    axes = torch.channels_last if is_last else torch.contiguous_format
    images, target = work.tensors()
    images = images.contiguous(memory_format=axes)
    return {
        f"{name}, plain, compiled": lambda: work.plain(images, target, compiled=True),
        f"{name}, foldwise, compiled": lambda: work.own(compiled=True),
    }


def main() -> int:
    if sys.argv[1:2] == ["--epochs"]:
        run_case(sys.argv[2], Path(sys.argv[3]))
        return 0
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    keep_freed_memory()
    if sys.argv[1:2] == ["--case"]:
        name, problem = sys.argv[2].split(",")[0], open_problem(Home(Path(sys.argv[3])))
        case = make_cases(make_work(problem, name), name)[sys.argv[2]]
        measure.ready()
        case()
        return 0
    is_busy = measure.describe_machine()
    print((__doc__ or "").strip())
    if is_busy:
        print("The machine is busy: judged are CPU seconds, which others disturb less than wall.")
    verdict, by = measure.Verdict(), "cpu" if is_busy else "wall"
    with tempfile.TemporaryDirectory() as folder:
        make_competition(Path(folder))
        problem = open_problem(Home(Path(folder)))
        for name, (num, _, _, num_epochs) in NETWORKS.items():
            work = make_work(problem, name)
            print(f"{name}: its trials decide for {work.layout}; {work.trial}")
            cases = make_cases(work, name) | make_compiled_cases(work, name)
            times, losses = measure.interleaved(cases, rounds=ROUNDS)
            measured = [case for case in cases if case.endswith(("last", "foldwise"))]
            memory = {c: measure.peak_memory(__file__, c, Path(folder)) for c in measured}
            measure.print_table(times, num_epochs * num, memory)
            judge(verdict, name, times, losses, by=by)
        print((epochs.__doc__ or "").strip())
        judge_epochs(verdict, compare(__file__, Path(folder), rounds=measure.ROUNDS), by=by)
    return verdict.exit_code()


def judge(
    verdict: measure.Verdict,
    name: str,
    times: dict[str, measure.Times],
    losses: dict[str, float],
    *,
    by: str,
) -> None:
    first, last, own, augmented, *compiled = times
    for case in (own, *compiled):
        verdict.demand(
            abs(losses[case] - losses[last]) < 0.02 * max(losses[last], 0.05),
            f"loss of the last epoch: {last} {losses[last]:.5f}, {case} {losses[case]:.5f}",
        )
    for measured in ("wall", "cpu"):
        peers = [getattr(times[case], measured) for case in (first, last, *compiled[:1])]
        ours = [getattr(times[case], measured) for case in (own, *compiled[1:])]
        faster = measure.ratio(peers, ours)
        more = measure.ratio(peers[:2], [getattr(times[augmented], measured)])
        print(f"  {measured}: {faster:.2f}x; with crop and flip, not compiled: {more:.2f}x")
        if measured == by:
            what = f"training {name} against a plain loop, {by} seconds"
            verdict.targets.append(measure.Target(what, faster, TARGET))


if __name__ == "__main__":
    sys.exit(main())
