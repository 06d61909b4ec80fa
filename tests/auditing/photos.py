"""Synthetic photographs for the tests of duplicates."""

import numpy as np


def draw_photos(num, seed=0, *, common=0.0):
    """Smooth random images; `common` is how much of each is one picture that all share."""
    rng = np.random.default_rng(seed)
    waves = np.cos(np.outer(np.arange(32), np.arange(8)) * np.pi / 32)
    fall = 1 / (1 + np.arange(8)[:, None] + np.arange(8)[None, :])

    def draw(count):
        coefficients = rng.normal(size=(count, 8, 8)) * fall
        return np.einsum("yi,nij,xj->nyx", waves, coefficients, waves)

    mixed = common * draw(1) + (1 - common) * draw(num)
    grey = 128 + 50 * mixed / mixed.std()
    return np.repeat(np.clip(grey, 0, 255)[..., None], 3, axis=-1).astype(np.uint8)


def save_again(thumbs, seed=1):
    noise = np.random.default_rng(seed).normal(0, 3, thumbs.shape)
    return np.clip(thumbs + noise, 0, 255).astype(np.uint8)
