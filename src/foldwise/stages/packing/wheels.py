"""Wheels from what is installed here, so that a pack needs no download, here or there."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import foldwise
from foldwise.publish import publish

OWN = "foldwise"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: Of every file in a wheel, so that the same content is the same wheel.
_TIME = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json")
#: Of compiled files, which are large: half the time of the usual level, a tenth more bytes.
_QUICK = 1
#: What foldwise's extras ask for, as `pyproject.toml` says; an installation that is edited in place
#: may have been made before it did.
EXTRAS = {"masks": ("numba>=0.61", "segmentation-models-pytorch>=0.5")}


def requirements(name: str = OWN) -> list[str]:
    """What a distribution needs, without its extras.

    Raises:
        metadata.PackageNotFoundError: it is not installed.
    """
    found = metadata.distribution(name).requires or []
    return [line for line in found if "extra ==" not in line]


def write_wheels(
    folder: Path, more: Sequence[str] = (), *, extras: Sequence[str] = ()
) -> list[str]:
    """Write the wheels of foldwise and of all it needs that is plain Python.

    What holds compiled code (torch, numpy...) is for one platform and stays with the image of the
    notebook; so does what only that needs. Only what an extra asks for goes along, compiled or not:
    few images have it, and pip passes over wheels that are for another platform.

    Args:
        folder: of the wheels.
        more: further distributions, installed here.
        extras: keys of `EXTRAS`.

    Returns:
        Names of what is needed and not among the wheels.
    """
    seen: set[str] = set()
    missing = []
    for name, found in _closure([OWN, *more], seen):
        if _is_plain_python(found):
            _write_wheel(folder, found)
        else:
            missing.append(name)
    asked = _names(line for extra in extras for line in EXTRAS[extra])
    for _, found in _closure(asked, seen, is_whole=True):
        _write_wheel(folder, found)
    return sorted(missing)


def _closure(
    names: Iterable[str], seen: set[str], *, is_whole: bool = False
) -> Iterator[tuple[str, metadata.Distribution]]:
    """Distributions and what they need, each once; what compiled ones need only if it is whole.

    Args:
        names: to begin with.
        seen: plain names of those that are passed over; those that are given are added.
        is_whole: see above.
    """
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if plain_name(name) in seen:
            continue
        seen.add(plain_name(name))
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # For another platform or Python: markers are not read here.
        yield name, found
        if is_whole or _is_plain_python(found):
            waiting += _names(requirements(name))


def _names(lines: Iterable[str]) -> list[str]:
    return [match[0] for line in lines if (match := _NAME.match(line))]


def plain_name(name: str) -> str:
    """A distribution's name as registries compare it.

    >>> plain_name("Foo_Bar.baz")
    'foo-bar-baz'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_plain_python(found: metadata.Distribution) -> bool:
    tags = _tags(found)
    return bool(tags) and all(tag.endswith("py3-none-any") for tag in tags)


def _tags(found: metadata.Distribution) -> list[str]:
    """What it was built for, such as `cp312-cp312-manylinux_2_28_x86_64`."""
    lines = (found.read_text("WHEEL") or "").splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Tag:")]


def _tag_in_name(found: metadata.Distribution) -> str:
    """All of its tags in one, as names of wheels have them."""
    if _is_plain_python(found):
        return "py3-none-any"
    parts = zip(*(tag.split("-") for tag in _tags(found)), strict=True)
    return "-".join(".".join(dict.fromkeys(part)) for part in parts)


def _write_wheel(folder: Path, found: metadata.Distribution) -> None:
    name = plain_name(found.metadata["Name"]).replace("-", "_")
    info = f"{name}-{found.version}.dist-info"
    entries = dict(_entries(found, info))
    lines = [f"{path},{_digest(data)},{len(data)}" for path, data in entries.items()]
    record = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    level = None if _is_plain_python(found) else _QUICK

    def write(part: Path) -> None:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as wheel:
            for path, data in [*entries.items(), (f"{info}/RECORD", record)]:
                wheel.writestr(zipfile.ZipInfo(path, _TIME), data, zipfile.ZIP_DEFLATED, level)

    publish(folder / f"{name}-{found.version}-{_tag_in_name(found)}.whl", write)


def _entries(found: metadata.Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    """Path inside the wheel → content."""
    files = {str(path): Path(str(path.locate())) for path in found.files or []}
    if plain_name(found.metadata["Name"]) == OWN:  # It may be installed from where it is edited.
        package = Path(foldwise.__file__).parent
        files = {path: place for path, place in files.items() if ".dist-info/" in path}
        files |= {f"{OWN}/{path.relative_to(package)}": path for path in package.rglob("*")}
    for path, place in sorted(files.items()):
        is_passing = "__pycache__" in path or path.startswith("..") or path.endswith(".pth")
        if is_passing or not place.is_file() or Path(path).name in _LEFT_OUT:
            continue
        head, inside, rest = path.partition(".dist-info/")
        yield (f"{info}/{rest}" if inside and "/" not in head else path), place.read_bytes()


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
