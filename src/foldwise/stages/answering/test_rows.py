"""The test rows of a pack's competition: read where it runs, no image of theirs trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from foldwise import samples as samples_file
from foldwise.collecting import collect_test
from foldwise.config.competition import Competition
from foldwise.config.network import InputConfig
from foldwise.data.inputs import image_refs, wanted_spec
from foldwise.home import Home
from foldwise.samples import Samples
from foldwise.stages.display import Display
from foldwise.stages.prepare import decoded_images
from foldwise.stages.preparing.caches import choose_stores
from foldwise.stages.submitting.forms import FORMS
from foldwise.stages.submitting.lost_images import with_common_size, with_sizes
from foldwise.tasks.asked import data_folder, load_competition

_SHOWN = 20
#: What `prepare` notes of an image it could not decode.
_UNKNOWN: dict[str, Any] = {
    **{"sha256": "", "phash": np.uint64(0), "mode": "", "format": ""},
    **{"width": 0, "height": 0, "num_bytes": 0},
}


def list_test_rows(home: Home) -> Samples:
    """Read the test table and the sample submission, and write their rows beside the train rows.

    An id of the sample submission that the test table has not is a row without an image. Where
    masks are asked for, their sizes are read from the images' headers, and no more; one that says
    none counts as commonly large.

    Args:
        home: the pack's competition, whose samples are train rows alone.

    Raises:
        ConfigError, DataError: the test table or the sample submission cannot be read.
    """
    competition, task = load_competition(home)
    found = collect_test(competition, _data(home)).frame.assign(**_UNKNOWN, damaged="")
    if competition.masks is not None:
        sized = with_sizes(Samples(found), home, competition)
        train = samples_file.read(home.samples).part("train")
        found = with_common_size(sized, sized, train).frame
    _write(home, Samples(found))
    known = set(found["id"])
    asked = FORMS[task.kind].samples(home, competition, task)
    absent = [name for name in asked if name not in known]
    if absent:
        facts = {"id": absent, "split": "test", **_UNKNOWN, "damaged": "not in the test table"}
        found = _filled(pd.concat([found, pd.DataFrame(facts)], ignore_index=True), found)
        _write(home, Samples(found))
    return Samples(found)


def rows_print(rows: Samples) -> str:
    """Hash of the ids, in any order."""
    return hashlib.sha256("\n".join(sorted(rows.ids)).encode()).hexdigest()


def decode_test_rows(
    home: Home, listed: Samples, inputs: Sequence[InputConfig], show: Display
) -> None:
    """Decode the images of test rows, each once for all inputs, and write what is known of them.

    Each is decoded in a process of its own with limits. What cannot be used is no error here: it
    is marked, told, and answered without its image.

    Args:
        home: the pack's competition.
        listed: its test rows.
        inputs: what its networks are fed.
        show: where it is told.

    Raises:
        BudgetError: the disk has no room for the decoded images.
    """
    competition, _ = load_competition(home)
    is_bare = (listed.frame["damaged"] != "").to_numpy()
    found = _decoded(home, competition, listed.take(~is_bare), inputs, show)
    every = Samples(pd.concat([found.frame, listed.frame[is_bare]], ignore_index=True))
    _write(home, every)
    _tell(every, show)


def _decoded(
    home: Home,
    competition: Competition,
    found: Samples,
    inputs: Sequence[InputConfig],
    show: Display,
) -> Samples:
    images, data = found.every_image(), _data(home)
    wanted = {spec.key: (spec, config) for config in inputs for spec in [wanted_spec(config)]}
    specs = choose_stores(home, len(images), wanted, show)
    is_there = np.array([(data / file).is_file() for file in images.frame["file"]], dtype=bool)
    there = images.take(np.flatnonzero(is_there))
    known = decoded_images(
        home, there, image_refs(there, data), None, specs, competition.decoding, show
    ).frame
    absent = images.frame[~is_there].assign(**_UNKNOWN, damaged="there is no such file")
    every = pd.concat([known, absent]).sort_index().astype(known.dtypes.to_dict())
    return found.with_images(Samples(every))


def _filled(frame: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Empty cells and zeros where rows of no table have nothing."""
    empty = {name: 0 if is_numeric_dtype(like[name]) else "" for name in like.columns}
    return frame.fillna(empty).astype(like.dtypes.to_dict())


def _write(home: Home, test: Samples) -> None:
    train = samples_file.read(home.samples).part("train")
    frame = pd.concat([train.frame, test.frame], ignore_index=True)
    cells = {name: "" for name in frame.columns if str(name).startswith("cell:")}
    samples_file.write(home.samples, Samples(frame.fillna(cells)))


def _data(home: Home) -> Path:
    return data_folder(home, load_competition(home)[0])


def _tell(test: Samples, show: Display) -> None:
    bad = test.frame[test.frame["damaged"] != ""]
    if len(bad):
        show.warn(
            f"{len(bad)} of {len(test)} test samples cannot be looked at, and are answered "
            "without their images:"
        )
    for name, file, reason in zip(
        bad["id"][:_SHOWN], bad["file"][:_SHOWN], bad["damaged"][:_SHOWN], strict=True
    ):
        show.warn(f"  {name} ({file}): {reason}")
    if len(bad) > _SHOWN:
        show.warn(f"  and {len(bad) - _SHOWN} more")
