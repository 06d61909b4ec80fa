"""Views: a network that sees the same everywhere answers the same in all of them."""

import pytest
import torch

from foldwise.errors import ConfigError
from foldwise.views import SYMMETRIES, VIEWS, View, num_passes, views_of
from foldwise.views.steps import Crop, Rotation, Scale, Symmetry
from foldwise.views.symmetry import generated, symmetry_of
from foldwise.views.view import mean_map, product

SIZES = [(31, 45), (44, 29), (32, 32), (33, 33)]
SQUARE = views_of(["square"])
OTHERS = views_of(["rotations", "scales", "ten_crop", "flips*rotations*scales", "rot90*five_crop"])


def smooth(size, num=2):
    """(num, 3, H, W) images without sharp edges, unlike in all directions."""
    y, x = torch.meshgrid(*(torch.linspace(0, 1, side) for side in size), indexing="ij")
    waves = [
        torch.sin((n + 1.0) * x + 0.7) + torch.cos((n + 1.5) * y) + x * y for n in range(3 * num)
    ]
    return torch.stack(waves).view(num, 3, *size) * 30.0 + 100.0


def pointwise(images):
    """A network for maps that looks at single pixels."""
    return torch.stack([images.mean(dim=1), images[:, 0] - images[:, 2]], dim=1)


