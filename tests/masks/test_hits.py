from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from foldwise.masks.hits import component_hits
from foldwise.masks.runs import encode

from .cases import generate

_TOUCHING = {4: None, 8: np.ones((3, 3))}


@pytest.mark.parametrize("connectivity", [4, 8])
def test_components_are_those_of_scipy_with_the_pixels_that_others_have(connectivity) -> None:
    first = generate(400, 5)
    rng = np.random.default_rng(5)
    second = [np.roll(mask, 1, axis=1) & (rng.random(mask.shape) < 0.7) for mask in first]
    ignored = [rng.random(mask.shape) < 0.1 for mask in first]
    expected = []
    for number, (mask, other, out) in enumerate(zip(first, second, ignored, strict=True)):
        labels, num = ndimage.label(mask, _TOUCHING[connectivity])
        for label in range(1, num + 1):
            inside = labels == label
            if area := int((inside & ~out).sum()):
                expected.append((number, area, int((inside & other).sum())))
    found = component_hits(
        encode(first), encode(second), encode(ignored), connectivity=connectivity
    )
    ours = zip(found.owners.tolist(), found.areas.tolist(), found.common.tolist(), strict=True)
    assert sorted(ours) == sorted(expected)
    assert (np.diff(found.owners) >= 0).all()


def test_masks_without_a_pixel_have_no_component() -> None:
    assert len(component_hits(encode([np.zeros((3, 4))]), encode([np.ones((3, 4))]))) == 0


def test_sizes_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="sizes differ, 2 x 2 and 2 x 3"):
        component_hits(encode([np.eye(2)]), encode([np.ones((2, 3))]))
