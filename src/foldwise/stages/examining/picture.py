"""A picture of one batch: images as they are beside the same images as the network is fed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from foldwise import seeding
from foldwise.data.batches import Batch, eval_batches
from foldwise.engine.assemble import Assembly
from foldwise.engine.fitting import image_batches
from foldwise.masks import IGNORED
from foldwise.publish import publish
from foldwise.tasks.problem import Problem

_NUM, _PAIRS_A_ROW = 16, 4
_TILE, _CAPTION, _GAP = 112, 18, 6
_FLAGS = ("1", "1.0", "true")
_COLOURS = (
    *((230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48)),
    *((145, 30, 180), (70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212)),
    *((0, 128, 128), (170, 110, 40), (128, 0, 0), (170, 255, 195), (0, 0, 128), (128, 128, 128)),
)


def write_picture(assembly: Assembly, path: Path) -> None:
    """Publish a PNG of the first images of seed 0's first epoch, in pairs: plain, fed."""
    fed = _fed(assembly)
    rows = fed.rows[:_NUM]
    source = assembly.feed.source(assembly.problem.train.take(rows))
    plain = next(eval_batches(source, batch=len(rows), workers=0)).images
    shown = fed.images[: len(rows)]
    if fed.target is not None:
        shown = marked(shown, fed.target[: len(rows)])
    kinds = assembly.problem.columns if fed.target is not None else ()
    captions = [caption(assembly.problem, row) for row in rows]
    sheet = draw_pairs(plain, shown, captions, kinds=kinds)
    publish(path, lambda part: sheet.save(part, format="PNG"))


def draw_pairs(
    plain: torch.Tensor, fed: torch.Tensor, captions: list[str], *, kinds: Sequence[str] = ()
) -> Image.Image:
    """A sheet of pairs with their captions.

    Args:
        plain: (n, C, S, S) uint8.
        fed: (n, C, S, S), 0..255.
        captions: n labels.
        kinds: classes whose masks are laid over the images, named at the foot in their colours.
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
    return _with_kinds(sheet, kinds) if kinds else sheet


def _with_kinds(sheet: Image.Image, kinds: Sequence[str]) -> Image.Image:
    """The sheet, and below it each class in its colour, as many lines as they take."""
    font, side = ImageFont.load_default(12), _CAPTION - 6
    places, left, top = [], _GAP, sheet.height
    for name in kinds:
        width = side + 4 + int(font.getlength(name)) + 3 * _GAP
        if left > _GAP and left + width > sheet.width:
            left, top = _GAP, top + _CAPTION
        places.append((left, top))
        left += width
    found = Image.new("RGB", (sheet.width, top + _CAPTION + _GAP), "white")
    found.paste(sheet)
    draw = ImageDraw.Draw(found)
    for number, (name, (x, y)) in enumerate(zip(kinds, places, strict=True)):
        draw.rectangle((x, y + 1, x + side, y + 1 + side), fill=_COLOURS[number % len(_COLOURS)])
        draw.text((x + side + 4, y), name, fill="black", font=font)
    return found


def caption(problem: Problem, row: int) -> str:
    """The label of a train row as its table has it, cut to the width of a pair.

    Of masks the classes that are in the image.
    """
    if problem.task.kind == "map":
        (there,) = problem.target[np.array([row])].present
        return _cut([name for name, n in zip(problem.columns, there, strict=True) if n])
    if not problem.is_handed_in:
        there = problem.target[row]
        return _cut([name for name, n in zip(problem.columns, there, strict=True) if n])
    columns = problem.competition.columns.target
    cells = [problem.train.cells(name)[row] for name in columns]
    if len(cells) == 1:
        return _cut(cells)
    return _cut([name for name, cell in zip(columns, cells, strict=True) if cell.lower() in _FLAGS])


def marked(images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Images with their masks laid over them, each class in a colour of its own.

    Args:
        images: (n, C, S, S) uint8; of other than three channels the first is shown.
        target: (n, K, S, S) uint8 of 0 and 1 or (n, S, S) uint8 classes; 255: not counted, as is.

    Returns:
        (n, 3, S, S) uint8.
    """
    shown = images if images.shape[1] == 3 else images[:, :1].expand(-1, 3, -1, -1)
    found = shown.float()
    counted = target[target != IGNORED]
    num = target.shape[1] if target.ndim == 4 else int(counted.max()) + 1 if len(counted) else 0
    for number in range(num):
        mask = target[:, number] == 1 if target.ndim == 4 else target == number
        colour = torch.tensor(_COLOURS[number % len(_COLOURS)]).view(3, 1, 1)
        found = torch.where(mask[:, None], 0.5 * found + 0.5 * colour, found)
    return found.round().to(torch.uint8)


def _cut(words: list[str]) -> str:
    text = ", ".join(words) or "none"
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
