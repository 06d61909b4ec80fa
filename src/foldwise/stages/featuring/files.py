"""The file of one unit's features: all train and test rows as its network sees them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from foldwise.config.writing import fingerprint
from foldwise.errors import RunError
from foldwise.publish import publish
from foldwise.samples import Samples
from foldwise.stages.training.unit import Unit

_FORMAT = 1
_BYTES = np.dtype(np.float32).itemsize
#: The unit whose name the features of a frozen backbone bear: they are the same for all.
_SHARED = "backbone"


@dataclass(frozen=True)
class UnitFeatures:
    """Features of all rows of a competition by one network.

    Attributes:
        train: (N, D) float32, train rows in the problem's order.
        test: (M, D) float32, test rows.
    """

    train: np.ndarray
    test: np.ndarray


def features_path(unit: Unit) -> Path:
    """Where a unit's features are; units of a frozen backbone share one file."""
    return unit.run.features(_SHARED if unit.recipe.freeze == "backbone" else unit.folder.name)


def test_features_path(unit: Unit) -> Path:
    """Where features of the test rows there are now are kept, for heads that only answer."""
    path = features_path(unit)
    return path.with_name(f"test-{path.stem}-{unit.test_print[:16]}.npy")


def is_written(unit: Unit) -> bool:
    """Whether its file is there, of the unit's network and of the rows there are now."""
    try:
        metadata = pq.read_schema(features_path(unit)).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return False
    said = json.loads(metadata.get(b"foldwise", b"{}"))
    return bool(said.get("format") == _FORMAT and said.get("made_from") == _made_from(unit))


def write(unit: Unit, found: UnitFeatures) -> None:
    """Publish a unit's features as Parquet.

    Columns: `id`; `split` (train or test); `fold`, the one a train row is held out in, null for
    test; `features`, a list of D numbers. All rows are seen by one network, so of a fine-tuned
    one those of its own training rows are in-sample.
    """
    problem = unit.problem
    rows = np.concatenate([found.train, found.test])
    num_train, num_test = len(problem.train), len(problem.test)
    flat = pa.array(rows.astype(np.float32).ravel())
    columns = {
        "id": pa.array([*problem.train.ids, *problem.test.ids], pa.string()),
        "split": pa.array(["train"] * num_train + ["test"] * num_test, pa.string()),
        "fold": pa.array([*problem.folds.tolist(), *[None] * num_test], pa.int64()),
        "features": pa.FixedSizeListArray.from_arrays(flat, rows.shape[1]),
    }
    said = {
        "format": _FORMAT,
        "kind": "features",
        "made_from": _made_from(unit),
        "run": unit.run.name,
        "unit": features_path(unit).stem,
        "held_out_fold": None if unit.recipe.freeze == "backbone" else unit.fold,
    }
    table = pa.table(columns).replace_schema_metadata({"foldwise": json.dumps(said)})
    publish(features_path(unit), lambda part: pq.write_table(table, part))


def read(unit: Unit) -> UnitFeatures:
    """A unit's features, rows matched by id.

    Raises:
        RunError: they are not there, or of another network or other rows.
    """
    path = features_path(unit)
    if not is_written(unit):
        raise RunError(
            f"{path}: absent, or of other weights or rows than there are now",
            remedy=f"run `foldwise features {unit.run.name}`",
        )
    table = pq.read_table(path)
    flat = table["features"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    rows = flat.reshape(len(table), -1)
    place = {name: index for index, name in enumerate(table["id"].to_pylist())}
    problem = unit.problem
    train, test = ([place[name] for name in part.ids] for part in (problem.train, problem.test))
    return UnitFeatures(rows[train], rows[test])


def num_features(unit: Unit) -> int:
    """Length of a sample's features, by the stored weights; torch is not needed for it.

    Of a network of masks the channels of its encoder's widest layer, if no head on the last map
    says how many that has.

    Raises:
        RunError: the weights are not there, or the network has no features.
    """
    path = unit.folder.weights
    try:
        with safe_open(path, framework="numpy") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118  # It is no mapping.
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"{path}: cannot be read: {error}",
            remedy=f"delete {unit.folder.path} and train again",
        ) from None
    for head in ("head.weight", "decoder.presence.weight"):
        if head in shapes:
            return int(shapes[head][1])
    if unit.recipe.model.decoder is not None:
        return max(int(s[0]) for name, s in shapes.items() if _is_of_encoder(name) and len(s) == 4)
    raise RunError(
        f"{unit.run.name} has no features: its network ends in something other than one "
        "linear layer",
        remedy="use a run of another network; one of your own needs a last nn.Linear that is "
        "its attribute head, and of masks a decoder on an encoder of timm's",
    )


def _is_of_encoder(name: str) -> bool:
    return name.startswith("backbone.encoder.")


def num_bytes(unit: Unit) -> int:
    """Estimated size of a unit's file."""
    return (len(unit.problem.train) + len(unit.problem.test)) * num_features(unit) * _BYTES


def _made_from(unit: Unit) -> str:
    def rows(samples: Samples) -> list[str]:
        return [*samples.ids, *unit.image_hashes(samples)]

    problem = unit.problem
    made = [unit.features_print, problem.folds_hash, rows(problem.train), rows(problem.test)]
    return fingerprint(made)
