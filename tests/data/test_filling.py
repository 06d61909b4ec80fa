"""A cache read before it is full gives, and comes to hold, what `prepare` would have made."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from foldwise.data.cache import Cache
from foldwise.data.cache_writing import CacheWriter, fill
from foldwise.data.decoder_pool import decode_all
from foldwise.data.filling import FillingCache
from foldwise.data.sources import ImageRef
from foldwise.data.spec import THUMB, CacheSpec, Store
from foldwise.errors import BudgetError, DataError

from .pictures import coded, photo


def seen(folder: Path, spec: CacheSpec, *, num: int = 12) -> tuple[dict[str, ImageRef], Cache]:
    """Images that are known but not in the cache of `spec`, and a whole cache of them elsewhere."""
    (folder / "raw").mkdir(parents=True)
    refs = [ImageRef(folder / "raw" / f"{k}.jpg") for k in range(num)]
    for k, ref in enumerate(refs):
        ref.path.write_bytes(coded(photo(40, 50, seed=k), "JPEG"))
    done = dict(fill(folder / "cache", [THUMB], decode_all(refs, [THUMB], workers=1)))
    list(fill(folder / "whole", [spec], decode_all(refs, [spec], workers=1)))
    hashes = [str(done[k].sha256) for k in range(num)]
    return dict(zip(hashes, refs, strict=True)), Cache.open(folder / "whole", spec)


def filling(
    folder: Path, spec: CacheSpec, refs: dict[str, ImageRef], **options: int
) -> FillingCache:
    place = folder / "cache"
    return FillingCache(place, Cache.open(place, spec), Cache.open(place, THUMB), refs, **options)


@pytest.mark.parametrize("store", ["raw", "jpeg"])
@pytest.mark.parametrize("block_bytes", [1, 4000, 1 << 20])
def test_the_first_epoch_sees_the_pixels_of_all_others(
    tmp_path: Path, store: Store, block_bytes: int
) -> None:
    spec = CacheSpec(24, store=store)
    refs, whole = seen(tmp_path, spec)
    images = filling(tmp_path, spec, refs, block_bytes=block_bytes)
    for _ in range(2):
        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(refs, pool.map(images.get, refs), strict=True))
        assert all((found[sha256] == whole.get(sha256)).all() for sha256 in refs)
        assert not any(pixels.flags.writeable for pixels in found.values())
        assert images.num_missing == 0
    kept = Cache.open(tmp_path / "cache", spec)
    kept.verify_all()
    assert len(kept) == len(refs)
    for sha256 in refs:
        assert (kept.get(sha256) == whole.get(sha256)).all()
        entry, expected = kept.entry(sha256), whole.entry(sha256)
        assert (entry.phash, entry.info) == (expected.phash, expected.info)


def test_nothing_is_decoded_twice(tmp_path: Path) -> None:
    spec = CacheSpec(24)
    refs, whole = seen(tmp_path, spec)
    images = filling(tmp_path, spec, refs, block_bytes=5000)
    for sha256 in refs:
        images.get(sha256)
        refs[sha256].path.unlink()
    assert all((images.get(sha256) == whole.get(sha256)).all() for sha256 in refs)


def test_what_a_killed_process_published_is_not_decoded_again(tmp_path: Path) -> None:
    spec = CacheSpec(24)
    refs, whole = seen(tmp_path, spec)
    images = filling(tmp_path, spec, refs, block_bytes=5000)
    for sha256 in list(refs)[:8]:
        images.get(sha256)
    images._held.close()  # The lock goes with the process, and what it had not published.
    again = filling(tmp_path, spec, refs)
    assert again.num_missing < len(refs)
    assert all((again.get(sha256) == whole.get(sha256)).all() for sha256 in refs)
    assert len(Cache.open(tmp_path / "cache", spec)) == len(refs)


def test_one_process_keeps_and_another_takes_its_blocks_in(tmp_path: Path) -> None:
    spec = CacheSpec(24)
    refs, whole = seen(tmp_path, spec)
    keeper, other = (filling(tmp_path, spec, refs, block_bytes=3000) for _ in range(2))
    first, *rest = refs
    keeper.get(first)
    assert (other.get(rest[0]) == whole.get(rest[0])).all()
    assert len(Cache.open(tmp_path / "cache", spec)) <= 1  # The other one writes nothing.
    for sha256 in refs:
        keeper.get(sha256)
        refs[sha256].path.unlink()
    assert all((other.get(sha256) == whole.get(sha256)).all() for sha256 in refs)
    assert len(list((tmp_path / "cache" / spec.key).glob("block-*.bin"))) > 1


def test_a_changed_original_is_an_error(tmp_path: Path) -> None:
    spec = CacheSpec(24)
    refs, _ = seen(tmp_path, spec)
    sha256, ref = next(iter(refs.items()))
    ref.path.write_bytes(coded(photo(40, 50, seed=99), "JPEG"))
    with pytest.raises(DataError, match=r"0\.jpg: changed since it was prepared"):
        filling(tmp_path, spec, refs).get(sha256)


def test_what_is_decoded_is_kept_at_the_end_though_some_was_never_asked_for(tmp_path: Path) -> None:
    spec = CacheSpec(24)
    refs, whole = seen(tmp_path, spec)
    images = filling(tmp_path, spec, refs)
    first, *others = refs
    for sha256 in others:
        images.get(sha256)
    assert len(Cache.open(tmp_path / "cache", spec)) == 0
    images.close()
    kept = Cache.open(tmp_path / "cache", spec)
    assert first not in kept
    assert all((kept.get(sha256) == whole.get(sha256)).all() for sha256 in others)


def test_a_full_disk_is_told_with_what_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = CacheSpec(24)
    refs, _ = seen(tmp_path, spec)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CacheWriter, "add", full)
    with pytest.raises(BudgetError, match="cannot be kept: No space left") as caught:
        filling(tmp_path, spec, refs).get(next(iter(refs)))
    assert "input.store: none" in str(caught.value.remedy)
