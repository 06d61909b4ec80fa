"""Keys of a recipe that cannot go together are refused with the reason and what would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.config.recipe import Recipe
from foldwise.errors import ConfigError


def recipe(folder: Path, train: str) -> Recipe:
    path = folder / "a.yaml"
    path.write_text(f"model: {{name: small_cnn}}\ntrain: {{{train}}}\n")
    return load(path, Recipe)


@pytest.mark.parametrize(
    ("train", "reason", "remedy"),
    [
        ("sharpness: sam, precision: fp16", "fp16 scales gradients for one", "precision: bf16"),
        ("sharpness: sam, optimizer: fusedadam", "fusedadam fuses its own", "take fused out"),
        ("sharpness: asam, optimizer: {name: adamw, fused: true}", "adamw fuses its own", "fused"),
        ("norm_update: true, norm: frozen", "which norm: frozen keeps", "take one of the two out"),
        ("norm_update: true, stop: inner", "stop: inner has scored before", "use stop: fixed"),
        (
            "trainable: head, optimizer: {name: adamw, layer_decay: 0.7}",
            "only the head trains", "train more than the head",
        ),
        (
            "optimizer: {name: sgd, layer_decay: 0.7}, schedule: {stages: "
            "[{epochs: 1, trainable: head, start_lr: 1, end_lr: 0}]}",
            "only the head trains", "take it out of optimizer",
        ),
        (
            "schedule: {preset: one_cycle, stages: [{epochs: 1, start_lr: 1, end_lr: 0}]}",
            "one_cycle and stages are two schedules", "take one of them out",
        ),
        ("schedule: {preset: polynomial, head: 2}", "no head or hold", "use preset: staged"),
        ("schedule: {preset: {name: one_cycle, rise: 0.2}, hold: 1}", "no head or hold", "staged"),
        ("schedule: {preset: {name: staged, head: 2}}", "keys of their own", "schedule.head"),
        (
            "schedule: {preset: staged, stages: [{epochs: 1, start_lr: 1, end_lr: 0}]}",
            "staged and stages are two schedules", "take one of them out",
        ),
        ("trainable: {last: 0}", "train.trainable.last: found 0", "wanted an integer >= 1"),
        ("trainable: {}", "found no keys ({})", "keys (last)"),
        (
            "schedule: {stages: [{epochs: 1, start_lr: 1, end_lr: 0, trainable: {last: -1}}]}",
            "train.schedule.stages.0.trainable.last: found -1", "wanted an integer >= 1",
        ),
    ],
)  # fmt: skip
def test_a_pair_that_cannot_be_is_refused(
    tmp_path: Path, train: str, reason: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        recipe(tmp_path, train)
    (found,) = caught.value.problems
    assert reason in found
    assert remedy in found


@pytest.mark.parametrize(
    "train",
    [
        "sharpness: {name: asam, rho: 1.0}, precision: bf16, ema: 0.99, clip: 1.0, accumulate: 4",
        "sharpness: sam, lookahead: {}, optimizer: muon",
        "average_last: 3, norm_update: true",
        "trainable: {last: 2}, optimizer: {name: adamw, layer_decay: 0.7}",
        "schedule: {preset: {name: cosine_restarts, cycles: 2}, warmup: 1}",
    ],
)
def test_a_pair_that_can_be_is_taken(tmp_path: Path, train: str) -> None:
    assert recipe(tmp_path, train).train


def test_external_rows_have_one_image_and_no_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("model: {name: small_cnn}\nexternal: [web]\ninput: {frames: {before: 1}}\n")
    with pytest.raises(ConfigError, match="external rows are of none; take one of the two out"):
        load(path, Recipe)
    path.write_text(
        "name: a\ndata: .\ntask: regression\nmetric: rmse\ntables: {train: a.csv}\n"
        "columns: {id: id, target: [y]}\nimages: {kind: path, columns: [left, right]}\n"
        "submission: {columns: {id: id, y: y}}\nexternal: {web: {data: web, table: web.csv}}\n"
    )
    with pytest.raises(ConfigError, match="its rows have one image each, and those of train have "):
        load(path, Competition)
