from __future__ import annotations

import subprocess
import sys

from foldwise.stages.proposing.machine import Machine, hub_networks


def test_networks_in_the_hubs_cache_are_found_without_asking_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert hub_networks() == []
    for name, file in [("a.x", "model.safetensors"), ("b.y", "other.bin")]:
        folder = tmp_path / f"models--timm--{name}" / "snapshots" / "1f"
        folder.mkdir(parents=True)
        (folder / file).touch()
    assert hub_networks() == ["a.x"]


def test_speeds_are_the_measured_ones():
    two = Machine(2, 0, ())
    assert (two.train_rate(224), two.infer_rate(224)) == (12, 40)
    assert 40 < two.train_rate(128) < 55
    assert 180 < two.infer_rate(128) < 210
    assert Machine(4, 0, ()).train_rate(224) == 24


def test_init_imports_no_torch():
    code = "import sys, foldwise.stages.init; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