def found_box(images):
    """A network for boxes: the bright part of the first image."""
    bright = (images[0, 0] > 128).nonzero()
    first, last = bright.amin(dim=0), bright.amax(dim=0) + 1
    return torch.tensor([[first[1], first[0], last[1], last[0]]], dtype=torch.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", SQUARE, ids=lambda view: view.name)
def test_symmetries_are_exact_for_labels_maps_and_boxes(view, size):
    images = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    shown = view.images(images)
    assert shown.dtype == torch.uint8
    assert tuple(shown.shape[2:]) == view.sizes(size)[-1]
    labels = images.double().pow(2).mean(dim=(2, 3))
    torch.testing.assert_close(shown.double().pow(2).mean(dim=(2, 3)), labels)
    wanted = pointwise(images.float())
    sums, weights = view.maps(pointwise(shown.float()), size)
    torch.testing.assert_close(sums, wanted, rtol=0, atol=0)
    assert bool((weights == 1).all())
    blank = torch.zeros((1, 3, *size))
    blank[:, :, 5:11, 7:23] = 255
    box = view.boxes(found_box(view.images(blank)), size)
    torch.testing.assert_close(box, torch.tensor([[7.0, 5.0, 23.0, 11.0]]), rtol=0, atol=0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", OTHERS, ids=lambda view: view.name)
def test_others_change_nothing_of_a_label_that_no_place_has_a_part_in(view, size):
    colour = torch.tensor([0.2, 1.0, 0.6]).view(1, 3, 1, 1)
    images = smooth(size).mean(dim=1, keepdim=True) * colour

    def network(images):
        means = images.mean(dim=(2, 3))
        return torch.softmax(20 * means / means.sum(dim=1, keepdim=True), dim=1)

    torch.testing.assert_close(network(view.images(images)), network(images))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", OTHERS, ids=lambda view: view.name)
def test_what_others_find_lies_where_it_was(view, size):
    images = smooth(size)
    shown = view.images(images)
    assert tuple(shown.shape[2:]) == view.sizes(size)[-1]
    sums, weights = view.maps(pointwise(shown), size)
    assert tuple(sums.shape) == (2, 2, *size)
    seen = weights[0, 0] > 0.999
    assert seen.float().mean() > 0.6
    found = (sums / weights.clamp(min=1e-6))[:, :, seen]
    inner = _inside(seen, 2)[seen]
    torch.testing.assert_close(
        found[:, :, inner], pointwise(images)[:, :, seen][:, :, inner], rtol=0, atol=1.5
    )


def _inside(seen, rim):
    """Pixels at least `rim` from what is not seen; at the rim images are continued by guesses."""
    outside = torch.nn.functional.pad((~seen).float()[None, None], [rim] * 4, value=1.0)
    return torch.nn.functional.max_pool2d(outside, 2 * rim + 1, stride=1)[0, 0] == 0


@pytest.mark.parametrize("view", OTHERS, ids=lambda view: view.name)
def test_boxes_of_others_hold_what_they_held(view):
    size = (64, 96)
    blank = torch.zeros((1, 3, *size))
    blank[:, :, 26:38, 40:58] = 255
    box = view.boxes(found_box(view.images(blank)), size)[0]
    wanted = torch.tensor([40.0, 26.0, 58.0, 38.0])
    is_turned = "rotate" in view.name
    slack = 5.0 if is_turned else 1.6
    assert (box - wanted).abs().max() <= slack, box
    if is_turned:
        assert bool((box[:2] <= wanted[:2] + 1).all())
        assert bool((box[2:] >= wanted[2:] - 1).all())


def test_boxes_are_cut_off_at_the_rim():
    view = View("rotate", (Rotation(10.0),))
    box = view.boxes(torch.tensor([[0.0, 0.0, 50.0, 30.0]]), (30, 50))
    torch.testing.assert_close(box, torch.tensor([[0.0, 0.0, 50.0, 30.0]]))


class _NoWayBack(Symmetry):
    def maps(self, maps, size):
        return maps


class _WrongWay(Rotation):
    def maps(self, maps, size):
        return Rotation(-self.degrees).maps(maps, size)


class _Beside(Crop):
    def maps(self, maps, size):
        return torch.roll(super().maps(maps, size), 3, dims=3)


@pytest.mark.parametrize(
    ("right", "broken", "check"),
    [
        (Symmetry(flips_x=True), _NoWayBack(flips_x=True),
         test_symmetries_are_exact_for_labels_maps_and_boxes),
        (Rotation(10.0), _WrongWay(10.0), test_what_others_find_lies_where_it_was),
        (Crop(0.5, 0.5, 0.8), _Beside(0.5, 0.5, 0.8), test_what_others_find_lies_where_it_was),
    ],
    ids=lambda each: type(each).__name__,
)  # fmt: skip
def test_a_broken_way_back_is_caught(right, broken, check):
    check(View("right", (right,)), (31, 45))
    with pytest.raises((AssertionError, RuntimeError)):
        check(View("broken", (broken,)), (31, 45))


def test_turns_are_torch_s():
    images = torch.arange(24.0).view(1, 1, 4, 6)
    for view, turns in zip(views_of(["turns"]), range(4), strict=True):
        torch.testing.assert_close(view.images(images), torch.rot90(images, turns, (2, 3)))
    quarter = View("rotate_90", (Rotation(90.0),)).images(images[:, :, :, :4])
    torch.testing.assert_close(quarter, torch.rot90(images[:, :, :, :4], 1, (2, 3)))


def test_views_that_show_the_same_are_one():
    asked = [f"{a}*{b}*{c}" for a in ("identity", "hflip") for b in ("identity", "vflip")
             for c in ("identity", "rot90", "rot180")]  # fmt: skip
    found = views_of(asked)
    assert len(asked) == 12
    assert len(found) == 8
    assert found[0].name == "identity"
    assert len(views_of(["square*square"])) == 8
    assert len(views_of(["five_crop*flips"])) == 10
    assert len(views_of(["ten_crop", "flips*five_crop"])) == 10
    assert len(views_of(["rotations", {"name": "rotate", "degrees": 10}])) == 3


def test_crops_have_the_counts_and_weights_of_their_names():
    assert [view.weight for view in views_of(["twelve_crop"])] == [2.0] * 2 + [1.0] * 8
    assert len(views_of(["two_crop"])) == 2
    assert len(views_of([{"name": "ten_crop", "share": 0.8}])) == 10


def test_the_mean_over_views_counts_what_each_has_seen():
    size = (32, 48)
    images = smooth(size)
    views = views_of(["identity", "five_crop", "hflip"])
    maps = [pointwise(view.images(images)) for view in views]
    found = mean_map(views, maps, size)
    torch.testing.assert_close(found, pointwise(images), rtol=0, atol=1.5)
    probabilities = [torch.softmax(found, dim=1) for found in maps]
    merged = mean_map(views, probabilities, size)
    torch.testing.assert_close(merged.sum(dim=1), torch.ones(2, *size), rtol=0, atol=1e-5)


def test_a_view_s_own_name_gives_it_again():
    for view in [view for name in VIEWS for view in views_of([name])] + list(OTHERS):
        (again,) = views_of([view.name])
        assert (again.name, again.steps) == (view.name, view.steps)
        assert "*" not in view.stem
    with pytest.raises(ConfigError, match="view scale: factor: Input should be less"):
        views_of(["scale_40"])


def test_one_view_cannot_count_in_two_ways():
    with pytest.raises(ConfigError, match=r"centre_0.875 would count 1 times and .* 2 times"):
        views_of(["ten_crop", "twelve_crop"])


def test_views_are_counted_once_and_by_their_pixels():
    assert num_passes(["identity", "hflip"]) == 2
    assert num_passes(["square*square"]) == 8
    assert num_passes(["identity", {"name": "scale", "factor": 2}]) == 5


def test_what_a_view_shows_of_the_symmetries():
    for name, view in SYMMETRIES.items():
        assert symmetry_of(view) == name
    asked = ["rotate_44*hflip", "rotate_60", "scale*rot180", "five_crop*vflip", "hflip*rot90"]
    shown = [{symmetry_of(view) for view in views_of([name])} for name in asked]
    assert shown[:4] == [{"hflip"}, {"rot90"}, {"rot180"}, {"vflip"}]
    assert shown[4] <= {"transpose", "transverse"}
    assert generated([]) == {"identity"}
    assert generated(["rot90"]) == {"identity", "rot90", "rot180", "rot270"}
    assert generated(["transpose", "hflip"]) == set(SYMMETRIES)


def test_sizes_suit_networks_that_halve_their_maps():
    assert Scale(1.2).size((224, 224)) == (256, 256)
    assert Scale(1.2).size((28, 28)) == (32, 32)
    assert Scale(0.01).size((64, 33)) == (32, 1)


def test_products_do_the_first_first():
    crop, flip = View("c", (Crop(0, 0, 0.5),)), View("f", (Symmetry(flips_x=True),))
    both = product(crop, flip)
    assert both.name == "c*f"
    images = smooth((20, 30))
    torch.testing.assert_close(both.images(images), crop.images(images).flip(3))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hflop", "view 'hflop' is unknown; did you mean 'hflip'"),
        ({"name": "rotate", "degree": 3}, "unknown option 'degree'; did you mean 'degrees'"),
        ({"name": "scale", "factor": 40}, "less than or equal to 4"),
        ({"name": "flips*rotate", "degrees": 3}, "product flips.rotate takes no options"),
        ("flips*", "view '' is unknown"),
    ],
)
def test_what_is_no_view_is_refused(spec, message):
    with pytest.raises(ConfigError, match=message):
        views_of([spec])


def test_every_name_gives_views():
    for name in VIEWS:
        assert views_of([name])
