"""Epochs from the prepared cache against torchvision's ImageFolder and DataLoader.

Counted is one epoch of 400 images, in batches of 50 normalised float32 images of 224 px on the CPU,
each cut at random from a 512 x 512 JPEG and mirrored at random. Both have had an epoch before.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import measure
import numpy as np
import torch
from PIL import Image, ImageFilter
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from foldwise import parts, seeding
from foldwise.data.augment import AUGMENTS
from foldwise.data.batches import Source, epoch_order, train_batches
from foldwise.data.cache import Cache
from foldwise.data.cache_writing import fill
from foldwise.data.decoder_pool import decode_all
from foldwise.data.sources import ImageRef
from foldwise.data.spec import CacheSpec, cached_side
from foldwise.models.network import Network

NUM, SIDE, SIZE, BATCH = 400, 512, 224, 50
SCALE, RATIO = (0.6, 1.0), (0.8, 1.25)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TARGET = 3.0
SPEC = CacheSpec.make(cached_side(SIZE, 1.15))


def make_images(folder: Path) -> None:
    """JPEGs of quality 90 with about the detail of photos: 1.6 to 1.9 bits a pixel."""
    rng = np.random.default_rng(0)
    for index in range(NUM):
        coarse = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        image = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        grain = Image.fromarray(rng.integers(0, 256, (SIDE, SIDE)).astype(np.uint8))
        grain = np.asarray(grain.filter(ImageFilter.GaussianBlur(1.0)), dtype=np.int16) - 128
        path = folder / str(index % 2) / f"{index:04d}.jpg"
        path.parent.mkdir(exist_ok=True)
        pixels = np.clip(image + grain[:, :, None] // 2, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=90)


def prepare(folder: Path) -> None:
    """Fill the cache as `foldwise prepare` does."""
    paths = sorted((folder / "images").glob("*/*.jpg"))
    hashes = [""] * len(paths)
    for index, decoded in fill(
        folder / "cache", [SPEC], decode_all([ImageRef(path) for path in paths], [SPEC])
    ):
        hashes[index] = decoded.sha256
    (folder / "hashes.json").write_text(json.dumps(hashes))


def open_source(folder: Path) -> Source:
    """The images as a unit reads them."""
    hashes = np.array(json.loads((folder / "hashes.json").read_text()), dtype=object)
    return Source(Cache.open(folder / "cache", SPEC).get, hashes, np.arange(len(hashes)), SIZE)


def own_batches(source: Source, epochs: Iterator[int], *, workers: int) -> Iterator[torch.Tensor]:
    epoch = next(epochs)
    crop = parts.bind(AUGMENTS, {"name": "crop", "scale": SCALE, "ratio": RATIO}, what="crop")
    batches = train_batches(
        source,
        epoch_order(len(source), seeding.key("order", epoch)),
        batch=BATCH,
        augments=[crop, AUGMENTS["hflip"]],
        key=seeding.key("augment", epoch),
        workers=workers,
    )
    return (batch.images for batch in batches)


def own_epoch(
    source: Source, network: Network, epochs: Iterator[int], *, workers: int, is_float: bool
) -> float:
    """Mean over a grid of pixels; counted without it where batches stay u8."""
    total = 0.0
    for images in own_batches(source, epochs, workers=workers):
        assert images.shape[1:] == (3, SIZE, SIZE)
        if is_float:
            total += float(network.normalize(images)[:, :, ::16, ::16].mean())
    return total / (NUM // BATCH)


def peer_loader(folder: Path, workers: int) -> DataLoader[tuple[torch.Tensor, int]]:
    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE, scale=SCALE, ratio=RATIO),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    return DataLoader(
        datasets.ImageFolder(str(folder / "images"), change),
        batch_size=BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def peer_epoch(loader: DataLoader[tuple[torch.Tensor, int]]) -> float:
    total = 0.0
    for images, _ in loader:
        assert images.shape[1:] == (3, SIZE, SIZE)
        total += float(images[:, :, ::16, ::16].mean())
    return total / (NUM // BATCH)


def make_case(name: str, folder: Path) -> Callable[[], float]:
    side, kind, workers = name.split(", ")
    num = int(workers.split()[0])
    if side == "ImageFolder":
        return partial(peer_epoch, peer_loader(folder, num))
    network = Network(torch.nn.Identity(), None, mean=MEAN, std=STD)
    source, epochs = open_source(folder), iter(range(1_000_000))
    return partial(own_epoch, source, network, epochs, workers=num, is_float=kind == "float")


PEERS = ["ImageFolder, float, 0 workers", "ImageFolder, float, 2 workers"]
OURS = [f"foldwise, float, {n} threads" for n in (0, 1, 2)]
OURS_U8 = ["foldwise, u8, 2 threads"]


def main() -> int:
    torch.set_num_threads(1)  # Workers and loader threads are what is parallel on both sides.
    torch.manual_seed(0)
    if sys.argv[1:2] == ["--case"]:
        case = make_case(sys.argv[2], Path(sys.argv[3]))
        measure.ready()
        case()
        return 0
    measure.describe_machine()
    print((__doc__ or "").strip())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        make_images(folder / "images")
        size = sum(path.stat().st_size for path in folder.rglob("*.jpg"))
        print(f"{NUM} files, {size * 8 / NUM / SIDE**2:.2f} bits a pixel")
        prepare(folder)
        cases = {case: make_case(case, folder) for case in [*PEERS, *OURS, *OURS_U8]}
        times, means = measure.interleaved(cases)
        memory = {case: measure.peak_memory(__file__, case, folder) for case in cases}
        measure.print_table(times, NUM, memory)
    verdict = measure.Verdict()
    peer, own = means[PEERS[0]], means[OURS[0]]
    verdict.demand(abs(peer - own) < 0.05, f"mean of the pixels: {peer:.3f} and {own:.3f}")
    peers = [times[case].wall for case in PEERS]
    faster = measure.ratio(peers, [times[case].wall for case in OURS])
    what = "an epoch from the cache against ImageFolder"
    verdict.targets.append(measure.Target(what, faster, TARGET))
    u8 = measure.ratio(peers, [times[case].wall for case in OURS_U8])
    print(f"  u8 batches, normalised on the device: {u8:.2f}x")
    return verdict.exit_code()


if __name__ == "__main__":
    sys.exit(main())
