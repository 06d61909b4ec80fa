from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foldwise.data import wire
from foldwise.data.decode import open_bytes
from foldwise.data.decoder_pool import Damaged, Limits, Prepared, decode_all
from foldwise.data.hashes import phash
from foldwise.data.render import pixels_of, render
from foldwise.data.sources import ImageRef, content_hash
from foldwise.data.spec import THUMB, CacheSpec

from .pictures import coded, photo, png

MAIN = CacheSpec(24, "pad")
NUM_MUTANTS = 480


def written(folder: Path, files: dict[str, bytes]) -> list[ImageRef]:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [ImageRef(folder / name) for name in files]


def children() -> list[int]:
    """Decoders of this process that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(")")
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid() and state != "Z":
            command = (path.parent / "cmdline").read_bytes()
            if b"decoder_worker" in command:
                found.append(int(name.split()[0]))
    return found


def test_results_are_those_of_this_process(tmp_path: Path) -> None:
    pixels = {f"{k}.png": photo(30 + k, 50, seed=k) for k in range(20)}
    refs = written(tmp_path, {name: coded(array, "PNG") for name, array in pixels.items()})
    found = dict(decode_all(refs, [MAIN, THUMB], workers=2))
    assert sorted(found) == list(range(20))
    for index, array in enumerate(pixels.values()):
        data = refs[index].path.read_bytes()
        picture, info = open_bytes(data)
        result = found[index]
        assert isinstance(result, Prepared)
        assert result.sha256 == content_hash(data)
        assert result.phash == phash(array)
        assert result.info == info
        for spec, stored in zip((MAIN, THUMB), result.stored, strict=True):
            assert (pixels_of(stored, "raw") == render(picture, spec)).all()


def test_rows_of_arrays_go_through_the_same_door(tmp_path: Path) -> None:
    rows = np.stack([photo(40, 40, 5, seed=k) for k in range(6)])
    np.save(tmp_path / "x.npy", rows)
    refs = [ImageRef(tmp_path / "x.npy", None, k) for k in range(7)]
    found = dict(decode_all(refs, [CacheSpec(40, channels=5), THUMB], workers=1))
    assert isinstance(found[6], Damaged)
    assert "no such row" in found[6].reason
    for k in range(6):
        result = found[k]
        assert isinstance(result, Prepared)
        assert (pixels_of(result.stored[0], "raw") == rows[k]).all()
        assert result.stored[1].shape == (32, 32, 3)
        assert result.sha256 == content_hash(rows[k])


def test_large_rows_fill_pipes_both_ways_without_a_deadlock(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (9, 900, 900, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", rows)
    refs = [ImageRef(tmp_path / "x.npy", None, k) for k in range(9)]
    found = dict(decode_all(refs, [CacheSpec(900)], workers=2))
    for k, result in found.items():
        assert isinstance(result, Prepared)
        assert (pixels_of(result.stored[0], "raw") == rows[k]).all()


def mutants(seed: int) -> Iterator[tuple[str, bytes]]:
    """Damaged files: cut short, bits flipped, runs zeroed, header bytes changed."""
    rng = np.random.default_rng(seed)
    array = photo(40, 48)
    sources = {
        "jpg": coded(array, "JPEG"),
        "png": coded(array, "PNG"),
        "tif": coded(array, "TIFF", compression="tiff_lzw"),
        "webp": coded(array, "WEBP"),
    }
    for k in range(NUM_MUTANTS):
        kind, damage = list(sources)[k % 4], k // 4 % 4
        data = bytearray(sources[kind])
        if damage == 0:
            del data[int(rng.integers(1, len(data))) :]
        elif damage == 1:
            for at in rng.integers(0, len(data) * 8, rng.integers(1, 9)):
                data[at // 8] ^= 1 << at % 8
        elif damage == 2:
            at = int(rng.integers(0, len(data) - 64))
            data[at : at + 64] = bytes(64)
        else:
            data[int(rng.integers(0, 64))] = int(rng.integers(0, 256))
        yield f"{k}-{damage}.{kind}", bytes(data)


def test_no_damaged_file_ends_or_stops_the_run(tmp_path: Path) -> None:
    refs = written(tmp_path, dict(mutants(0)))
    start = time.monotonic()
    found = dict(decode_all(refs, [MAIN], workers=2, limits=Limits(cpu_s=1.0)))
    kinds = Counter(type(result).__name__ for result in found.values())
    print(f"mutants planned {NUM_MUTANTS}, done {len(found)}, {dict(kinds)}")
    assert len(found) == NUM_MUTANTS >= 400
    # Some must be found out, and some pass: JPEG has no checksum.
    assert kinds["Damaged"] > 200
    assert kinds["Prepared"] > 20
    for index, result in found.items():
        assert result.sha256 == content_hash(refs[index].path.read_bytes())
        assert isinstance(result, Prepared) or result.reason
    assert time.monotonic() - start < 60
    assert children() == []


def bombs() -> dict[str, bytes]:
    text = zlib.compress(b"a" * (64 << 20))
    frames = [Image.new("L", (8, 8), k % 256) for k in range(10_000)]
    tiff = bytearray(coded(photo(8, 8), "TIFF"))
    for tag in (256, 257):
        at = tiff.index(struct.pack("<HH", tag, 3)) if struct.pack("<HH", tag, 3) in tiff else -1
        at = at if at >= 0 else tiff.index(struct.pack("<HH", tag, 4))
        tiff[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 50_000)
    jpeg = bytearray(coded(photo(8, 8), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 50_000, 50_000)
    row = zlib.compress(bytes(1 << 24))
    return {
        "declared.png": png(50_000, 50_000, 8, 2, (b"IDAT", row)),
        "declared.tif": bytes(tiff),
        "declared.jpg": bytes(jpeg),
        "declared.ppm": b"P6 50000 50000 255\n",
        "declared.bmp": b"BM"
        + struct.pack("<IIIIiiHH24x", 0, 0, 54, 40, 50_000, 50_000, 1, 24),
        "text.png": png(1, 1, 8, 0, (b"zTXt", b"a\0\0" + text), (b"IDAT", zlib.compress(bytes(2)))),
        "many-texts.png": png(
            1, 1, 8, 0,
            *[(b"zTXt", b"a\0\0" + zlib.compress(b"a" * (1 << 20)))] * 80,
            (b"IDAT", zlib.compress(bytes(2))),
        ),
        "frames.gif": coded(frames[0], "GIF", save_all=True, append_images=frames[1:2000] * 5),
    }  # fmt: skip


def test_bombs_are_refused_or_cost_little(tmp_path: Path) -> None:
    files = bombs()
    refs = written(tmp_path, files)
    start = time.monotonic()
    found = {refs[i].path.name: r for i, r in decode_all(refs, [MAIN], workers=2)}
    took = time.monotonic() - start
    print(f"bombs planned {len(files)}, done {len(found)}, {took:.1f} s")
    for name in files:
        if name.startswith("declared"):
            result = found[name]
            assert isinstance(result, Damaged), name
            assert "50000 x 50000" in result.reason
    assert isinstance(found["text.png"], Damaged)
    assert isinstance(found["many-texts.png"], Damaged)
    assert isinstance(found["frames.gif"], Prepared)  # Its first frame.
    assert took < 15


def test_memory_and_processor_limits_name_what_was_exceeded(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2500, 2500, 3), dtype=np.uint8)
    refs = written(tmp_path, {"a.png": coded(photo(9, 9), "PNG"), "b.bmp": coded(noise, "BMP")})
    refs = [refs[0], refs[1], refs[0]]
    found = dict(decode_all(refs, [MAIN], workers=1, limits=Limits(memory_bytes=24 << 20)))
    result, told = found[1], "out of memory: needs more than 24 MiB (decoding.memory_mib)"
    assert isinstance(result, Damaged)
    assert result.sha256 in (None, content_hash(refs[1].path.read_bytes()))
    assert result.reason == told
    assert isinstance(found[0], Prepared)
    assert isinstance(found[2], Prepared)
    found = dict(decode_all(refs, [MAIN], workers=1, limits=Limits(cpu_s=0.01)))
    assert found[1] == Damaged(
        content_hash(refs[1].path.read_bytes()),
        "took longer than 0.01 s of processor time (decoding.cpu_s)",
    )
    assert isinstance(found[2], Prepared)


def test_what_hangs_without_computing_is_given_up_by_the_clock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never.png")  # Reading it waits for a writer that never comes.
    refs = written(tmp_path, {"a.png": coded(photo(9, 9), "PNG")})
    refs.insert(0, ImageRef(tmp_path / "never.png"))
    found = dict(decode_all(refs, [MAIN], workers=1, limits=Limits(wall_s=0.5)))
    assert found[0] == Damaged(None, "took longer than 0.5 s by the clock (decoding.wall_s)")
    assert isinstance(found[1], Prepared)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_decoder_killed_in_the_middle_costs_at_most_its_image(
    tmp_path: Path, how: signal.Signals
) -> None:
    files = {f"{k}.png": coded(photo(60, 60, seed=k), "PNG") for k in range(60)}
    refs = written(tmp_path, files)
    found, kills = {}, 0
    for index, result in decode_all(refs, [MAIN], workers=2):
        found[index] = result
        if len(found) in (10, 20, 30):
            os.kill(children()[0], how)
            kills += 1
    damaged = [result for result in found.values() if isinstance(result, Damaged)]
    print(f"kills planned 3, done {kills}, images lost {len(damaged)}")
    assert kills == 3
    assert sorted(found) == list(range(60))
    if how == signal.SIGKILL:
        assert damaged == []  # From outside: the image is tried again.
    else:
        assert len(damaged) <= 3
        assert {result.reason for result in damaged} <= {"decoder died (signal 11, SIGSEGV)"}
    assert children() == []


def test_a_slow_caller_is_no_hanging_decoder(tmp_path: Path) -> None:
    refs = written(tmp_path, {f"{k}.png": coded(photo(9, 9, seed=k), "PNG") for k in range(12)})
    found = []
    for _, result in decode_all(refs, [MAIN], workers=2, limits=Limits(wall_s=0.2)):
        found.append(result)
        if len(found) in (1, 5):
            time.sleep(0.5)
    assert len(found) == 12
    assert all(isinstance(result, Prepared) for result in found)


def test_decoders_end_when_the_caller_stops(tmp_path: Path) -> None:
    refs = written(tmp_path, {f"{k}.png": coded(photo(9, 9, seed=k), "PNG") for k in range(40)})
    results = decode_all(refs, [MAIN], workers=2)
    next(results)
    assert len(children()) == 2
    results.close()
    assert children() == []


def test_decoders_end_when_the_run_is_killed(tmp_path: Path) -> None:
    refs = written(tmp_path, {"a.png": coded(photo(9, 9), "PNG")})
    script = (
        "import sys, time\nfrom pathlib import Path\n"
        "from foldwise.data.decoder_pool import decode_all\n"
        "from foldwise.data.sources import ImageRef\nfrom foldwise.data.spec import CacheSpec\n"
        "results = decode_all([ImageRef(Path(sys.argv[1]))] * 50, [CacheSpec(8)], workers=2)\n"
        "next(results)\nprint('started', flush=True)\ntime.sleep(60)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script, str(refs[0].path)], stdout=subprocess.PIPE
    )
    assert run.stdout is not None
    with run.stdout:
        assert run.stdout.readline() == b"started\n"
        run_children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        run.kill()
        run.wait()
    assert len(run_children) == 2
    deadline = time.monotonic() + 5
    while any(is_alive(pid) for pid in run_children):
        assert time.monotonic() < deadline, "a decoder outlived its run"
        time.sleep(0.02)


def is_alive(pid: str) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_decoder_imports_no_torch_pandas_or_pydantic() -> None:
    script = (
        "import sys, foldwise.data.decoder_worker as w\n"
        "print([m for m in ('torch', 'pandas', 'pydantic', 'scipy', 'rich') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert out.stdout.strip() == "[]"


def test_a_module_of_the_users_own_name_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    refs = written(tmp_path, {"a.png": coded(photo(9, 9), "PNG")})
    assert isinstance(dict(decode_all(refs, [], workers=1))[0], Prepared)


def test_missing_files_are_listed_with_the_reason(tmp_path: Path) -> None:
    found = dict(decode_all([ImageRef(tmp_path / "gone.png")], [MAIN], workers=1))
    assert found[0] == Damaged(None, "cannot be read: No such file or directory")


def test_decoders_work_where_the_system_is_not_linux(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(fcntl, "F_SETPIPE_SZ")
    monkeypatch.delattr(os, "sched_getaffinity")
    refs = written(tmp_path, {"a.png": coded(photo(9, 9), "PNG")})
    assert isinstance(dict(decode_all(refs, [MAIN]))[0], Prepared)
    script = (
        "import sys\nfrom pathlib import Path\nimport foldwise.data.decoder_worker as worker\n"
        "worker._STATM = Path('/nowhere/statm')\nworker.main()\n"
    )
    setup = b"".join(wire.pack({"specs": [], "memory_bytes": 1 << 30}, [b""]))
    done = subprocess.run([sys.executable, "-c", script], input=setup, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"ready" in done.stdout
