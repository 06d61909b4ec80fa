"""What others predict with: a loop over models with ttach's wrapper, and a pass per model and view.

Both read files by torchvision's transforms in a DataLoader, as scripts do, and so decode an image
once for each model, or for each model and view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import ttach
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

#: The four views, as a script would write them.
FLIPS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda image: image,
    "hflip": lambda image: image.flip(2),
    "vflip": lambda image: image.flip(1),
    "rot180": lambda image: image.flip(1, 2),
}


@dataclass(frozen=True)
class Job:
    """What every side predicts.

    Attributes:
        files: the images.
        models: (N, 3, S, S) normalised → logits, each with its mean and std.
        size: side of the input, pixels.
        batch: images in a pass.
        workers: of the DataLoader.
    """

    files: Sequence[Path]
    models: Sequence[tuple[nn.Module, tuple[float, ...], tuple[float, ...]]]
    size: int
    batch: int
    workers: int


class _Files(Dataset[Tensor]):
    def __init__(self, files: Sequence[Path], change: Callable[[Image.Image], Tensor]) -> None:
        self._files, self._change = files, change

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self._files[index]) as image:
            return self._change(image.convert("RGB"))


def ttach_loop(job: Job, *, layout: torch.memory_format = torch.contiguous_format) -> Tensor:
    """(N, C) mean probabilities; both flips and their product are the four views."""
    flips = ttach.Compose([ttach.HorizontalFlip(), ttach.VerticalFlip()])
    found = []
    for model, mean, std in job.models:
        whole = nn.Sequential(model, nn.Softmax(dim=1)).to(memory_format=layout)
        wrapped = ttach.ClassificationTTAWrapper(whole, flips, merge_mode="mean")
        with torch.inference_mode():
            batches = _loader(job, mean, std, FLIPS["identity"])
            parts = [wrapped(images.contiguous(memory_format=layout)) for images in batches]
        found.append(torch.cat(parts))
        model.to(memory_format=torch.contiguous_format)
    return torch.stack(found).mean(dim=0)


def naive_script(job: Job) -> Tensor:
    """(N, C) mean probabilities; a pass over all files for each model and view."""
    found = []
    for model, mean, std in job.models:
        for flip in FLIPS.values():
            with torch.inference_mode():
                parts = [model(images).softmax(dim=1) for images in _loader(job, mean, std, flip)]
            found.append(torch.cat(parts))
    return torch.stack(found).mean(dim=0)


def _loader(
    job: Job,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    flip: Callable[[Tensor], Tensor],
) -> DataLoader[Tensor]:
    change = transforms.Compose(
        [
            transforms.Resize((job.size, job.size), transforms.InterpolationMode.BICUBIC),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
            transforms.Lambda(flip),
        ]
    )
    return DataLoader(_Files(job.files, change), batch_size=job.batch, num_workers=job.workers)
