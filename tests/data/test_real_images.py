from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foldwise.data.decoder_pool import Damaged, Prepared, decode_all
from foldwise.data.hashes import near_pairs
from foldwise.data.render import pixels_of
from foldwise.data.sources import ImageRef
from foldwise.data.spec import THUMB

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
PACKS = (
    "animals-tail",
    "blood-cells",
    "fundus-grade",
    "retina28",
    "sign-tracks",
    "street-frames",
    "tile-defects",
)


def refs_of(pack: str) -> list[ImageRef]:
    if not (DATA / pack).is_dir():
        pytest.skip(f"no {pack} beside the checkout")
    paths = [p for p in (DATA / pack).rglob("*") if p.suffix in (".jpg", ".png")]
    return [ImageRef(path) for path in sorted(paths)]


@pytest.mark.real
@pytest.mark.parametrize("pack", PACKS)
def test_images_of_the_real_packs_decode(pack: str) -> None:
    refs = refs_of(pack)
    sample = refs[:: 1 + len(refs) // 250]  # All of them take half a minute.
    found = dict(decode_all(sample, [THUMB]))
    assert len(found) == len(sample) > 100
    assert [result for result in found.values() if isinstance(result, Damaged)] == []


@pytest.mark.real
def test_photos_that_look_alike_are_among_the_near_pairs() -> None:
    found = [r for _, r in decode_all(refs_of("animals-tail"), [THUMB]) if isinstance(r, Prepared)]
    assert len(found) == 705
    thumbs = np.stack([pixels_of(r.stored[0], "raw").ravel() for r in found]).astype(np.float32)
    # The oracle looks at pixels: mean squared difference of all pairs at once.
    squares = (thumbs**2).sum(axis=1)
    distance = (squares[:, None] + squares[None, :] - 2 * thumbs @ thumbs.T) / thumbs.shape[1]
    alike = {(int(i), int(j)) for i, j in np.argwhere(np.triu(distance < 4**2, 1))}
    near = np.concatenate(list(near_pairs(np.array([r.phash for r in found], dtype=np.uint64), 8)))
    assert len(alike) >= 10  # The pack's README: duplicates remain.
    assert alike <= {(int(i), int(j)) for i, j in near}
    assert len(near) < 300


@pytest.mark.real
def test_rows_of_the_real_npz_decode() -> None:
    path = DATA / "tiny20" / "images.npz"
    if not path.is_file():
        pytest.skip("no tiny20 beside the checkout")
    refs = [ImageRef(path, "test", index) for index in range(0, 2400, 24)]
    with np.load(path) as arrays:
        rows = arrays["test"]
    for index, result in decode_all(refs, [THUMB]):
        assert isinstance(result, Prepared)
        assert (pixels_of(result.stored[0], "raw") == rows[index * 24]).all()
