"""The prepare stage: every image read once, caches that fit together, and damage that is named."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image
from rich.console import Console

from foldwise import samples as samples_file
from foldwise.config.loading import from_values
from foldwise.config.network import InputConfig
from foldwise.data.cache import Cache
from foldwise.data.filling import FillingCache
from foldwise.data.inputs import cache_spec, open_cache, open_images, read_caches
from foldwise.data.spec import THUMB
from foldwise.errors import BudgetError, DataError
from foldwise.home import Home
from foldwise.stages.display import Display
from foldwise.stages.prepare import PreparedData, prepare
from foldwise.tasks.asked import data_folder, load_competition
from tests.builders import make_home


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def fed(size: int, **changes: Any) -> InputConfig:
    return from_values({"size": size, "zoom": 1.25, **changes}, InputConfig, source="test")


SMALL = fed(16)
LARGER = fed(24)


def home_with(folder: Path, **competition: Any) -> Home:
    return make_home(folder, num_train=9, num_test=3, competition=competition)


def told(home: Home, *inputs: InputConfig, **options: Any) -> tuple[PreparedData, str]:
    """The result, and what the user was told."""
    out = io.StringIO()
    show = Display(console=Console(file=out, width=1000, highlight=False))
    return prepare(home, inputs=inputs, display=show, **options), out.getvalue()


def image(home: Home, number: int) -> Path:
    return home.path.parent / "raw" / "images" / f"{number:03d}.png"


def blocks(home: Home) -> int:
    return len(list(home.cache.rglob("block-*.bin")))


@pytest.fixture
def free_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_free(num_bytes: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(num_bytes, 0, num_bytes))

    return set_free


def test_every_image_is_decoded_once_and_its_facts_are_kept(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    done, text = told(home, SMALL)
    assert done.changed
    assert "decoding 12 images, 0 are in the cache" in text
    frame = samples_file.read(home.samples).frame
    assert (frame["width"] == 20).all()
    assert set(frame["format"]) == {"PNG"}
    assert (frame["damaged"] == "").all()
    problem_data = data_folder(home, load_competition(home)[0])
    cache = open_cache(home, SMALL, done.samples, problem_data)
    assert {cache.get(sha).shape for sha in done.samples.hashes} == {(20, 20, 3)}
    again, text = told(home, SMALL)
    assert (again.changed, text) == (False, "")


def test_recipes_that_take_turns_cause_no_reading(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    both = (SMALL, fed(8))
    told(home, *both)
    for inputs in ([SMALL], both, [fed(8)], both):
        assert told(home, *inputs)[0].changed is False


def test_another_recipe_decodes_without_hashing_and_keeps_what_is_there(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    first, _ = told(home, SMALL)
    num_blocks = blocks(home)
    done, text = told(home, SMALL, fed(8))
    assert "decoding 12 images" in text
    assert (done.samples.frame == first.samples.frame).all(axis=None)
    assert told(home, SMALL, fed(8))[0].changed is False
    assert blocks(home) > num_blocks


def test_only_new_and_changed_images_are_decoded(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    before = told(home, SMALL)[0].samples
    Image.new("RGB", (20, 20), "red").save(image(home, 2))
    done, text = told(home, SMALL)
    assert "decoding 1 images, 11 are in the cache" in text
    assert (done.samples.hashes != before.hashes).sum() == 1


def test_a_deleted_cache_is_made_again(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    before = told(home, SMALL)[0].samples
    shutil.rmtree(home.cache)
    done, text = told(home, SMALL)
    assert "decoding 12 images" in text
    assert (done.samples.frame == before.frame).all(axis=None)


def test_an_input_of_the_thumbnails_size_shares_their_cache(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    same = fed(32, zoom=1.0)
    told(home, same)
    assert cache_spec(home, same) == THUMB
    assert blocks(home) == 1


def test_caches_are_weighed_against_the_disk_together(
    tmp_path: Path, free_disk: Callable[[int], None]
) -> None:
    home = home_with(tmp_path)
    inputs = [fed(96, fit=fit) for fit in ("stretch", "pad")]  # 0.52 MB each.
    free_disk(1_000_000)
    _, text = told(home, *inputs)
    specs = [cache_spec(home, config) for config in inputs]
    assert [spec.store for spec in specs] == ["raw", "jpeg"]
    assert "0.5 MB, 1.0 MB are free, 0.0 MB of it for other caches" in text.replace("\n", " ")
    assert "0.6 MB of it for other caches; not raw pixels" in text


def test_a_cache_that_is_half_made_keeps_its_claim_on_the_disk(
    tmp_path: Path, free_disk: Callable[[int], None]
) -> None:
    home = home_with(tmp_path)
    image(home, 2).write_bytes(b"not an image")
    free_disk(1_000_000)
    with pytest.raises(DataError, match="not an image"):
        told(home, fed(96))
    for path in home.cache.rglob("block-*.bin"):
        path.unlink()  # As if killed before the first block.
    Image.new("RGB", (20, 20), "red").save(image(home, 2))
    told(home, fed(96), fed(96, fit="pad"))
    assert cache_spec(home, fed(96, fit="pad")).store == "jpeg"


def test_a_stopped_run_goes_on_with_the_store_it_chose(
    tmp_path: Path, free_disk: Callable[[int], None]
) -> None:
    home = home_with(tmp_path)
    image(home, 2).write_bytes(b"not an image")
    free_disk(300_000)
    with pytest.raises(DataError, match="not an image"):
        told(home, fed(96))
    chosen = cache_spec(home, fed(96))
    assert chosen.store == "jpeg"
    free_disk(10**12)
    Image.new("RGB", (20, 20), "red").save(image(home, 2))
    told(home, fed(96))
    assert cache_spec(home, fed(96)) == chosen
    shutil.rmtree(home.cache)  # Deleted: chosen anew.
    told(home, fed(96))
    assert cache_spec(home, fed(96)).store == "raw"


def test_a_store_that_is_insisted_on_and_does_not_fit_is_an_error(
    tmp_path: Path, free_disk: Callable[[int], None]
) -> None:
    home = home_with(tmp_path)
    free_disk(300_000)
    with pytest.raises(BudgetError, match=r"0\.3 MB are free") as caught:
        told(home, fed(96, store="raw"))
    assert "input.store: auto" in caught.value.remedy
    assert read_caches(home) == {}


def test_damaged_images_stop_the_run_with_their_reasons(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    image(home, 2).write_bytes(b"not an image")
    image(home, 10).write_bytes(image(home, 10).read_bytes()[:300])
    with pytest.raises(DataError) as caught:
        told(home, SMALL)
    assert caught.value.problems[0] == "2 of 12 images cannot be used (1 of them in test):"
    assert caught.value.problems[1].startswith("002 (images/002.png): not an image")
    assert "on_damaged: skip" in caught.value.remedy
    assert not home.samples.exists()


def test_damaged_images_are_skipped_where_asked(tmp_path: Path) -> None:
    home = home_with(tmp_path, on_damaged="skip")
    image(home, 2).write_bytes(b"not an image")
    done, text = told(home, SMALL)
    assert "1 damaged images are skipped" in text
    assert len(done.samples.whole()) == 11
    assert told(home, SMALL)[0].changed is False


def test_what_an_image_may_cost_is_set_in_the_competition(tmp_path: Path) -> None:
    home = home_with(tmp_path, decoding={"max_megapixels": 0.0001})
    with pytest.raises(DataError, match=r"20 x 20 pixels are more than the limit of 0\.0001"):
        told(home, SMALL)
    text = home.competition.read_text()
    home.competition.write_text(text.replace("max_megapixels: 0.0001", "max_megapixels: 1"))
    assert told(home, SMALL)[0].changed


def test_the_remedy_names_the_key_of_the_limit(tmp_path: Path) -> None:
    home = home_with(tmp_path, decoding={"max_megapixels": 0.0001})
    with pytest.raises(DataError, match=r"raise decoding\.max_megapixels in competition\.yaml"):
        told(home, SMALL)
    heavy = home_with(tmp_path / "heavy", decoding={"memory_mib": 16})
    Image.new("RGB", (3000, 3000)).save(image(heavy, 2))
    with pytest.raises(DataError, match=r"more than 16 MiB \(decoding\.memory_mib\)"):
        told(heavy, SMALL)


def test_a_label_that_is_none_stops_before_anything_is_decoded(tmp_path: Path) -> None:
    home = home_with(tmp_path, classes=["0", "1", "7"])
    with pytest.raises(DataError, match="of the 3 classes"):
        told(home, SMALL)
    assert not home.cache.exists()


def test_verify_reads_all_and_names_what_was_changed(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    told(home, SMALL, fed(16, fit="pad", store="none"), verify=True)
    path = next((home.cache / cache_spec(home, SMALL).key).glob("block-*.bin"))
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    stat = image(home, 5).stat()
    image(home, 5).write_bytes(bytes(stat.st_size))
    os.utime(image(home, 5), ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert told(home, SMALL)[0].changed is False
    with pytest.raises(DataError) as caught:
        told(home, SMALL, fed(16, fit="pad", store="none"), verify=True)
    assert any(path.name in problem for problem in caught.value.problems)
    assert any("005.png: changed since" in problem for problem in caught.value.problems)


def test_images_that_are_known_may_be_left_to_training(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    # At first all of them are decoded: folds must know which are damaged, and which are twins.
    assert "left" not in told(home, SMALL, fill_later=True)[1]
    before = blocks(home)
    done, said = told(home, LARGER, fill_later=True)
    assert "as training reads them" in said
    assert blocks(home) == before
    samples = done.samples
    data = data_folder(home, load_competition(home)[0])
    images = open_images(home, LARGER, samples, data, read=set(samples.hashes))
    assert isinstance(images, FillingCache)
    found = {sha256: images.get(sha256) for sha256 in samples.hashes}
    cache = open_cache(home, LARGER, samples, data)
    assert all((cache.get(sha256) == found[sha256]).all() for sha256 in found)
    assert not told(home, LARGER)[0].changed
    assert isinstance(open_images(home, LARGER, samples, data, read=set(samples.hashes)), Cache)


def test_what_caches_cannot_hold_is_not_left_to_training(tmp_path: Path) -> None:
    home = home_with(tmp_path)
    told(home, SMALL)
    with pytest.raises(DataError, match="images cannot be used"):
        told(home, fed(24, channels=4, store="jpeg"), fill_later=True)
    # Without pixels there is nothing that training could keep.
    assert "as training reads them" not in told(home, fed(24, store="none"), fill_later=True)[1]
