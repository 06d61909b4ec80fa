"""What others load images with: torchvision's ImageFolder in a DataLoader, and FFCV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

try:
    # Before anything that brings an OpenCV of its own.
    from ffcv.fields import IntField, RGBImageField
    from ffcv.fields.decoders import RandomResizedCropRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.transforms import NormalizeImage, RandomHorizontalFlip, ToTensor, ToTorchImage
    from ffcv.writer import DatasetWriter

    HAS_FFCV = True
except ImportError:
    HAS_FFCV = False


@dataclass(frozen=True)
class Wanted:
    """What every batch holds: random crops of images, mirrored at random, normalised."""

    size: int
    batch: int
    scale: tuple[float, float]
    ratio: tuple[float, float]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def image_folder(folder: Path, wanted: Wanted, *, workers: int) -> Iterator[Iterator[torch.Tensor]]:
    """Epochs of normalised float32 batches."""
    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(wanted.size, scale=wanted.scale, ratio=wanted.ratio),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(wanted.mean, wanted.std),
        ]
    )
    loader = DataLoader(
        datasets.ImageFolder(str(folder), change),
        batch_size=wanted.batch,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    while True:
        yield (images for images, _ in loader)


class _Files:
    """Pixels and place of each file, as FFCV's writer asks for them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.asarray(Image.open(self._paths[index]).convert("RGB")), index


def write_ffcv(path: Path, files: Sequence[Path], *, side: int) -> None:
    """The conversion FFCV's user runs: raw pixels, the longer side at most `side`."""
    fields = {
        "image": RGBImageField(write_mode="raw", max_resolution=side),
        "label": IntField(),
    }
    DatasetWriter(str(path), fields, num_workers=1).from_indexed_dataset(_Files(files))


def ffcv(
    path: Path, wanted: Wanted, *, workers: int, is_float: bool
) -> Iterator[Iterator[torch.Tensor]]:
    """Epochs of batches, normalised float32 or uint8."""
    scaled = [np.array(values) * 255.0 for values in (wanted.mean, wanted.std)]
    shape = (wanted.size, wanted.size)
    image = [
        RandomResizedCropRGBImageDecoder(shape, scale=wanted.scale, ratio=wanted.ratio),
        RandomHorizontalFlip(),
        *([NormalizeImage(*scaled, np.float32)] if is_float else []),
        ToTensor(),
        ToTorchImage(),
    ]
    make = partial(Loader, str(path), batch_size=wanted.batch, num_workers=workers, os_cache=True)
    loader = make(order=OrderOption.RANDOM, pipelines={"image": image, "label": None})
    while True:
        yield (images for (images,) in loader)
