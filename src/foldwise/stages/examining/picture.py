"""A picture of one batch: images as they are beside the same images as the network is fed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from foldwise import seeding
from foldwise.data.batches import Batch, eval_batches
from foldwise.engine.assemble import Assembly
from foldwise.engine.fitting import image_batches
from foldwise.publish import publish
from foldwise.tasks.problem import Problem

_NUM, _PAIRS_A_ROW = 16, 4
_TILE, _CAPTION, _GAP = 112, 18, 6
_FLAGS = ("1", "1.0", "true")


def write_picture(assembly: Assembly, path: Path) -> None:
    """Publish a PNG of the first images of seed 0's first epoch, in pairs: plain, fed."""
    fed = _fed(assembly)
    rows = fed.rows[:_NUM]
    source = assembly.feed.source(assembly.problem.train.take(rows))
    plain = next(eval_batches(source, batch=len(rows), workers=0)).images
    sheet = draw_pairs(plain, fed.images[: len(rows)], [caption(assembly.problem, r) for r in rows])
    publish(path, lambda part: sheet.save(part, format="PNG"))


def draw_pairs(plain: torch.Tensor, fed: torch.Tensor, captions: list[str]) -> Image.Image:
    """A sheet of pairs with their captions.

    Args:
        plain: (n, C, S, S) uint8.
        fed: (n, C, S, S), 0..255.
        captions: n labels.
    """
    num = len(captions)
    width, height = 2 * _TILE + 2 * _GAP, _TILE + _CAPTION + _GAP
    columns, rows = min(num, _PAIRS_A_ROW), -(-num // _PAIRS_A_ROW)
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for index, text in enumerate(captions):
        row, column = divmod(index, _PAIRS_A_ROW)
        left, top = column * width + _GAP, row * height + _GAP
        sheet.paste(_tile(plain[index]), (left, top))
        sheet.paste(_tile(fed[index]), (left + _TILE + 1, top))
        draw.text((left, top + _TILE + 2), text, fill="black", font=font)
    return sheet


def caption(problem: Problem, row: int) -> str:
    """The label of a train row as its table has it, cut to the width of a pair."""
    columns = problem.competition.columns.target
    cells = [problem.train.cells(name)[row] for name in columns]
    if len(cells) == 1:
        text = cells[0]
    else:
        held = [name for name, cell in zip(columns, cells, strict=True) if cell.lower() in _FLAGS]
        text = ", ".join(held) or "none"
    most = 2 * _TILE // 7
    return text if len(text) <= most else text[: most - 3] + "..."


def _fed(assembly: Assembly) -> Batch:
    """The first batch as it reaches the network, mixing included."""
    rows = np.arange(len(assembly.problem.train))
    batch = next(image_batches(assembly, rows, seed=0, fold=-1, epochs=assembly.epochs())(0, 0))
    mix = assembly.mix()
    if mix is None:
        return batch
    rng = np.random.default_rng(seeding.key("step", 0, -1, 0, 0))
    images, _ = mix(batch.images, assembly.encoded(batch.rows), rng)
    return Batch(images, batch.rows)


def _tile(image: torch.Tensor) -> Image.Image:
    """(C, S, S) of any number of channels as an RGB tile; the first three where there are more."""
    pixels = image.float().round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    pixels = pixels[:, :, :3] if pixels.shape[2] >= 3 else np.repeat(pixels[:, :, :1], 3, axis=2)
    found = Image.fromarray(np.ascontiguousarray(pixels))
    return found.resize((_TILE, _TILE), Image.Resampling.NEAREST if found.width < _TILE else None)
