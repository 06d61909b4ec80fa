"""The peers' training of one network from a folder of images: timm's `train.py`, and fastai.

timm's script is not in its package: this is its loop, written anew from its own public parts as
the script puts them together (huggingface/pytorch-image-models, `train.py`, Apache-2.0): loader,
meters, a schedule that moves at every update. Set for both: 2 workers, the layout that is faster
here, fp32, AdamW, crops and flips as foldwise has them, no other augmentation, no validation.
Else each has its defaults, but one: fastai keeps its workers between epochs, as timm does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

#: Called after each epoch with its mean loss.
EndEpoch = Callable[[float], None]


@dataclass(frozen=True)
class Job:
    """What every side trains.

    Attributes:
        images: folder with one folder of JPEGs for each class.
        network: of timm.
        size: side of the network's input, pixels.
        batch: images in a step.
        epochs: passes over the images.
        lr: peak learning rate.
        weight_decay: of the optimiser.
        scale: smallest and largest share of the area that a crop has.
        ratio: of a crop, width over height.
        layout: of images and weights in memory.
        workers: processes or threads that prepare batches.
    """

    images: Path
    network: str
    size: int
    batch: int
    epochs: int
    lr: float
    weight_decay: float
    scale: tuple[float, float]
    ratio: tuple[float, float]
    layout: torch.memory_format
    workers: int

    @property
    def num_classes(self) -> int:
        return len(list(self.images.iterdir()))


def timm_train(job: Job, end_epoch: EndEpoch) -> None:
    """As `train.py IMAGES --opt adamw --device cpu ...`."""
    from timm.data import create_dataset, create_loader
    from timm.models import create_model
    from timm.optim import create_optimizer_v2
    from timm.scheduler import create_scheduler_v2
    from timm.utils import AverageMeter, random_seed

    random_seed(42, 0)
    model = create_model(job.network, num_classes=job.num_classes)
    model = model.to(memory_format=job.layout)
    optimizer = create_optimizer_v2(model, opt="adamw", lr=job.lr, weight_decay=job.weight_decay)
    loader = create_loader(
        create_dataset("", root=str(job.images), split="train", is_training=True),
        input_size=(3, job.size, job.size),
        batch_size=job.batch,
        is_training=True,
        scale=job.scale,
        ratio=job.ratio,
        color_jitter=None,
        interpolation="random",
        num_workers=job.workers,
        use_prefetcher=False,  # The script turns it off where there is no GPU.
        device=torch.device("cpu"),
    )
    scheduler, _ = create_scheduler_v2(
        optimizer,
        num_epochs=job.epochs,
        warmup_epochs=0,
        step_on_epochs=False,
        updates_per_epoch=len(loader),
    )
    loss_of = nn.CrossEntropyLoss()
    for epoch in range(job.epochs):
        model.train()
        batch_time, data_time, losses = AverageMeter(), AverageMeter(), AverageMeter()
        started = time.time()
        for place, (images, target) in enumerate(loader):
            images = images.contiguous(memory_format=job.layout)
            data_time.update(time.time() - started)
            loss = loss_of(model(images), target)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.update(loss.item(), images.size(0))
            scheduler.step_update(epoch * len(loader) + place + 1, metric=losses.avg)
            batch_time.update(time.time() - started)
            started = time.time()
        scheduler.step(epoch + 1)
        assert losses.count == len(loader) * job.batch
        end_epoch(losses.avg)


def fastai_train(job: Job, end_epoch: EndEpoch) -> None:
    """As `vision_learner`'s tutorial trains from a folder, with a network of timm from scratch."""
    from fastai.callback.all import Callback  # This gives a learner its further methods.
    from fastai.data.transforms import get_image_files, parent_label
    from fastai.learner import Learner
    from fastai.vision.augment import FlipItem, RandomResizedCrop
    from fastai.vision.data import ImageDataLoaders
    from timm.models import create_model

    class EpochEnds(Callback):  # type: ignore[misc]  # fastai has no types.
        def after_train(self) -> None:
            end_epoch(float(self.learn.smooth_loss))

    torch.manual_seed(42)
    # The crop as it is written and a flip of each image by the workers: fastai would flip float
    # batches in the training process, which takes longer here.
    crop = RandomResizedCrop(job.size, min_scale=job.scale[0], ratio=job.ratio)
    loaders = ImageDataLoaders.from_path_func(
        job.images,
        get_image_files(job.images),
        parent_label,
        valid_pct=0.0,
        item_tfms=[crop, FlipItem()],
        bs=job.batch,
        num_workers=job.workers,
        persistent_workers=True,
    )
    model = create_model(job.network, num_classes=job.num_classes)
    model = model.to(memory_format=job.layout)
    learner = Learner(
        loaders, model, loss_func=nn.CrossEntropyLoss(), lr=job.lr, wd=job.weight_decay
    )
    learner._do_epoch_validate = lambda *_, **__: None
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(job.epochs, job.lr, cbs=[EpochEnds()])
