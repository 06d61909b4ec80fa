"""Zip files from elsewhere: what is honest comes out whole, what is not leaves nothing behind."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from foldwise import archives
from foldwise.archives import unpack, unpacked_bytes
from foldwise.errors import DataError


def zip_of(path: Path, members: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def linked(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def test_an_honest_archive_comes_out_whole(tmp_path: Path) -> None:
    files = {"train.csv": b"id,label\n", "images/a b.png": b"\x89" * 3_000_000, "images/é.png": b""}
    archive = zip_of(tmp_path / "a.zip", list(files.items()))
    seen: list[int] = []
    unpack(archive, tmp_path / "data", step=seen.append)
    assert {name: (tmp_path / "data" / name).read_bytes() for name in files} == files
    assert seen[-1] == unpacked_bytes(archive) == sum(map(len, files.values()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "data"]


#: Names that lie outside, or that no file has.
OUTSIDE = [
    "../out.txt",
    "../../out.txt",
    "..",
    "a/..",
    "a/../../out.txt",
    "a/b/../../../out.txt",
    "./../out.txt",
    "/tmp/out.txt",
    "/out.txt",
    "//host/share/out.txt",
    "C:/out.txt",
    "c:out.txt",
    "C:\\out.txt",
    "..\\out.txt",
    "a\\..\\..\\out.txt",
    "\\\\host\\share\\out.txt",
    "a/" + "../" * 20 + "out.txt",
]
KINDS = {
    "link": stat.S_IFLNK,
    "device": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "pipe": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}
HONEST = ("train.csv", b"id,label\n")
HOSTILE: dict[str, list[tuple[str | zipfile.ZipInfo, bytes]]] = {
    **{f"{name} alone": [(name, b"x")] for name in OUTSIDE},
    **{f"{name} behind an honest one": [HONEST, (name, b"x")] for name in OUTSIDE},
    **{f"{kind} alone": [(linked("odd", mode), b"/etc")] for kind, mode in KINDS.items()},
    **{f"{kind} last": [HONEST, (linked("odd", mode), b"/etc")] for kind, mode in KINDS.items()},
    "link and what goes through it": [
        (linked("link", stat.S_IFLNK), b"/etc"),
        ("link/out.txt", b"x"),
    ],
    "link to a folder above": [(linked("up", stat.S_IFLNK), b".."), ("up/out.txt", b"x")],
    "file and folder": [("a", b"x"), ("a/b", b"y")],
    "folder and file": [("a/b", b"y"), ("a", b"x")],
}
TARS = ["w", "w:gz", "w:bz2", "w:xz"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    archive = zip_of(home / "a.zip", HOSTILE[name])
    with pytest.raises(DataError):
        unpack(archive, home / "data")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "home",
        "home/a.zip",
    ]


@pytest.mark.parametrize("mode", TARS)
@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "link", "device"])
def test_a_tar_is_refused_whatever_is_in_it(tmp_path: Path, mode: str, name: str) -> None:
    info = tarfile.TarInfo(name)
    if name in ("link", "device"):
        info.type = tarfile.SYMTYPE if name == "link" else tarfile.CHRTYPE
        info.linkname = "/etc"
    with tarfile.open(tmp_path / "a.zip", mode) as file:  # type: ignore[call-overload]  # A mode.
        file.addfile(info)
    with pytest.raises(DataError, match="damaged"):
        unpack(tmp_path / "a.zip", tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_there_are_as_many_cases_as_were_promised() -> None:
    assert len(HOSTILE) + 4 * len(TARS) >= 60


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        archive = zip_of(tmp_path / "a.zip", [("a", b"x"), ("a", b"y")])
    with pytest.raises(DataError, match="'a' is there twice"):
        unpack(archive, tmp_path / "data")


def test_what_does_not_fit_on_the_disk_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = zip_of(tmp_path / "a.zip", [("bomb", bytes(50_000_000))])
    assert archive.stat().st_size < 100_000
    monkeypatch.setattr(archives, "_RESERVE", 10**18)
    with pytest.raises(DataError, match=r"unpacked it takes 0\.1 GB"):
        unpack(archive, tmp_path / "data")


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    data = bytearray(zip_of(tmp_path / "a.zip", [("a", bytes(range(256)) * 40)]).read_bytes())
    for place in (len(data) // 3, 40, len(data) - 5):
        hurt = bytearray(data)
        hurt[place] ^= 0xFF
        (tmp_path / "b.zip").write_bytes(hurt)
        with pytest.raises(DataError, match="damaged") as error:
            unpack(tmp_path / "b.zip", tmp_path / "data")
        assert "delete it" in error.value.remedy
    (tmp_path / "c.zip").write_bytes(io.BytesIO(b"no zip").getvalue())
    with pytest.raises(DataError, match="damaged"):
        unpacked_bytes(tmp_path / "c.zip")
    assert not (tmp_path / "data").exists()
