import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.transforms.v2.functional import resize_image

from foldwise import parts, seeding
from foldwise.data.augment import AUGMENTS, resize_into, resized
from foldwise.data.batches import (
    Source,
    epoch_order,
    eval_batches,
    num_steps,
    train_batches,
)
from foldwise.data.draws import NUM_DRAWS
from foldwise.data.mix import MIXES, cutmix, mixup


def make_source(num: int = 20, side: int = 24, size: int = 16) -> Source:
    rng = np.random.default_rng(0)
    pixels = {str(i): rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for i in range(num)}
    counters = np.array([seeding.key("sample", str(i)) for i in range(num)])
    return Source(pixels.__getitem__, np.array(list(pixels), dtype=object), counters, size)


def by_sample(source: Source, *, batch: int, workers: int) -> dict[int, str]:
    augments = [parts.bind(AUGMENTS, name, what="augmentation") for name in AUGMENTS]
    order = epoch_order(len(source), 7)
    found = {}
    for item in train_batches(
        source, order, batch=batch, augments=augments, key=3, workers=workers
    ):
        for row, image in zip(item.rows, item.images, strict=True):
            found[int(row)] = hashlib.sha256(image.contiguous().numpy().tobytes()).hexdigest()
    return found


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_augmentation_of_a_sample_does_not_depend_on_batch_or_workers(batch, workers):
    source = make_source()
    assert by_sample(source, batch=batch, workers=workers) == by_sample(source, batch=5, workers=0)


def test_a_row_that_is_drawn_again_is_augmented_anew_and_the_first_time_as_ever():
    source, order = make_source(), np.array([4, 7, 4, 4, 2, 7])
    augments = [parts.bind(AUGMENTS, name, what="augmentation") for name in ("crop", "jitter")]

    def images(order: np.ndarray, batch: int, workers: int = 0) -> list[torch.Tensor]:
        items = train_batches(source, order, batch=batch, augments=augments, key=3, workers=workers)
        return [image for item in items for image in item.images]

    found = images(order, 6)
    once = dict(zip([4, 7, 2], images(np.array([4, 7, 2]), 3), strict=True))
    for place, row in ((0, 4), (1, 7), (4, 2)):
        assert torch.equal(found[place], once[row])
    for one, other in ((0, 2), (0, 3), (2, 3), (1, 5)):
        assert not torch.equal(found[one], found[other])
    for batch, workers in ((2, 0), (1, 2)):
        again = images(order, batch, workers)
        assert all(torch.equal(a, b) for a, b in zip(again, found, strict=True))


def test_augmentation_differs_between_epochs_and_samples():
    source = make_source()
    draws = seeding.uniforms(1, source.counters, NUM_DRAWS)
    assert len(np.unique(draws)) == draws.size
    assert not np.isin(draws, seeding.uniforms(2, source.counters, NUM_DRAWS)).any()


