"""Epochs from the prepared cache, and from the originals, against ImageFolder and FFCV.

Counted is one epoch of 400 images, in batches of 50 normalised float32 images of 224 px on the CPU,
each cut at random from a 512 x 512 JPEG and mirrored at random; u8: before they are normalised,
which is left to the device. The cache and FFCV hold raw pixels of the same side. All have had an
epoch before. `build_ffcv.sh` builds FFCV; without it that part is left out, and the run says so.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import measure
import numpy as np
import peers
import torch
from noise import write_photos
from PIL import Image

from foldwise import parts, seeding
from foldwise.data.augment import AUGMENTS
from foldwise.data.batches import Source, epoch_order, train_batches
from foldwise.data.boxes import crop_box
from foldwise.data.cache import Cache
from foldwise.data.cache_writing import fill
from foldwise.data.decoder_pool import decode_all
from foldwise.data.draws import NUM_DRAWS
from foldwise.data.sources import ImageRef
from foldwise.data.spec import CacheSpec
from foldwise.device import keep_freed_memory
from foldwise.models.network import Network

NUM, SIDE, SIZE, BATCH = 400, 512, 224, 50
CACHED_SIDE = 288
SCALE, RATIO = (0.6, 1.0), (0.8, 1.25)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WANTED = peers.Wanted(SIZE, BATCH, SCALE, RATIO, MEAN, STD)
SPECS = {
    "cache": CacheSpec.make(CACHED_SIDE),
    "originals": CacheSpec.make(CACHED_SIDE, store="none"),
}


def prepare(folder: Path) -> None:
    """Fill the caches as `foldwise prepare` does, and FFCV's file as its user does."""
    specs = list(SPECS.values())
    hashes = [""] * NUM
    refs = [ImageRef(path) for path in files(folder)]
    for index, decoded in fill(folder / "cache", specs, decode_all(refs, specs)):
        hashes[index] = decoded.sha256
    (folder / "hashes.json").write_text(json.dumps(hashes))
    if peers.HAS_FFCV:
        peers.write_ffcv(folder / "images.beton", files(folder), side=CACHED_SIDE)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "images").glob("*/*.jpg"))


def open_source(folder: Path, kind: str) -> Source:
    """The images as a unit reads them."""
    hashes = json.loads((folder / "hashes.json").read_text())
    refs = dict(zip(hashes, map(ImageRef, files(folder)), strict=True))
    cache = Cache.open(folder / "cache", SPECS[kind], refs=refs)
    names = np.array(hashes, dtype=object)
    return Source(cache.get, names, np.arange(len(hashes)), SIZE, cut=cache.cut)


def own_batches(source: Source, epoch: int, *, workers: int) -> Iterator[torch.Tensor]:
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


def own_epochs(source: Source, *, workers: int, is_float: bool) -> Iterator[Iterator[torch.Tensor]]:
    network = Network(torch.nn.Identity(), None, mean=MEAN, std=STD)
    epoch = 0
    while True:
        found = own_batches(source, epoch, workers=workers)
        yield map(network.normalize, found) if is_float else found
        epoch += 1


