"""Hashes and decodes every image once into the caches that folds, workers and recipes share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldwise import device as machine
from foldwise import samples as samples_file
from foldwise.collecting import collect
from foldwise.config.competition import Competition
from foldwise.config.data import Decoding
from foldwise.config.network import InputConfig
from foldwise.config.writing import fingerprint
from foldwise.data.cache import Cache
from foldwise.data.cache_writing import fill
from foldwise.data.decode import ImageInfo
from foldwise.data.decoder_pool import Damaged, Limits, decode_all
from foldwise.data.inputs import image_refs, wanted_spec
from foldwise.data.sources import ImageRef, hash_all
from foldwise.data.spec import THUMB, CacheSpec
from foldwise.errors import DataError
from foldwise.external import collect_external, external_set
from foldwise.home import Home
from foldwise.publish import locked
from foldwise.samples import Samples
from foldwise.stages.display import Display
from foldwise.stages.preparing.caches import (
    caches_stand,
    can_be_filled,
    choose_stores,
    verify_caches,
)
from foldwise.stages.preparing.masks import keep_masks, masks_state
from foldwise.stages.progress import duration
from foldwise.stages.recipes import network_inputs, planned_recipes
from foldwise.tasks.asked import data_folder, load_competition, read_target

_MAX_LISTED = 20
#: Decoding on one core, measured on JPEG photos and small PNG files; and the workers' start.
_BYTES_PER_S, _PER_IMAGE_S, _START_S = 5e6, 1e-3, 0.3


@dataclass(frozen=True)
class PreparedData:
    """What `prepare` left behind.

    Attributes:
        samples: all rows of train and test, damaged ones marked.
        changed: whether anything was written.
    """

    samples: Samples
    changed: bool


def prepare(
    home: Home,
    *,
    inputs: Sequence[InputConfig] | None = None,
    verify: bool = False,
    fill_later: bool = False,
    display: Display | None = None,
) -> PreparedData:
    """Make `samples.parquet` and the caches that recipes need.

    Images whose content is already in every cache are not decoded again, and not even read if
    size and time of their file are as they were.

    Args:
        home: the competition.
        inputs: what networks are to be fed; None: what the plan's recipes say.
        verify: read all that the caches hold, and compare its checksums.
        fill_later: leave images that were decoded before, at another size perhaps, to those who
            read them: see `FillingCache`.
        display: where progress is shown.

    Raises:
        DataError: missing files, wrong tables, or damaged images while `on_damaged: stop`; with
            `verify` whatever was changed in a cache.
        BudgetError: a recipe insists on a cache that does not fit on the disk.
    """
    show = display or Display()
    competition, task = load_competition(home)
    data = data_folder(home, competition)
    if inputs is None:
        inputs = network_inputs(planned_recipes(home).values())
    found = _collected(home, competition, data)
    if task.kind == "vector":
        read_target(competition, task, found.part("train"))  # Wrong labels must stop it here.
    external = found.part("external")
    for name in competition.external:
        read_target(competition, task, external.take(external_set(external, name)))
    wanted = {spec.key: (spec, config) for config in inputs for spec in [wanted_spec(config)]}
    state = {**_state(found, data, competition), **masks_state(competition, data)}
    with locked(home.cache / ".lock", doing="preparing images", wait_s=86_400):
        files = [home.samples, home.external] if competition.external else [home.samples]
        kept = [] if competition.masks is None else [home.masks]
        is_known = home.is_fresh("prepare", state, *files, *kept)
        known = _joined([samples_file.read(file) for file in files]) if is_known else None
        if known is not None and caches_stand(home, known, wanted):
            prepared, changed = known, False
        else:
            images, changed = found.every_image(), True
            specs = choose_stores(home, len(images), wanted, show)
            if fill_later and known is not None and can_be_filled(home, known, specs, data):
                show.say("images that the cache lacks are decoded and kept as training reads them")
                prepared = known
            else:
                refs = image_refs(images, data)
                hashes = None if known is None else known.every_image().hashes
                decoded = decoded_images(
                    home, images, refs, hashes, specs, competition.decoding, show
                )
                _check_damaged(home, competition, decoded, show)
                prepared = found.with_images(decoded)
                samples_file.write(home.samples, _own(prepared))
                if competition.external:
                    samples_file.write(home.external, prepared.part("external"))
                if competition.masks is not None:
                    keep_masks(home, competition, data, _own(prepared), show)
                home.set_fresh("prepare", state)
        if verify:
            verify_caches(home, prepared, data, inputs)
    return PreparedData(_own(prepared), changed)


def _collected(home: Home, competition: Competition, data: Path) -> Samples:
    """The rows of train and test, then those of external data."""
    own = collect(competition, data)
    if not competition.external:
        return own
    return _joined([own, collect_external(competition, home.path, own)])


def _joined(parts: Sequence[Samples]) -> Samples:
    return Samples(pd.concat([part.frame for part in parts], ignore_index=True))


def _own(samples: Samples) -> Samples:
    return samples.take((samples.frame["split"] != "external").to_numpy())


def _state(found: Samples, data: Path, competition: Competition) -> dict[str, Any]:
    """Tables by content, images by size and time: what decides whether images are read again.

    Which caches are wanted is no part of it: one recipe and all of them take turns.
    """
    files = sorted(set(found.every_image().frame["file"]))
    stats = [
        (file, stat.st_size, stat.st_mtime_ns) for file in files for stat in [(data / file).stat()]
    ]
    return {
        "rows": fingerprint(found.frame.astype(str).to_csv()),
        "files": fingerprint(stats),
        "on_damaged": competition.on_damaged,
        "decoding": competition.decoding.model_dump(mode="json"),
    }


def decoded_images(
    home: Home,
    images: Samples,
    refs: Sequence[ImageRef],
    known_hashes: np.ndarray | None,
    specs: Sequence[CacheSpec],
    limits: Decoding,
    show: Display,
) -> Samples:
    """Decode what is not in every cache yet, and tell what is known; a row for each image.

    Args:
        home: the competition.
        images: a row for each image.
        refs: where these are; all are there.
        known_hashes: of the same, "" where none is known; None: of none.
        specs: of the caches.
        limits: on what decoding an image may take.
        show: where progress is shown.

    Returns:
        The same rows with what is known of each image; `damaged` says why one cannot be used.
    """
    caches = [Cache.open(home.cache, spec) for spec in specs]
    hashes: list[str | None] = [None] * len(refs)
    if known_hashes is not None:
        hashes = [sha or None for sha in known_hashes]
    elif any(len(cache) for cache in caches):
        hashes = hash_all(refs, threads=machine.num_cores())
    todo = [
        index
        for index, sha in enumerate(hashes)
        if sha is None or not all(sha in cache for cache in caches)
    ]
    damaged: dict[int, str] = {}
    if todo:
        show.say(
            f"decoding {len(todo)} images, {len(refs) - len(todo)} are in the cache: about "
            f"{duration(decode_seconds([refs[index] for index in todo]))}"
        )
        started = time.monotonic()
        results = decode_all([refs[i] for i in todo], specs, limits=_limits(limits))
        with show.counting("decoding", len(todo)) as advance:
            for position, result in fill(home.cache, specs, results):
                index = todo[position]
                if isinstance(result, Damaged):
                    damaged[index] = result.reason
                hashes[index] = result.sha256
                advance()
        spent = time.monotonic() - started
        show.say(f"decoded in {duration(spent)}, {len(todo) / max(spent, 1e-9):.0f} images/s")
    thumbs = Cache.open(home.cache, THUMB)
    return Samples(_with_facts(images.frame, hashes, damaged, thumbs))


def _limits(config: Decoding) -> Limits:
    return Limits(
        cpu_s=config.cpu_s,
        wall_s=config.wall_s,
        memory_bytes=config.memory_mib << 20,
        max_pixels=round(config.max_megapixels * 1e6),
    )


def decode_seconds(refs: Sequence[ImageRef], *, times: float = 1.0) -> float:
    """Seconds that decoding takes here, by forecast from the files' sizes.

    Args:
        refs: the images.
        times: how many times as many images like these there are.
    """
    paths = {ref.path for ref in refs}  # An array holds many images.
    num_bytes = sum(path.stat().st_size for path in paths if path.exists())
    work = num_bytes / _BYTES_PER_S + len(refs) * _PER_IMAGE_S
    return _START_S + times * work / machine.num_cores()


def _with_facts(
    frame: pd.DataFrame, hashes: Sequence[str | None], damaged: dict[int, str], thumbs: Cache
) -> pd.DataFrame:
    none = ImageInfo(0, 0, "", "", 0)
    entries = [
        thumbs.entry(sha) if sha is not None and index not in damaged else None
        for index, sha in enumerate(hashes)
    ]
    infos = [entry.info if entry is not None else none for entry in entries]
    return frame.assign(
        sha256=[sha or "" for sha in hashes],
        phash=np.array([e.phash if e is not None else 0 for e in entries], dtype=np.uint64),
        width=[info.width for info in infos],
        height=[info.height for info in infos],
        mode=[info.mode for info in infos],
        format=[info.format for info in infos],
        num_bytes=[info.num_bytes for info in infos],
        damaged=[damaged.get(index, "") for index in range(len(hashes))],
    )


def _check_damaged(home: Home, competition: Competition, images: Samples, show: Display) -> None:
    bad = images.frame[images.frame["damaged"] != ""]
    if not len(bad):
        return
    lines = [
        f"{name} ({file}): {reason}"
        for name, file, reason in zip(bad["id"], bad["file"], bad["damaged"], strict=True)
    ]
    hidden = [f"... and {len(lines) - _MAX_LISTED} more"] if len(lines) > _MAX_LISTED else []
    in_test = int((bad["split"] == "test").sum())
    if competition.on_damaged == "stop":
        raise DataError(
            f"{len(bad)} of {len(images)} images cannot be used ({in_test} of them in test):",
            *lines[:_MAX_LISTED],
            *hidden,
            remedy=f"replace them, or write on_damaged: skip into {home.competition}",
        )
    with_rows = ", with all images of their samples" if competition.images.names else ""
    show.warn(f"{len(bad)} damaged images are skipped{with_rows}:")
    for line in [*lines[:_MAX_LISTED], *hidden]:
        show.warn(f"  {line}")
