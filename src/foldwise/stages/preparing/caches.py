"""Which caches are made for the recipes' inputs, and whether they hold what was written."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from foldwise.config.network import InputConfig
from foldwise.data.cache import Cache
from foldwise.data.inputs import image_refs, open_cache, read_caches, write_caches
from foldwise.data.originals import Originals
from foldwise.data.render import encode
from foldwise.data.spec import THUMB, CacheSpec
from foldwise.data.storage import disk_need, plan_store
from foldwise.errors import DataError, FoldwiseError
from foldwise.home import Home
from foldwise.samples import Samples
from foldwise.stages.display import Display


def choose_stores(
    home: Home,
    num_images: int,
    wanted: dict[str, tuple[CacheSpec, InputConfig]],
    show: Display,
) -> list[CacheSpec]:
    """What is made for the wishes; a choice once made stays, as long as it is not deleted.

    Written down before any work, so that a run that is killed goes on with the same choice.

    Raises:
        BudgetError: a recipe insists on a cache that does not fit on the disk.
    """
    chosen = {
        key: spec
        for key, spec in read_caches(home).items()
        if key in wanted and (home.cache / spec.key).is_dir()
    }
    home.cache.mkdir(parents=True, exist_ok=True)
    promised = sum(
        disk_need(max(0, num_images - len(Cache.open(home.cache, spec))), spec)
        for spec in {THUMB, *chosen.values()}
    )
    for key, (spec, config) in wanted.items():
        if key in chosen:
            continue
        plan = plan_store(
            num_images,
            spec,
            shutil.disk_usage(home.cache).free,
            size=config.size,
            zoom=config.zoom,
            store=config.store,
            promised_bytes=promised,
        )
        show.say(plan.sentence)
        promised += plan.need_bytes
        chosen[key] = plan.spec
    for spec in chosen.values():
        (home.cache / spec.key).mkdir(exist_ok=True)
    write_caches(home, chosen)
    return list(dict.fromkeys([*chosen.values(), THUMB]))


def caches_stand(
    home: Home, known: Samples, wanted: dict[str, tuple[CacheSpec, InputConfig]]
) -> bool:
    """Whether every image is still in every cache: the cache folder may be deleted any time."""
    hashes = known.whole().every_image().hashes
    made = read_caches(home)
    if not set(wanted) <= set(made):
        return False
    for spec in [*(made[key] for key in wanted), THUMB]:
        cache = Cache.open(home.cache, spec)
        if not all(sha in cache for sha in hashes):
            return False
    return True


def can_be_filled(home: Home, known: Samples, specs: Sequence[CacheSpec], data: Path) -> bool:
    """Whether those who read the caches can decode what they lack, as `prepare` would.

    All images have been decoded before, as their small pictures show, and one of each kind of file
    can be made into what the caches keep. A cache without pixels must be whole beforehand.

    Args:
        home: the competition.
        known: prepared before.
        specs: of the caches.
        data: the data folder.
    """
    images, thumbs = known.whole().every_image(), Cache.open(home.cache, THUMB)
    if any(spec.store == "none" for spec in specs):
        return False
    if not all(sha256 in thumbs for sha256 in images.hashes):
        return False
    of_each_kind = images.take(~images.frame.duplicated(["mode", "format"]).to_numpy())
    refs = dict(zip(of_each_kind.hashes, image_refs(of_each_kind, data), strict=True))
    try:
        for spec in specs:
            originals = Originals(spec, refs)
            for sha256 in refs:
                encode(originals.get(thumbs.entry(sha256)), spec.store)
    except (FoldwiseError, OSError, ValueError):
        return False  # `prepare` decodes them all, and says which cannot be used and why.
    return True


def verify_caches(home: Home, samples: Samples, data: Path, inputs: Sequence[InputConfig]) -> None:
    """Read all that the caches of these inputs hold.

    Raises:
        DataError: all blocks and originals that were changed.
    """
    caches = [open_cache(home, config, samples.whole(), data) for config in inputs]
    problems: dict[str, None] = {}  # In order, each once: recipes may share a cache.
    for cache in [*caches, Cache.open(home.cache, THUMB)]:
        try:
            cache.verify_all()
        except DataError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise DataError(
            *problems,
            remedy="delete the named blocks of the cache, if any, and run `foldwise prepare`",
        )
