"""Foreign files: honest ones come through whole, hostile ones run nothing and end at once."""

from __future__ import annotations

import builtins
import io
import json
import os
import pickle
import struct
import subprocess
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from foldwise.errors import ConfigError
from foldwise.models.convert import plain_weights
from foldwise.models.foreign import check_header, convert, key_order, refuse_code
from foldwise.models.weights import Weights, resolve

# Of this process: wall time would measure the neighbours.
_LIMIT_S = 2.0


class _Call:
    """Calls something when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.made = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.made


class _Build:
    """Has its state set by a call when it is unpickled."""

    def __init__(self, call: _Call) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return OrderedDict, (), {"state": self.call}


def _calls(canary: Path) -> dict[str, Any]:
    touch = f"touch {canary}"
    return {
        "system": _Call(os.system, touch),
        "popen": _Call(subprocess.Popen, ["touch", str(canary)]),
        "exec": _Call(exec, f"open({str(canary)!r}, 'w')"),
        "eval": _Call(eval, f"open({str(canary)!r}, 'w')"),
        "open": _Call(builtins.open, str(canary), "w"),
        "mkdir": _Call(os.mkdir, str(canary)),
        "load": _Call(torch.load, str(canary)),
        "getattr": _Call(getattr, _Call(__import__, "os"), "system"),
        "build": _Build(_Call(os.system, touch)),
    }


_WRAPPINGS: dict[str, Callable[[Any], Any]] = {
    "alone": lambda call: call,
    "in_a_state_dict": lambda call: {"state_dict": {"a": torch.zeros(2), "b": call}},
}


def _save(value: Any, path: Path, how: str) -> None:
    if how == "zip":
        torch.save(value, path)
    elif how == "zip_protocol_4":
        torch.save(value, path, pickle_protocol=4)
    elif how == "old":
        torch.save(value, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps(value, protocol=int(how[-1])))


@pytest.mark.parametrize("how", ["zip", "zip_protocol_4", "old", "pickle_0", "pickle_2"])
@pytest.mark.parametrize("wrapping", _WRAPPINGS)
def test_no_pickle_runs_code(how: str, wrapping: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    done = 0
    for name, call in _calls(canary).items():
        path = tmp_path / f"{name}.pt"
        _save(_WRAPPINGS[wrapping](call), path, how)
        start = time.process_time()
        with pytest.raises(ConfigError, match="save the weights alone"):
            convert(path, tmp_path / "out.safetensors")
        assert time.process_time() - start < _LIMIT_S, name
        done += 1
    assert done == 9
    assert not canary.exists()
    assert not (tmp_path / "out.safetensors").exists()


def test_the_screen_alone_is_not_the_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # With the screen out of the way, the child refuses by itself.
    monkeypatch.setattr("foldwise.models.foreign.refuse_code", lambda path: None)
    canary = tmp_path / "canary"
    torch.save({"a": _Call(os.system, f"touch {canary}")}, tmp_path / "a.pt")
    with pytest.raises(ConfigError, match="UnpicklingError"):
        convert(tmp_path / "a.pt", tmp_path / "out.safetensors")
    assert not canary.exists()


def test_what_a_file_would_call_is_named(tmp_path: Path) -> None:
    torch.save({"a": _Call(os.system, "true")}, tmp_path / "a.pt")
    with pytest.raises(ConfigError, match=r"it would call posix\.system"):
        refuse_code(tmp_path / "a.pt")


def _edit_zip(path: Path, edit: Callable[[str, bytes], bytes], packing: int = 0) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, edit(name, data))


def _compressed(path: Path) -> None:
    _edit_zip(path, lambda name, data: data, zipfile.ZIP_DEFLATED)


def _without_pickle(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data/0", b"\0" * 8)


def _nested(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps({}))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/inner.zip", inner.getvalue())


def _two_pickles(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/data.pkl", b"\x80\x02}.")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _cut_pickle(path: Path) -> None:
    _edit_zip(path, lambda name, data: data[:40] if name.endswith(".pkl") else data)


def _noise(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 8)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [
        _compressed,
        _without_pickle,
        _nested,
        _two_pickles,
        _cut,
        _cut_pickle,
        _noise,
        _empty,
    ],
)
def test_damage_is_refused_at_once(damage: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"a": torch.zeros(100)}, path)
    damage(path)
    start = time.process_time()
    with pytest.raises(ConfigError, match="save the weights alone"):
        convert(path, tmp_path / "out.safetensors")
    assert time.process_time() - start < _LIMIT_S


def _ten_gigabytes_declared(path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, path, _use_new_zipfile_serialization=False)
    # The count of a storage of 1000, as a pickled int of two bytes, becomes one of four.
    whole = path.read_bytes()
    assert whole.count(b"M\xe8\x03") >= 1
    path.write_bytes(whole.replace(b"M\xe8\x03", b"J\xff\xff\xff\x7f"))


def _storage_cut_short(path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, path)
    _edit_zip(path, lambda name, data: data[:100] if name.endswith("data/0") else data)


@pytest.mark.parametrize("lie", [_ten_gigabytes_declared, _storage_cut_short])
def test_a_storage_that_lies_about_its_size_ends_the_child_only(
    lie: Callable[[Path], None], tmp_path: Path
) -> None:
    lie(tmp_path / "a.pt")
    with pytest.raises(ConfigError, match="cannot be read"):
        convert(tmp_path / "a.pt", tmp_path / "out.safetensors")


def test_the_best_weights_in_a_checkpoint_are_taken() -> None:
    mean, last = {"a": torch.zeros(1)}, {"a": torch.ones(1)}
    assert plain_weights({"state_dict": last, "state_dict_ema": mean})["a"] == 0
    assert plain_weights({"state_dict": last, "state_dict_ema": None})["a"] == 1
    assert plain_weights(last)["a"] == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([torch.zeros(1)], "found <class 'list'>"),
        ({}, "found <class 'dict'>"),
        ({"a": torch.zeros(1), "lr": 0.1}, "plain tensors: lr"),
        ({3: torch.zeros(1)}, "plain tensors: 3"),
        ({"a": torch.eye(2).to_sparse()}, "plain tensors: a"),
    ],
)
def test_what_is_not_weights_is_named(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plain_weights(value)


def _header(entries: Any, size: int | None = None, data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def _entry(start: int, end: int) -> dict[str, Any]:
    return {"dtype": "U8", "shape": [end - start], "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "content",
    [
        _header({f"t{i}": _entry(0, 0) for i in range(100_000)}),
        _header({f"t{i}": 0 for i in range(60_000)}),
        _header({}, size=1 << 40),
        _header({}, size=5 << 20),
        _header({"a": _entry(0, 8), "b": _entry(4, 12)}, data=bytes(12)),
        _header({"a": _entry(0, 1 << 40)}, data=bytes(8)),
        _header({"a": _entry(0, 8)}, data=bytes(4)),
        _header({"a": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 8]}}, data=bytes(8)),
        _header({"a": {"dtype": "X9", "shape": [8], "data_offsets": [0, 8]}}, data=bytes(8)),
        _header([1, 2]),
        _header({"a": 3}),
        struct.pack("<Q", 30_000) + b"[" * 30_000,
        b"",
        b"\x01",
        b"not weights at all",
    ],
    ids=lambda content: f"{len(content)}-bytes",
)
def test_hostile_safetensors_headers_are_refused_at_once(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    start = time.process_time()
    with pytest.raises(ConfigError, match=r"a\.safetensors"):
        Weights("file:a.safetensors", path, "").read()
    assert time.process_time() - start < _LIMIT_S


def test_an_honest_header_is_read(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2, 3)}, tmp_path / "a.safetensors", metadata={"k": "v"})
    header = check_header(tmp_path / "a.safetensors")
    assert header["a"]["shape"] == [2, 3]
    assert header["__metadata__"] == {"k": "v"}


def test_an_honest_file_comes_through_whole_in_order_and_once(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).state_dict()
    _save({"epoch": 3, "model": state}, tmp_path / "a.pth", "zip")
    settings: dict[str, Any] = {"name": "resnet18", "rules_pretrained": "allowed"}
    first = resolve("a.pth", cache=tmp_path / "cache", folder=tmp_path, **settings)
    assert first is not None
    assert key_order(first.file) == list(state)
    found = first.read()
    assert all(torch.equal(found[name], value) for name, value in state.items())
    before = first.file.stat().st_mtime_ns
    assert resolve(str(tmp_path / "a.pth"), cache=tmp_path / "cache", **settings) == first
    assert first.file.stat().st_mtime_ns == before


@pytest.mark.parametrize("how", ["zip", "old"])
def test_the_screen_lets_honest_files_pass(how: str, tmp_path: Path) -> None:
    kinds = (torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.float64)
    value = {str(kind): torch.zeros(3).to(kind) for kind in kinds}
    value["parameter"] = nn.Parameter(torch.zeros(2))
    _save(OrderedDict(state_dict=value), tmp_path / "a.pt", how)
    refuse_code(tmp_path / "a.pt")
