"""An ensemble from files to probabilities: against its passes alone, ttach's loop, a plain script.

ResNet-18, EfficientNet-B0 and RegNetY-400MF with random weights, four views, JPEGs of 512 x 512 at
224 px, probabilities averaged, two compute threads. foldwise decodes the files into a new cache, as
`prepare` does, and reads it for one network after the other; each network's backend is the one
that a trial here chooses for 20,000 images. Passes alone: the same backends over the views of
images in memory. Networks are converted once, before; what that takes is told. ttach's loop and
the script run eager PyTorch, as they are written; their loaders have no workers, which would take
the cores from the networks.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import measure
import numpy as np
import psutil
import torch
from ensemble import (
    BATCH,
    NETWORKS,
    SEEN,
    SIZE,
    Member,
    forward_alone,
    inferred,
    make_network,
    make_networks,
    opened_members,
    predict,
    prepare_in,
    read_images,
    softmax,
    write_table,
)
from noise import write_photos
from peers import Job, naive_script, ttach_loop
from torch import nn

from foldwise.device import keep_freed_memory
from foldwise.engine.backends import TOLERANCE, BackendTrial, choose_backend
from foldwise.home import Home
from foldwise.models.network import Network
from foldwise.tasks.problem import open_problem

NUM, SIDE, ROUNDS = 128, 512, 5
#: Passes of a network that its trial chooses for.
TO_COME = 20_000 * len(SEEN)
#: Images that memory is measured with, and how much it may grow over the last two thirds, MiB.
MANY, MORE = 3000, 32.0


def main() -> int:
    torch.set_num_threads(2)
    keep_freed_memory()  # As a unit does.
    if sys.argv[1:2] == ["--case"]:
        CASES[sys.argv[2]](Path(sys.argv[3]))
        return 0
    if measure.describe_machine():
        print("The machine is busy: ratios of wall seconds are less sure.")
    print((__doc__ or "").strip())
    verdict = measure.Verdict()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_photos(folder / "images", num=NUM, side=SIDE)
        write_table(folder, files)
        images = read_images(folder)
        networks = make_networks(images[:BATCH])
        backends = [
            choose(name, each, images) for name, each in zip(NETWORKS, networks, strict=True)
        ]
        with opened_members(networks, backends) as members:
            compare(verdict, folder, files, images, members)
        measure_memory(verdict, files)
    return verdict.exit_code()


def choose(name: str, network: Network, images: torch.Tensor) -> str:
    trial = choose_backend(network, (images[:BATCH],), num_images=TO_COME, activate=softmax)
    tell(name, trial)
    return trial.choice


def tell(name: str, trial: BackendTrial) -> None:
    print(f"\n{name}: {trial.choice} of")
    for each in trial.candidates:
        if each.seconds is None:
            print(f"  {each.backend:12}{each.reason}")
        else:
            print(
                f"  {each.backend:12}{1000 * each.seconds:6.1f} ms an image, "
                f"{each.making_s:5.1f} s to make, {each.difference:.0e} from eager"
            )


def compare(
    verdict: measure.Verdict,
    folder: Path,
    files: Sequence[Path],
    images: torch.Tensor,
    members: Sequence[Member],
) -> None:
    """Times of all sides in turn, and whether they give the same."""
    job = Job(files, [plain(member.network) for member in members], SIZE, BATCH, workers=0)
    eager = [Member(each.name, each.network, each.network) for each in members]
    cases: dict[str, Callable[[], np.ndarray]] = {
        "passes alone": partial(forward_alone, members, images),
        "foldwise, from files": partial(predict, folder, members),
        "ttach's loop": partial(ttach_loop, job),
        "ttach's loop, channels last": partial(ttach_loop, job, layout=torch.channels_last),
        "a pass per model and view": partial(naive_script, job),
    }
    wanted = forward_alone(eager, images)
    times, found = measure.interleaved(cases, rounds=ROUNDS)
    measure.print_table(times, NUM, {})
    for name, probs in found.items():
        away = float(np.abs(probs - wanted).max())
        verdict.demand(away <= TOLERANCE, f"probabilities of {name}: {away:.1e} from eager's")
    alone, own, ttach, last, naive = ([each.wall] for each in times.values())
    print(f"  against ttach's loop in channels last: {measure.ratio(last, own):.2f}x")
    for what, peer, least in (
        ("passes alone against the whole way from files", alone, 1 / 1.10),
        ("the whole way against ttach's loop", ttach, 1.7),
        ("the whole way against a pass per model and view", naive, 1.5),
    ):
        verdict.targets.append(measure.Target(what, measure.ratio(peer, own), least))


def plain(network: Network) -> tuple[nn.Module, tuple[float, ...], tuple[float, ...]]:
    """The network as others have it, its normalisation apart."""
    mean, std = (tuple(each.tolist()) for each in (network.mean, network.std))
    return nn.Sequential(network.backbone, network.head), mean, std


def measure_memory(verdict: measure.Verdict, files: Sequence[Path]) -> None:
    """Peaks over a part of the time and over all of it, on files that differ behind their end.

    Within one process: two differ by up to 100 MiB in how their first blocks come to lie, whatever
    the number of images.
    """
    print(f"\npeaks above the start, {NETWORKS[0]}, one view, {MANY} images; without mapped files,")
    print("which the kernel can drop:")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copies = [folder / "images" / f"{index:05d}.jpg" for index in range(MANY)]
        copies[0].parent.mkdir()
        for index, copy in enumerate(copies):
            copy.write_bytes(files[index % NUM].read_bytes() + str(index).encode())
        write_table(folder, copies)
        for case in CASES:
            course = measure.memory_course(__file__, case, folder, of=anonymous)
            early = max(mib for second, mib in course if second <= course[-1][0] / 3)
            peak = max(mib for _, mib in course)
            print(f"  {case:10}{early:.0f} MiB in the first third of the time, {peak:.0f} in all")
            grown = f"memory does not grow with images, {case}: {peak - early:+.0f} MiB"
            verdict.demand(peak - early < MORE, grown)


def anonymous(process: psutil.Process) -> int:
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


def prepare_case(folder: Path) -> None:
    """Decode into the cache."""
    home = Home(folder / "home")
    home.path.mkdir()
    measure.ready()
    prepare_in(home, NETWORKS[:1])


def infer_case(folder: Path) -> None:
    """Read the cache that the other case made, in a process of its own, as a unit does."""
    network = make_network(NETWORKS[0])
    problem = open_problem(Home(folder / "home"))
    measure.ready()
    inferred(problem, [Member(NETWORKS[0], network, network)], views=SEEN[:1])


CASES: dict[str, Callable[[Path], None]] = {"prepare": prepare_case, "infer": infer_case}


if __name__ == "__main__":
    sys.exit(main())
