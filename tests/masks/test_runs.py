from __future__ import annotations

import numpy as np
import pytest

from foldwise.masks.canvas import Canvas
from foldwise.masks.runs import Runs, concatenate, decode, encode, join, transposed
from foldwise.masks.text import write_cells

from .cases import KINDS, generate, usual_encode

pytestmark = pytest.mark.usefixtures("way")


def same(one: Runs, two: Runs) -> bool:
    fields = ("heights", "widths", "offsets", "starts", "lengths")
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in fields)


def test_ten_thousand_masks_come_back_and_are_coded_as_usual() -> None:
    masks = generate(10_400)
    runs = encode(masks)
    for mask, back in zip(masks, decode(runs), strict=True):
        np.testing.assert_array_equal(back, mask)
    assert write_cells(runs) == [usual_encode(mask) for mask in masks]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(256, 1600), (250, 1601), (1, 700), (700, 1), (129, 8)])
def test_large_masks_come_back(kind: str, shape: tuple[int, int]) -> None:
    mask = KINDS[kind](np.random.default_rng(1), *shape)
    runs = encode([mask, mask])
    for back in decode(runs):
        np.testing.assert_array_equal(back, mask)
    assert write_cells(runs)[0] == usual_encode(mask)


def forms(mask: np.ndarray) -> dict[str, np.ndarray]:
    wide = np.zeros((2 * mask.shape[0], mask.shape[1] + 3), np.uint8)
    wide[::2, 3:] = mask
    raw = np.empty(mask.size + 1, np.uint8)
    raw[1:] = mask.ravel()
    values = mask * (np.arange(mask.size).reshape(mask.shape) % 250 + 1)
    fixed = mask.copy()
    fixed.flags.writeable = False
    return {
        "columns first": np.asfortranarray(mask),
        "truths": mask.astype(bool),
        "truths, columns first": np.asfortranarray(mask.astype(bool)),
        "other numbers": values.astype(np.uint8),
        "columns first, other numbers": np.asfortranarray(values.astype(np.uint8)),
        "highest number": mask * np.uint8(255),
        "floats": mask * 0.25,
        "every second row": wide[::2, 3:],
        "backwards": mask[::-1, ::-1].copy()[::-1, ::-1],
        "at an odd address": raw[1:].reshape(mask.shape),
        "read only": fixed,
    }


@pytest.mark.parametrize("width", [64, 61])
@pytest.mark.parametrize("form", forms(np.ones((2, 2), np.uint8)))
def test_a_mask_is_the_same_in_any_form(form: str, width: int) -> None:
    mask = KINDS["blobs"](np.random.default_rng(3), 48, width)
    assert same(encode([forms(mask)[form]]), encode([forms(mask)["columns first"]]))
    assert write_cells(encode([forms(mask)[form] != 0])) == [
        usual_encode((forms(mask)[form] != 0).astype(np.uint8))
    ]


def test_numbers_that_are_no_multiple_of_what_is_above_them_are_no_edges() -> None:
    mask = np.array([[0, 3, 0], [1, 2, 255], [128, 2, 0]], np.uint8)
    assert write_cells(encode([mask])) == ["2 5 8 1"]


def test_no_masks_and_masks_without_pixels() -> None:
    none = encode([])
    assert len(none) == 0
    assert decode(none) == []
    assert transposed(none).areas.tolist() == []
    flat = encode([np.zeros((0, 5), np.uint8), np.ones((1, 1), np.uint8)])
    assert flat.counts.tolist() == [0, 1]
    assert [mask.shape for mask in decode(flat)] == [(0, 5), (1, 1)]


def test_what_is_no_mask_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2, 3\)"):
        encode([np.zeros((2, 2, 3))])


def test_masks_are_taken_and_put_together() -> None:
    masks = generate(50, seed=4)
    runs = encode(masks)
    order = np.random.default_rng(0).permutation(50)
    assert same(runs.take(order), encode([masks[place] for place in order]))
    kept = runs.areas > 20
    assert same(runs.take(kept), encode([mask for mask in masks if mask.sum() > 20]))
    assert same(concatenate([runs.take(np.arange(20)), runs.take(np.arange(20, 50))]), runs)
    assert runs.areas.tolist() == [int(mask.sum()) for mask in masks]


def test_runs_that_touch_are_joined_within_a_mask_only() -> None:
    parts = [([0, 2], [2, 1]), ([3], [1]), ([0, 2, 3, 5], [1, 1, 2, 1])]
    loose = Runs.of([(np.array(a), np.array(b)) for a, b in parts], [(2, 3)] * 3)
    joined = join(loose)
    assert joined.counts.tolist() == [1, 1, 2]
    assert joined.starts.tolist() == [0, 3, 0, 2]
    assert joined.lengths.tolist() == [3, 1, 1, 4]


def test_transposed_masks_are_those_of_transposed_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = generate(100, seed=5)
    wanted = encode([np.ascontiguousarray(mask.T) for mask in masks])
    assert same(transposed(encode(masks)), wanted)
    monkeypatch.setattr("foldwise.masks.runs._AT_ONCE", 3000)
    assert same(transposed(encode(masks)), wanted)


def test_decoded_masks_can_be_written_to() -> None:
    for side in (3, 2100):  # Below and above the size from which memory comes from the system.
        mask = decode(encode([np.eye(side, dtype=np.uint8)]))[0]
        mask[0, 1] = 7
        assert int(mask.sum()) == side + 7


def test_a_canvas_is_clean_for_each_batch() -> None:
    canvas = Canvas()
    for seed, num in ((0, 30), (1, 80), (2, 5), (3, 80)):
        masks = generate(num, seed)
        shown = canvas.decode(encode(masks))
        for mask, back in zip(masks, shown, strict=True):
            np.testing.assert_array_equal(back, mask)
        with pytest.raises(ValueError, match="read-only"):
            shown[0][:] = 1
