"""Augmentations against torchvision's own classes, and by what must hold for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from foldwise import parts, seeding
from foldwise.data.augment import AUGMENTS, Augment, erase
from foldwise.data.colours import jpeg, noise
from foldwise.data.draws import NUM_DRAWS, generator
from foldwise.data.policies import (
    MIX_REACH,
    RAND_REACH,
    TRIVIAL_REACH,
    aug_mix,
    operate,
    rand_augment,
    trivial_augment,
)
from foldwise.errors import ConfigError

THEIRS = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "colour": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
}


def picture(height: int = 41, width: int = 53, channels: int = 3) -> torch.Tensor:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (channels, height // 8 + 1, width // 8 + 1), dtype=np.uint8)
    return torch.from_numpy(coarse.repeat(8, 1).repeat(8, 2)[:, :height, :width].copy())


def draws(num: int) -> list[list[float]]:
    return seeding.uniforms(seeding.key("test"), np.arange(num), NUM_DRAWS).tolist()


def bound(spec: parts.Spec) -> Augment:
    return parts.bind(AUGMENTS, spec, what="augmentation")


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("policy", "reach", "bins"),
    [
        (v2.RandAugment, RAND_REACH, 31),
        (v2.TrivialAugmentWide, TRIVIAL_REACH, 31),
        (v2.AugMix, MIX_REACH, 10),
    ],
)
def test_an_operation_is_that_of_torchvision_at_every_magnitude(name, sign, policy, reach, bins):
    if THEIRS[name] not in policy._AUGMENTATION_SPACE:
        return
    magnitudes, is_signed = policy._AUGMENTATION_SPACE[THEIRS[name]]
    theirs, image = policy(interpolation=v2.InterpolationMode.BILINEAR), picture()
    for place in range(0, bins, 3):
        values = magnitudes(bins, *image.shape[1:])
        value = 0.0 if values is None else float(values[place])
        # Their magnitudes are float32, by which 16 pixels become 15.
        value = round(value, 5) if "translate" in name else value
        value *= sign if is_signed else 1
        wanted = theirs._apply_image_or_video_transform(
            image, THEIRS[name], value, interpolation=theirs.interpolation, fill=theirs._fill
        )
        found = operate(image, name, place / (bins - 1), sign, reach)
        assert found.dtype == torch.uint8
        away = (found.int() - wanted.int()).abs()
        assert (away > 1).float().mean() < 0.005, (name, place)


def test_rand_augment_at_magnitude_0_changes_little_and_at_30_much():
    def change(magnitude: float) -> float:
        made = bound({"name": "rand_augment", "magnitude": magnitude, "without": ["equalize"]})
        image = picture()
        return float(np.mean([(made(image, d).int() - image.int()).abs().float().mean()
                              for d in draws(40)]))  # fmt: skip

    assert change(0) < change(15) < change(30)


@pytest.mark.parametrize(("augment", "num"), [(rand_augment, 14), (trivial_augment, 14)])
def test_operations_are_drawn_equally_often(augment, num, monkeypatch):
    counts: dict[str, int] = {}
    signs, levels = [], []

    def count(image, name, level, sign, reach):
        counts[name] = counts.get(name, 0) + 1
        signs.append(sign)
        levels.append(level)
        return image

    monkeypatch.setattr("foldwise.data.policies.operate", count)
    for row in draws(3000):
        augment(picture(8, 8), row)
    each = sum(counts.values()) / num
    assert len(counts) == num
    assert all(abs(found - each) < 5 * each**0.5 for found in counts.values())
    assert np.mean(signs) == pytest.approx(0, abs=0.05)
    if augment is trivial_augment:
        assert sorted(set(levels)) == pytest.approx(np.arange(31) / 30)
    else:
        assert set(levels) == {0.3}
        assert sum(counts.values()) == 2 * 3000


@pytest.mark.parametrize("name", ["rand_augment", "trivial_augment", "aug_mix"])
def test_an_operation_left_out_is_not_drawn(name, monkeypatch):
    seen = set()

    def note(image, name, level, sign, reach):
        seen.add(name)
        return image

    monkeypatch.setattr("foldwise.data.policies.operate", note)
    made = bound({"name": name, "without": ["rotate", "shear_x"]})
    for row in draws(300):
        made(picture(8, 8), row)
    assert seen - {"identity"} == set(THEIRS) - {"identity", "rotate", "shear_x"}


def test_aug_mix_is_the_weighted_sum_of_its_chains(monkeypatch):
    monkeypatch.setattr("foldwise.data.policies.operate", lambda image, *rest: image // 2)
    image, row = picture(), draws(1)[0]
    found = aug_mix(image, row, width=4, depth=2, alpha=0.7)
    kept = generator(row).beta(0.7, 0.7)
    wanted = (kept * image.double() + (1 - kept) * (image // 4).double()).round()
    assert 0 < kept < 1
    assert (found.double() - wanted).abs().max() <= 1


def test_aug_mix_without_any_operation_is_the_image():
    image = picture()
    names = [name for name in THEIRS if name != "identity"]
    assert torch.equal(bound({"name": "aug_mix", "without": names})(image, draws(1)[0]), image)


@pytest.mark.parametrize("name", ["rand_augment", "trivial_augment", "aug_mix", "noise", "jpeg",
                                  "equalize", "sharpness", "erase"])  # fmt: skip
def test_size_type_and_alpha_are_kept(name):
    made = bound(name)
    for channels in (1, 3, 4, 5):
        image = picture(channels=channels)
        for row in draws(12):
            found = made(image, row)
            assert found.shape == image.shape
            assert found.dtype == torch.uint8
    if name in ("jpeg", "equalize", "sharpness"):
        image = picture(channels=4)
        assert all(torch.equal(made(image, row)[3], image[3]) for row in draws(12))


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("equalize", {"p": 1.0}, lambda image: v2.RandomEqualize(1.0)(image)),
        ("autocontrast", {"p": 1.0}, lambda image: v2.RandomAutocontrast(1.0)(image)),
        ("posterize", {"p": 1.0, "bits": (3, 3)}, lambda image: v2.RandomPosterize(3, 1.0)(image)),
        ("solarize", {"p": 1.0, "threshold": 99}, lambda i: v2.RandomSolarize(99, 1.0)(i)),
    ],
)
def test_a_named_operation_is_that_of_torchvision(name, options, wanted):
    found = bound({"name": name, **options})(picture(), draws(1)[0])
    assert torch.equal(found, wanted(picture()))
    assert not torch.equal(found, picture())


def test_the_erased_share_of_the_area_and_of_the_images_is_as_asked():
    image = torch.full((3, 48, 48), 200, dtype=torch.uint8)
    shares = []
    for row in draws(2000):
        found = erase(image, row, p=0.4, area=(0.05, 0.25), ratio=(0.5, 2.0), fill="black")
        gone = (found == 0).all(dim=0)
        assert torch.equal(found[:, ~gone], image[:, ~gone])
        if gone.any():
            rows, columns = gone.any(dim=1).sum(), gone.any(dim=0).sum()
            assert gone.sum() == rows * columns
            shares.append(float(gone.float().mean()))
    assert len(shares) / 2000 == pytest.approx(0.4, abs=0.03)
    assert 0.04 < min(shares) < 0.06
    assert 0.24 < max(shares) < 0.26
    assert np.mean(shares) == pytest.approx(0.15, abs=0.005)


def test_what_is_erased_is_filled_as_asked():
    image, row = picture(), [0.0, 1.0, 0.5, 0.0, 0.0, 0.3, 0.0, 0.0]
    mean = erase(image, row, fill="mean")[:, 0, 0]
    assert torch.equal(mean, image.float().mean(dim=(1, 2)).round().byte())
    levels = erase(torch.zeros(3, 200, 200, dtype=torch.uint8), row, fill="noise")
    inside = levels[:, :100, :100].float()
    assert float(inside.mean()) == pytest.approx(127.5, abs=2)
    assert float(inside.std()) == pytest.approx(255 / 12**0.5, abs=2)


def test_noise_has_the_spread_asked_for_and_is_as_often():
    image = torch.full((3, 100, 100), 128, dtype=torch.uint8)
    spreads = np.array([float(noise(image, row, p=0.5, sigma=20).float().std())
                        for row in draws(400)])  # fmt: skip
    assert np.mean(spreads > 0) == pytest.approx(0.5, abs=0.08)
    assert np.mean(spreads[spreads > 0]) == pytest.approx(10, abs=1.5)
    assert spreads.max() < 20.5


def test_a_jpeg_of_lower_quality_loses_more():
    image, row = picture(), draws(1)[0]
    losses = [float((jpeg(image, row, p=1.0, quality=(q, q)).int() - image.int()).abs().sum())
              for q in (95, 60, 20)]  # fmt: skip
    assert 0 < losses[0] < losses[1] < losses[2]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"name": "rand_augment", "magnitude": 31}, "less than or equal to 30"),
        ({"name": "trivial_augment", "without": ["turn"]}, "'rotate'"),
        ({"name": "rand_augment", "strength": 3}, "unknown option 'strength'; it takes num_ops"),
        ({"name": "erase", "fill": "red"}, "'black', 'mean' or 'noise'"),
        ("randaugment", "did you mean 'rand_augment'"),
    ],
)
def test_a_wrong_name_or_strength_is_told(spec, said):
    with pytest.raises(ConfigError, match=said):
        bound(spec)