def one_epoch(epochs: Iterator[Iterator[torch.Tensor]]) -> float:
    """Mean over a grid of pixels."""
    torch.set_num_threads(1)  # Workers and loader threads are parallel; FFCV sets it for all.
    total = 0.0
    for images in next(epochs):
        assert images.shape[1:] == (3, SIZE, SIZE)
        total += float(images[:, :, ::16, ::16].float().mean())
    return total / (NUM // BATCH)


def make_case(name: str, folder: Path) -> Callable[[], float]:
    side, kind, workers = name.split(", ")
    num, is_float = int(workers.split()[0]), kind == "float"
    if side == "ImageFolder":
        epochs = peers.image_folder(folder / "images", WANTED, workers=num)
    elif side == "FFCV raw":
        epochs = peers.ffcv(folder / "images.beton", WANTED, workers=num, is_float=is_float)
    else:
        source = open_source(folder, side.removeprefix("foldwise "))
        epochs = own_epochs(source, workers=num, is_float=is_float)
    return partial(one_epoch, epochs)


IMAGE_FOLDER = [f"ImageFolder, float, {n} workers" for n in (0, 2)]
FFCV = [f"FFCV raw, float, {n} threads" for n in (1, 2)] if peers.HAS_FFCV else []
FFCV_U8 = ["FFCV raw, u8, 2 threads"] if peers.HAS_FFCV else []
CACHE = [f"foldwise cache, float, {n} threads" for n in (0, 1, 2)]
CACHE_U8 = ["foldwise cache, u8, 2 threads"]
ORIGINALS = [f"foldwise originals, float, {n} threads" for n in (1, 2)]


def demand_equal_results(verdict: measure.Verdict, means: dict[str, float], folder: Path) -> None:
    peer = means[IMAGE_FOLDER[0]]
    for cases in (CACHE, ORIGINALS, FFCV):
        for case in cases[:1]:
            found = means[case]
            is_near = abs(peer - found) < 0.05
            verdict.demand(is_near, f"mean of the pixels: {peer:.3f} and {found:.3f} ({case})")
    for kind in SPECS:
        source = open_source(folder, kind)
        prints = {_print(own_batches(source, 7, workers=workers)) for workers in (0, 1, 2, 4)}
        verdict.demand(len(prints) == 1, f"every bit for 0, 1, 2, 4 threads ({kind})")
    most = max(_away_from_pillow(folder, index) for index in range(0, NUM, 20))
    verdict.demand(most <= 1, f"a crop of an original is Pillow's, {most} level away at most")


def _print(batches: Iterator[torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for images in batches:
        digest.update(images.permute(0, 2, 3, 1).contiguous().numpy())
    return digest.hexdigest()


def _away_from_pillow(folder: Path, index: int) -> int:
    """Levels between a crop of an original and Pillow's crop and resize of the same box."""
    source, key = open_source(folder, "originals").take(np.array([index])), 5
    crop = parts.bind(AUGMENTS, {"name": "crop", "scale": SCALE, "ratio": RATIO}, what="crop")
    order = np.array([0])
    (batch,) = train_batches(source, order, batch=1, augments=[crop], key=key, workers=0)
    draws = seeding.uniforms(key, source.counters, NUM_DRAWS)[0].tolist()
    box = crop_box(CACHED_SIDE, CACHED_SIDE, draws, scale=SCALE, ratio=RATIO)
    scale = SIDE / CACHED_SIDE
    corners = (box.left, box.top, box.left + box.width, box.top + box.height)
    left, top, right, bottom = (round(corner * scale) for corner in corners)
    image = Image.open(files(folder)[index]).crop((left, top, right, bottom))
    theirs = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR), dtype=int)
    return int(np.abs(theirs - batch.images[0].permute(1, 2, 0).numpy()).max())


def main() -> int:
    torch.manual_seed(0)
    keep_freed_memory()  # As a unit does.
    if sys.argv[1:2] == ["--case"]:
        case = make_case(sys.argv[2], Path(sys.argv[3]))
        measure.ready()
        case()
        return 0
    measure.describe_machine()
    print((__doc__ or "").strip())
    if not peers.HAS_FFCV:
        print("FFCV is not built here, so it is not compared with: see build_ffcv.sh")
    verdict = measure.Verdict()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder / "images", num=NUM, side=SIDE)
        size = sum(path.stat().st_size for path in folder.rglob("*.jpg"))
        print(f"{NUM} files, {size * 8 / NUM / SIDE**2:.2f} bits a pixel")
        prepare(folder)
        names = [*IMAGE_FOLDER, *FFCV, *FFCV_U8, *CACHE, *CACHE_U8, *ORIGINALS]
        times, means = measure.interleaved({case: make_case(case, folder) for case in names})
        memory = {case: measure.peak_memory(__file__, case, folder) for case in names}
        measure.print_table(times, NUM, memory)
        demand_equal_results(verdict, means, folder)

    def compare(what: str, peer: list[str], own: list[str], least: float) -> None:
        walls = [[times[case].wall for case in cases] for cases in (peer, own)]
        verdict.targets.append(measure.Target(what, measure.ratio(*walls), least))

    compare("an epoch from the cache against ImageFolder", IMAGE_FOLDER, CACHE, 7)
    compare("an epoch from originals against ImageFolder", IMAGE_FOLDER, ORIGINALS, 2)
    if peers.HAS_FFCV:
        compare("an epoch from the cache against FFCV raw", FFCV, CACHE, 2)
        compare("the same, u8 batches on both sides", FFCV_U8, CACHE_U8, 2)
    return verdict.exit_code()


if __name__ == "__main__":
    sys.exit(main())
