"""The one forward pass: batches of one shape, smaller ones where memory runs out."""

import hashlib

import numpy as np
import pytest
import torch

from foldwise.data.batches import Source
from foldwise.engine.features import features
from foldwise.engine.infer import infer
from foldwise.errors import RunError
from foldwise.views import views_of

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 3)).astype(np.uint8)
SOURCE = Source(lambda name: IMAGES[int(name)], np.arange(11).astype(str), np.arange(11), 4)


class Device:
    """Holds so many images at a time; remembers the passes that went well."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.passed: list[int] = []

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")
        self.passed.append(len(images))
        return images.double().mean(dim=(1, 2, 3))[:, None]


def passed(device: Device, **options) -> np.ndarray:
    return infer(
        device,
        SOURCE,
        views=views_of(["identity"]),
        batch=8,
        device=torch.device("cpu"),
        workers=0,
        **options,
    )["identity"]


def test_rows_are_the_same_in_smaller_batches_all_of_one_shape_and_that_is_told():
    told = []
    device = Device(most=3)
    rows = passed(device, halved=lambda batch, problem: told.append((batch, problem)))
    assert rows == pytest.approx(IMAGES.mean(axis=(1, 2, 3))[:, None])
    assert told == [(4, "CUDA out of memory. Tried to allocate 2 GiB"), (2, told[0][1])]
    assert device.passed == [2] * 6


def test_memory_that_runs_out_late_begins_anew_so_that_all_rows_have_one_shape():
    class Late(Device):
        def __call__(self, images: torch.Tensor) -> torch.Tensor:
            if self.passed == [8]:
                self.most = 4
            return super().__call__(images)

    late = Late(most=8)
    assert passed(late) == pytest.approx(passed(Device(most=8)))
    assert late.passed == [8, 4, 4, 4]


def test_each_view_is_of_the_same_images_and_timed_once_though_memory_ran_out():
    class Corner(Device):
        def __call__(self, images: torch.Tensor) -> torch.Tensor:
            super().__call__(images)
            return images[:, 0, :1, 0].double()

    told: list[dict[str, float]] = []
    views = views_of(["identity", "hflip", "rot180*hflip", "scale_2"])
    found = infer(
        Corner(most=4),
        SOURCE,
        views=views,
        batch=8,
        device=torch.device("cpu"),
        workers=0,
        timed=told.append,
    )
    assert list(found) == ["identity", "hflip", "rot180*hflip", "scale_2"]
    assert (found["hflip"][:, 0] == IMAGES[:, 0, -1, 0]).all()
    assert (found["rot180*hflip"][:, 0] == IMAGES[:, -1, 0, 0]).all()
    assert [list(seconds) for seconds in told] == [list(found)]
    assert all(seconds > 0 for seconds in told[0].values())


def test_features_are_kept_by_the_name_of_the_view(tmp_path):
    class Sums(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images[:, :, :, 0].float().sum(dim=2)

    def computed() -> torch.nn.Module:
        calls.append(1)
        return Sums()

    calls: list[int] = []
    for names in (["identity", "hflip"], ["hflip", "identity", "hflip*vflip*rot90"]):
        found = features(
            tmp_path,
            computed,
            SOURCE,
            views=views_of(names),
            batch=8,
            device=torch.device("cpu"),
            workers=0,
        )
        assert list(found) == names
        assert (found["hflip"] == IMAGES[:, :, -1].astype(float).sum(axis=1)).all()
    digest = hashlib.sha256("\n".join(SOURCE.hashes).encode()).hexdigest()[:16]
    names = ("identity", "hflip", "hflip+vflip+rot90")
    assert {p.name for p in tmp_path.glob("*.npy")} == {f"{digest}-{name}.npy" for name in names}
    assert len(calls) == 2


def test_where_one_image_is_too_much_the_error_says_what_would_help():
    with pytest.raises(RunError, match="in scoring with one image at a time") as caught:
        passed(Device(most=0))
    assert "input.size" in caught.value.remedy


def test_other_errors_pass():
    def broken(images: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("misaligned address")

    with pytest.raises(RuntimeError, match="misaligned"):
        passed(broken)  # type: ignore[arg-type]  # It is called like a device.
