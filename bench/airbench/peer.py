"""The network and the loop of airbench94, written anew from its published description.

Source: Jordan (2024), "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv:2404.00498, and its
program (KellerJordan/cifar10-airbench, MIT licence). What a step computes is as there: the network,
batches of 1,024 in half precision, images held, flipped and moved on the device epoch by epoch,
label smoothing, Nesterov SGD, a triangular rate, weights pulled to their average every five steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (64, 256, 256)
LABEL_SMOOTHING = 0.2
MOMENTUM = 0.85
_KILOSTEP = 1024 * (1 + 1 / (1 - MOMENTUM))
LR, DECAY, NORM_LR = 11.5 / _KILOSTEP, 0.0153 / _KILOSTEP, 64.0
_AVERAGE_EVERY, _AVERAGE_DECAY = 5, 0.95
_MOVE = 2


class Group(nn.Module):
    """Two 3 x 3 convolutions, the first one pooled, each normalised without a scale of its own."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(width_in, width),
            nn.MaxPool2d(2),
            _norm(width),
            nn.GELU(),
            _convolution(width, width),
            _norm(width),
            nn.GELU(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = self.layers(maps)
        return found


class Scale(nn.Module):
    """Logits, a ninth of them."""

    def forward(self, logits: Tensor) -> Tensor:
        return logits / 9


def network(*, num_outputs: int, channels: int = 3) -> nn.Module:
    """The network for normalised images of 32 px; its first layer, to be whitened, is frozen."""
    first = 2 * channels * 2 * 2
    groups = [Group(*pair) for pair in zip((first, *WIDTHS[:-1]), WIDTHS, strict=True)]
    whiten = nn.Conv2d(channels, first, 2)
    whiten.weight.requires_grad_(False)
    nn.init.zeros_(whiten.bias)
    last = nn.Linear(WIDTHS[-1], num_outputs, bias=False)
    return nn.Sequential(whiten, nn.GELU(), *groups, nn.MaxPool2d(3), nn.Flatten(), last, Scale())


@dataclass
class Loader:
    """Batches of half-precision images on the device, augmented an epoch at a time.

    Attributes:
        images: (N, 3, 32, 32) normalised, half precision, channels last.
        target: (N,) int64.
        batch: images in a step; what is left over at the end is dropped.
    """

    images: Tensor
    target: Tensor
    batch: int

    def __post_init__(self) -> None:
        flips = torch.rand(len(self.images), 1, 1, 1, device=self.images.device) < 0.5
        flipped = torch.where(flips, self.images.flip(3), self.images)
        self._padded = functional.pad(flipped, (_MOVE,) * 4, mode="reflect")

    def epoch(self, number: int) -> list[tuple[Tensor, Tensor]]:
        """Moved at random; half of the images mirrored, the other half every second epoch."""
        images = _moved(self._padded, self.images.shape[2])
        images = images.flip(3) if number % 2 else images
        order = torch.randperm(len(images), device=images.device)
        parts = order.split(self.batch)[: len(order) // self.batch]
        return [(images[part], self.target[part]) for part in parts]


def train(
    images: Tensor,
    target: Tensor,
    *,
    batch: int,
    epochs: int,
    half: torch.dtype,
    end_epoch: Callable[[float], None],
) -> None:
    """The loop; `end_epoch` is given each epoch's last loss.

    Args:
        images: (N, 3, 32, 32) float32, normalised, on the device.
        target: (N,) int64, on the device.
        batch: images in a step.
        epochs: passes over the images.
        half: precision of network and images.
        end_epoch: called after each epoch.
    """
    loader = Loader(images.to(half).to(memory_format=torch.channels_last), target, batch)
    net = network(num_outputs=int(target.max()) + 1).to(images.device, half)
    net = net.to(memory_format=torch.channels_last).train()
    _whiten(net[0], images[:5000])  # type: ignore[index]  # A `Sequential`, as `network` made it.
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.float()
    optimizer, schedule = _optimizer(net, epochs * (len(images) // batch))
    average: dict[str, Tensor] = {k: v.clone() for k, v in net.state_dict().items()}
    step, loss = 0, torch.zeros(())
    for epoch in range(epochs):
        for part, labels in loader.epoch(epoch):
            logits = net(part).float()
            losses = functional.cross_entropy(
                logits, labels, label_smoothing=LABEL_SMOOTHING, reduction="none"
            )
            loss = losses.mean()
            optimizer.zero_grad(set_to_none=True)
            losses.sum().backward()
            optimizer.step()
            schedule.step()
            step += 1
            if step % _AVERAGE_EVERY == 0:
                _pull(net, average)
        end_epoch(float(loss.detach()))


def _optimizer(
    net: nn.Module, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    trained = [p for p in net.parameters() if p.requires_grad]
    norms = {id(m.bias) for m in net.modules() if isinstance(m, nn.BatchNorm2d)}
    biases = [p for p in trained if id(p) in norms]
    others = [p for p in trained if id(p) not in norms]
    groups = [
        {"params": biases, "lr": LR * NORM_LR, "weight_decay": DECAY / LR / NORM_LR},
        {"params": others, "lr": LR, "weight_decay": DECAY / LR},
    ]
    optimizer = torch.optim.SGD(groups, momentum=MOMENTUM, nesterov=True)
    peak = max(1, int(0.23 * steps))

    def rate(step: int) -> float:
        if step < peak:
            return 0.2 + 0.8 * step / peak
        return 1.0 - 0.93 * (step - peak) / max(steps - peak, 1)

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


@torch.no_grad()
def _pull(net: nn.Module, average: dict[str, Tensor]) -> None:
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - _AVERAGE_DECAY**_AVERAGE_EVERY)
            value.copy_(average[name])


@torch.no_grad()
def _whiten(layer: nn.Conv2d, images: Tensor) -> None:
    """Filters that make patches of 2 x 2 pixels uncorrelated, and the same with the other sign."""
    patches = functional.unfold(images, 2).transpose(1, 2).reshape(-1, layer.weight[0].numel())
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / torch.sqrt(values + 5e-4)).T.flip(0).view(-1, *layer.weight.shape[1:])
    layer.weight.copy_(torch.cat([filters, -filters]))


def _moved(padded: Tensor, side: int) -> Tensor:
    """Each image moved by up to `_MOVE` pixels either way, one pair of shifts after the other."""
    num, reach = len(padded), 2 * _MOVE + 1
    found = torch.empty_like(padded[:, :, :side, :side])
    moves = torch.randint(reach * reach, (num,), device=padded.device)
    for move in range(reach * reach):
        top, left = divmod(move, reach)
        chosen = moves == move
        found[chosen] = padded[chosen, :, top : top + side, left : left + side]
    return found


def _convolution(width_in: int, width: int) -> nn.Conv2d:
    made = nn.Conv2d(width_in, width, 3, padding=1, bias=False)
    nn.init.dirac_(made.weight[:width_in].detach())
    return made


def _norm(width: int) -> nn.BatchNorm2d:
    made = nn.BatchNorm2d(width, eps=1e-12, momentum=0.4)
    made.weight.requires_grad_(False)
    return made
