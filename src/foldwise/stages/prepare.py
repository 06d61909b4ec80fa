"""Hashes and decodes every image once into the caches that folds, workers and recipes share."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldwise import device as machine
from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.recipe import InputConfig
from foldwise.config.writing import fingerprint
from foldwise.data.cache import Cache
from foldwise.data.cache_writing import fill
from foldwise.data.decode import ImageInfo
from foldwise.data.decoder_pool import Damaged, decode_all
from foldwise.data.inputs import image_refs, read_caches, wanted_spec, write_caches
from foldwise.data.sources import ImageRef, hash_all
from foldwise.data.spec import THUMB, CacheSpec
from foldwise.data.storage import plan_store
from foldwise.errors import DataError
from foldwise.publish import locked
from foldwise.rundir import Home
from foldwise.samples import Samples, collect
from foldwise.stages.display import Display
from foldwise.stages.progress import duration
from foldwise.stages.recipes import planned_recipes
from foldwise.tasks.problem import data_folder, load_competition, read_target

_MAX_LISTED = 20
#: Decoding on one core, measured on JPEG photos and small PNG files; and the workers' start.
_BYTES_PER_S, _PER_IMAGE_S, _START_S = 5e6, 1e-3, 0.3


@dataclass(frozen=True)
class PreparedData:
    """What `prepare` left behind.

    Attributes:
        samples: all rows, damaged ones marked.
        changed: whether anything was written.
    """

    samples: Samples
    changed: bool


def prepare(
    home: Home, *, inputs: Sequence[InputConfig] | None = None, display: Display | None = None
) -> PreparedData:
    """Make `samples.parquet` and the caches that recipes need.

    Images whose content is already in every cache are not decoded again.

    Args:
        home: the competition.
        inputs: what networks are to be fed; None: what the plan's recipes say.
        display: where progress is shown.

    Raises:
        DataError: missing files, wrong tables, or damaged images while `on_damaged: stop`.
        BudgetError: a recipe insists on a cache that does not fit on the disk.
    """
    show = display or Display()
    competition, task = load_competition(home)
    data = data_folder(home, competition)
    if inputs is None:
        inputs = [recipe.input for recipe in planned_recipes(home).values()]
    found = collect(competition, data)
    read_target(competition, task, found.part("train"))  # Wrong labels must stop it here.
    wanted = {spec.key: (spec, config) for config in inputs for spec in [wanted_spec(config)]}
    state = _state(found, data, sorted(wanted), competition)
    with locked(home.cache / ".lock", doing="preparing images", wait_s=86_400):
        if home.is_fresh("prepare", state, home.samples) and _caches_stand(home, wanted):
            return PreparedData(samples_file.read(home.samples), changed=False)
        specs = _choose_stores(home, found, wanted, show)
        prepared = _decode(home, found, data, [*specs.values(), THUMB], show)
        _check_damaged(home, competition, prepared, show)
        samples_file.write(home.samples, prepared)
        write_caches(home, specs)
        home.set_fresh("prepare", state)
    return PreparedData(prepared, changed=True)


def _state(found: Samples, data: Path, keys: list[str], competition: Competition) -> dict[str, Any]:
    """Tables by content, images by size and time: what decides whether there is work."""
    files = sorted(set(found.frame["file"]))
    stats = [
        (file, stat.st_size, stat.st_mtime_ns) for file in files for stat in [(data / file).stat()]
    ]
    return {
        "rows": fingerprint(found.frame.astype(str).to_csv()),
        "files": fingerprint(stats),
        "specs": keys,
        "on_damaged": competition.on_damaged,
    }


def _caches_stand(home: Home, wanted: dict[str, tuple[CacheSpec, InputConfig]]) -> bool:
    """Whether every image is still in every cache: the cache folder may be deleted any time."""
    hashes = samples_file.read(home.samples).whole().hashes
    made = read_caches(home)
    if not set(wanted) <= set(made):
        return False
    for spec in [*(made[key] for key in wanted), THUMB]:
        cache = Cache.open(home.cache, spec)
        if not all(sha in cache for sha in hashes):
            return False
    return True


def _choose_stores(
    home: Home,
    found: Samples,
    wanted: dict[str, tuple[CacheSpec, InputConfig]],
    show: Display,
) -> dict[str, CacheSpec]:
    """What is made for each wish; a choice once made stays, as long as it is not deleted."""
    made = {key: spec for key, spec in read_caches(home).items() if key in wanted}
    home.cache.mkdir(parents=True, exist_ok=True)
    for key, (spec, config) in wanted.items():
        if key in made and (home.cache / made[key].key).is_dir():
            continue
        plan = plan_store(
            len(found),
            spec,
            shutil.disk_usage(home.cache).free,
            size=config.size,
            zoom=config.zoom,
            store=config.store,
        )
        show.say(plan.sentence)
        made[key] = plan.spec
    return made


def _decode(
    home: Home, found: Samples, data: Path, specs: Sequence[CacheSpec], show: Display
) -> Samples:
    """Decode what is not in every cache yet, and tell what is known of each image."""
    refs = image_refs(found, data)
    caches = [Cache.open(home.cache, spec) for spec in specs]
    hashes: list[str | None] = [None] * len(refs)
    if any(len(cache) for cache in caches):
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
            f"{duration(_decode_seconds([refs[index] for index in todo]))}"
        )
        started = time.monotonic()
        results = fill(home.cache, specs, decode_all([refs[i] for i in todo], specs))
        with show.counting("decoding", len(todo)) as advance:
            for position, result in results:
                index = todo[position]
                if isinstance(result, Damaged):
                    damaged[index] = result.reason
                hashes[index] = result.sha256
                advance()
        spent = time.monotonic() - started
        show.say(f"decoded in {duration(spent)}, {len(todo) / max(spent, 1e-9):.0f} images/s")
    thumbs = Cache.open(home.cache, THUMB)
    return Samples(_with_facts(found.frame, hashes, damaged, thumbs))


def _decode_seconds(refs: Sequence[ImageRef]) -> float:
    """Forecast from the files' sizes."""
    paths = {ref.path for ref in refs}  # An array holds many images.
    num_bytes = sum(path.stat().st_size for path in paths if path.exists())
    work = num_bytes / _BYTES_PER_S + len(refs) * _PER_IMAGE_S
    return _START_S + work / machine.num_cores()


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


def _check_damaged(home: Home, competition: Competition, prepared: Samples, show: Display) -> None:
    bad = prepared.frame[prepared.frame["damaged"] != ""]
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
            f"{len(bad)} of {len(prepared)} images cannot be used ({in_test} of them in test):",
            *lines[:_MAX_LISTED],
            *hidden,
            remedy=f"replace them, or write on_damaged: skip into {home.competition}",
        )
    show.warn(f"{len(bad)} damaged images are skipped:")
    for line in [*lines[:_MAX_LISTED], *hidden]:
        show.warn(f"  {line}")
