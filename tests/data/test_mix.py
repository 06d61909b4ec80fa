"""Mixing with weights or rectangles of each sample's own, and one of two kinds drawn a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foldwise.data.mix import cutmix, either, mixup


def flat(num: int = 6, side: int = 16) -> torch.Tensor:
    levels = torch.arange(num, dtype=torch.uint8) * 10
    return levels[:, None, None, None].expand(num, 1, side, side).contiguous()


def test_per_sample_mixup_is_the_weighted_sum_of_pairs_with_weights_of_their_own():
    images = torch.randint(0, 256, (8, 3, 4, 4), dtype=torch.uint8)
    mixed, soft = mixup(images, torch.eye(8), np.random.default_rng(2), alpha=1.0, per_sample=True)
    expected = torch.einsum("nm,mchw->nchw", soft, images.float())
    assert torch.allclose(mixed, expected, atol=1e-3)
    own = soft.diagonal()
    assert len(torch.unique(own[own < 1])) > 4


def test_per_sample_cutmix_target_is_the_share_of_pixels():
    images = flat()
    mixed, soft = cutmix(images, torch.eye(6), np.random.default_rng(3), per_sample=True)
    assert mixed.dtype == torch.uint8
    for row in range(6):
        for other in range(6):
            share = (mixed[row] == 10 * other).float().mean()
            assert share == pytest.approx(float(soft[row, other]), abs=1e-6)
    _, soft = cutmix(flat(16), torch.eye(16), np.random.default_rng(3), per_sample=True)
    assert len(torch.unique(soft.diagonal())) > 8


def test_rectangles_of_samples_have_the_sizes_of_those_of_batches():
    def shares(per_sample: bool) -> np.ndarray:
        rng = np.random.default_rng(0)
        return np.concatenate([
            cutmix(flat(32), torch.eye(32), rng, per_sample=per_sample)[1].diagonal().numpy()
            for _ in range(150)
        ])  # fmt: skip

    assert shares(True).mean() == pytest.approx(shares(False).mean(), abs=0.03)


def test_either_mixes_batches_as_often_and_by_what_is_asked():
    images, target = flat(), torch.eye(6)
    counts = {"neither": 0, "mixup": 0, "cutmix": 0}
    for seed in range(600):
        rng = np.random.default_rng(seed)
        mixed, _ = either(images, target, rng, p=0.75, cutmix_share=0.2)
        kind = "mixup" if mixed.is_floating_point() else "cutmix"
        counts["neither" if mixed is images else kind] += 1
    assert counts["neither"] / 600 == pytest.approx(0.25, abs=0.05)
    assert counts["cutmix"] / 600 == pytest.approx(0.15, abs=0.04)


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize(("share", "kind", "alpha"), [(0.0, mixup, 0.3), (1.0, cutmix, 0.8)])
def test_either_is_the_kind_it_draws_with_its_alpha(share, kind, alpha, per_sample):
    images, target = flat(), torch.eye(6)
    rng = np.random.default_rng(5)
    found = either(images, target, rng, cutmix_share=share, mixup_alpha=0.3, cutmix_alpha=0.8,
                   per_sample=per_sample)  # fmt: skip
    rng = np.random.default_rng(5)
    rng.random(2)
    wanted = kind(images, target, rng, alpha=alpha, per_sample=per_sample)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