@pytest.mark.parametrize("name", AUGMENTS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_augmentation_gives_uint8_of_the_same_channels_and_keeps_its_input(name, channels):
    augment = parts.bind(AUGMENTS, name, what="augmentation")
    image = torch.randint(0, 256, (channels, 19, 23), dtype=torch.uint8)
    before = image.clone()
    for draws in ([0.0] * NUM_DRAWS, [0.5] * NUM_DRAWS, [0.999] * NUM_DRAWS):
        result = augment(image, draws)
        assert result.dtype == torch.uint8
        assert result.shape[0] == channels
    assert torch.equal(image, before)


def test_an_epoch_sees_every_row_once_in_batches_of_near_equal_size():
    source = make_source(num=21)
    items = list(train_batches(source, epoch_order(21, 1), batch=8, augments=[], key=0, workers=0))
    assert sorted(np.concatenate([item.rows for item in items])) == list(range(21))
    assert [len(item.rows) for item in items] == [7, 7, 7]
    assert num_steps(21, 8) == 3


def test_sampler_draws_rows_by_their_shares():
    shares = np.array([1.0] * 90 + [9.0] * 10)
    order = np.concatenate([epoch_order(100, key, shares) for key in range(100)])
    assert np.mean(order >= 90) == pytest.approx(0.5, abs=0.02)


def test_eval_batches_keep_the_order_and_one_shape():
    source = make_source(num=10)
    items = list(eval_batches(source, batch=4, workers=1))
    assert [item.images.shape for item in items] == [(4, 3, 16, 16)] * 3
    assert np.concatenate([item.rows for item in items]).tolist() == list(range(10))
    expected = resize_image(torch.from_numpy(source.get("9")).permute(2, 0, 1), [16, 16])
    assert torch.equal(items[-1].images[1], expected)


def test_an_image_of_the_input_size_is_left_as_it_is():
    image = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    assert torch.equal(resized(image, 16), image)


def test_of_an_image_that_is_not_square_the_middle_is_seen():
    source = make_source(num=1)
    pixels = np.concatenate([source.get("0")[:, :5], source.get("0"), source.get("0")[:, :4]], 1)
    (batch,) = eval_batches(replace(source, get=lambda sha256: pixels), batch=1, workers=0)
    (square,) = eval_batches(source, batch=1, workers=0)
    # Four columns are left out on either side; the odd one is on the right.
    expected = resize_image(torch.from_numpy(pixels[:, 4:28].copy()).permute(2, 0, 1), [16, 16])
    assert torch.equal(batch.images[0], expected)
    assert not torch.equal(batch.images, square.images)


@pytest.mark.parametrize("channels", [1, 3, 4, 5])
def test_an_image_resized_into_its_place_is_torchvisions(channels):
    rng = np.random.default_rng(channels)
    for _ in range(25):
        height, width = rng.integers(9, 80, 2)
        whole = rng.integers(0, 256, (height + 5, width + 7, channels), dtype=np.uint8)
        part = torch.from_numpy(whole).permute(2, 0, 1)[:, 2 : 2 + height, 3 : 3 + width]
        places = torch.zeros(3, 32, 32, channels, dtype=torch.uint8).permute(0, 3, 1, 2)
        resize_into(part, places[1])
        assert torch.equal(places[1], resize_image(part, [32, 32]))
        assert torch.equal(resized(part, 32), places[1])
        assert not places[0].any()
        assert not places[2].any()


@pytest.mark.parametrize(
    "names", [[], ["crop"], ["crop", "hflip"], ["hflip", "crop"], ["shift", "hflip"], [*AUGMENTS]]
)
def test_what_is_drawn_before_pixels_are_touched_gives_the_same_bits(names):
    source = make_source()
    options = {"name": "crop", "scale": (0.3, 0.9)}
    specs = [options if name == "crop" else name for name in names]
    augments = [parts.bind(AUGMENTS, spec, what="augmentation") for spec in specs]
    order = epoch_order(len(source), 7)
    draws = seeding.uniforms(3, source.counters, max(1, len(names)) * NUM_DRAWS)
    for batch in train_batches(source, order, batch=6, augments=augments, key=3, workers=1):
        for row, found in zip(batch.rows, batch.images, strict=True):
            image = torch.tensor(source.get(source.hashes[row])).permute(2, 0, 1)
            for index, augment in enumerate(augments):
                drawn = draws[row, index * NUM_DRAWS : (index + 1) * NUM_DRAWS].tolist()
                image = augment(image, drawn)
            assert torch.equal(found, resize_image(image, [16, 16]))


def test_a_mirror_before_the_resize_is_a_mirror_after_it():
    # Why images are mirrored one by one: on the device, a whole batch would look the same.
    generator = torch.manual_seed(0)
    for size in (32, 224, 384):
        for width in range(9, 600, 29):
            image = torch.randint(0, 256, (3, 7, width), generator=generator).byte()
            assert torch.equal(resized(image.flip(2), size), resized(image, size).flip(2))


@pytest.mark.parametrize("name", MIXES)
def test_mixing_keeps_the_sum_of_targets(name):
    images = torch.randint(0, 256, (6, 3, 8, 8), dtype=torch.uint8)
    target = torch.nn.functional.one_hot(torch.arange(6) % 3, 3).float()
    _, mixed = MIXES[name](images, target, np.random.default_rng(0))
    assert torch.allclose(mixed.sum(1), torch.ones(6))


def test_mixup_is_the_weighted_sum_of_pairs():
    images = torch.randint(0, 256, (4, 1, 2, 2), dtype=torch.uint8)
    target = torch.eye(4)
    mixed, soft = mixup(images, target, np.random.default_rng(1))
    expected = torch.einsum("nm,mchw->nchw", soft, images.float())
    assert torch.allclose(mixed, expected, atol=1e-3)


def test_cutmix_target_is_the_share_of_pixels():
    images = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(5, 1, 16, 16)
    mixed, soft = cutmix(images, torch.eye(5), np.random.default_rng(3))
    for row in range(5):
        own = (mixed[row] == row).float().mean()
        assert own == pytest.approx(float(soft[row, row]), abs=1e-6)
