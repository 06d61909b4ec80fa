"""Where a run's attention branch looks: held-out images, and beside each the map laid over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from safetensors import SafetensorError

from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.errors import DataError, FoldwiseError
from foldwise.rundir import RunDir, UnitDir
from foldwise.stages.reporting.pictures import Picture, encoded
from foldwise.stages.scoring.error_tables import in_words
from foldwise.tasks.problem import Problem

_SIDE_PX = 112
#: A map that differs by less looks nowhere: stretched, it would show noise as attention.
_FLAT = 0.02
#: Of a place that is looked at most, the colour's share of the picture.
_COLOUR, _STRENGTH = np.array([255.0, 72.0, 0.0]), 0.65


@dataclass(frozen=True)
class Looked:
    """An image and where the network looked.

    Attributes:
        picture: the image, and beside it the image with the map.
        id: of the sample.
        label: what it shows.
        reason: why it is here.
        least: of the map, which is drawn from there.
        most: of the map, which is drawn up to there.
    """

    picture: Picture
    id: str
    label: str
    reason: str
    least: float
    most: float

    @property
    def is_flat(self) -> bool:
        """Whether it looks nowhere in particular."""
        return self.most - self.least < _FLAT


@dataclass(frozen=True)
class AttentionView:
    """Of one unit of a run.

    Attributes:
        unit: whose network looks.
        shape: of its maps, places.
        looked: the images.
        problem: why there are none; "" if there are.
    """

    unit: str
    shape: str
    looked: tuple[Looked, ...]
    problem: str = ""

    @property
    def is_flat(self) -> bool:
        """Whether no map looks anywhere."""
        return all(one.is_flat for one in self.looked)


def attention_view(
    problem: Problem, folder: RunDir, record: dict[str, Any]
) -> AttentionView | None:
    """The maps of a run's first unit that has any; None: no unit has."""
    paths = sorted((folder.path / "units").glob("*-seed*"))
    unit = next((found for path in paths if (found := UnitDir(path)).attention.exists()), None)
    if unit is None:
        return None
    try:
        return _view(problem, unit, from_values(record["recipe"], Recipe, source="run.json"))
    except (FoldwiseError, OSError, SafetensorError, ValueError, KeyError) as error:
        return AttentionView(unit.name, "", (), f"cannot be shown: {error}")


def overlaid(image: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """(H, 2 W, 3) uint8: the image, and greyed with colour where the map is high.

    Args:
        image: (H, W, C) uint8, C of 1 or 3 and more.
        attention: (h, w); its least value is left grey, its highest is coloured most; all is grey
            where it is flat.
    """
    plain = np.repeat(image[:, :, :1], 3, axis=2) if image.shape[2] < 3 else image[:, :, :3]
    spread = float(np.ptp(attention))
    is_flat = spread < _FLAT
    share = np.zeros_like(attention) if is_flat else (attention - attention.min()) / spread
    grown = Image.fromarray(share.astype(np.float32)).resize(
        (plain.shape[1], plain.shape[0]), Image.Resampling.BILINEAR
    )
    weight = _STRENGTH * np.asarray(grown)[:, :, None]
    grey = plain.mean(axis=2, keepdims=True)
    mixed = (1 - weight) * grey + weight * _COLOUR
    return np.concatenate([plain, mixed.round().astype(np.uint8)], axis=1)


def _view(problem: Problem, unit: UnitDir, recipe: Recipe) -> AttentionView:
    # torch takes seconds to import, and is needed for such runs only.
    from foldwise.data.batches import eval_batches
    from foldwise.engine.assemble import Assembly
    from foldwise.stages.training.attention import read_attention

    found = read_attention(unit.attention)
    place = {str(name): row for row, name in enumerate(problem.train.ids)}
    shown = [index for index, name in enumerate(found.ids) if name in place]
    if not shown:
        raise DataError(f"none of the {len(found.ids)} images is among the train rows now")
    rows = np.array([place[found.ids[index]] for index in shown], dtype=np.int64)
    source = Assembly(problem, recipe).feed.source(problem.train.take(rows))
    (batch,) = eval_batches(source, batch=len(rows), workers=0)
    images = batch.images.permute(0, 2, 3, 1).numpy()
    labels = in_words(problem.target[rows], problem.competition.classes)
    looked = tuple(
        Looked(
            picture=encoded(overlaid(image, found.maps[index]), side=2 * _SIDE_PX),
            id=found.ids[index],
            label=label,
            reason=found.reasons[index],
            least=float(found.maps[index].min()),
            most=float(found.maps[index].max()),
        )
        for index, image, label in zip(shown, images, labels, strict=True)
    )
    height, width = found.maps.shape[1:]
    return AttentionView(unit.name, f"{height} × {width}", looked)
