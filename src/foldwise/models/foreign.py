"""Foreign `.pt` files: screened without unpickling, read once in a child process, converted."""

from __future__ import annotations

import io
import json
import os
import pickletools
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from foldwise.errors import ConfigError

_MAX_PICKLE = 64 << 20
_MAX_HEADER = 4 << 20
_MAX_ENTRIES = 50_000
_TIMEOUT_S = 300
# A file of the old format starts with five pickles: magic, protocol, system, weights, keys.
_NUM_OLD_PICKLES = 5
_OLD_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_REMEDY = (
    "save the weights alone, as safetensors or with torch.save(model.state_dict(), ...), "
    "where the file comes from"
)


def convert(source: Path, target: Path) -> None:
    """Read a foreign weights file in a child process and write it as safetensors.

    The child reads with `weights_only=True`; nothing is ever unpickled in full. The order of the
    weights is kept in the metadata, see `key_order`.

    Args:
        source: `.pt`, `.pth` or `.bin`.
        target: written; publish around it.

    Raises:
        ConfigError: it holds more than weights, is damaged, or cannot be read.
    """
    refuse_code(source)
    # -P: a torch.py in the working folder must not be what the child imports.
    command = [sys.executable, "-P", "-m", "foldwise.models.convert", str(source), str(target)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{source}: not read within {_TIMEOUT_S} s", remedy=_REMEDY) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        reason = lines[-1] if lines else f"the reading process died with code {done.returncode}"
        raise ConfigError(f"{source}: cannot be read: {reason[:500]}", remedy=_REMEDY)


def refuse_code(path: Path) -> None:
    """Look at a file's pickles without running them, and refuse what is not plain weights.

    This only spares a process its start for files that are refused anyway and names the reason;
    the guard is the child's `weights_only`.

    Raises:
        ConfigError: names what the file would call or how it is damaged.
    """
    try:
        calls = sorted(set(_calls(path)) - _HARMLESS)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, struct.error) as error:
        raise ConfigError(f"{path}: not a whole weights file: {error}", remedy=_REMEDY) from error
    except (IndexError, KeyError, NotImplementedError, RuntimeError) as error:
        raise ConfigError(f"{path}: a damaged file: {error!r}", remedy=_REMEDY) from error
    if calls:
        raise ConfigError(
            f"{path}: holds more than weights, it would call {', '.join(calls[:5])}",
            remedy=_REMEDY,
        )


def check_header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file, refused when too large to be honest.

    Returns:
        Name of each tensor → its entry, and `__metadata__`.

    Raises:
        ConfigError: not safetensors, cut off, or more than 50,000 entries or 4 MiB of header.
    """
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > _MAX_HEADER:
                raise ConfigError(f"{path}: a header of {size} bytes, at most {_MAX_HEADER}")
            header = json.loads(file.read(size))
    except (OSError, struct.error, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a safetensors file: {error}") from error
    if not isinstance(header, dict):
        raise ConfigError(f"{path}: not a safetensors file: its header is no mapping")
    if len(header) > _MAX_ENTRIES:
        raise ConfigError(f"{path}: {len(header)} entries, at most {_MAX_ENTRIES}")
    return header


def key_order(path: Path) -> list[str]:
    """Names of the weights as they were in the foreign file that `convert` read."""
    order: list[str] = json.loads(check_header(path)["__metadata__"]["order"])
    return order


def _calls(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        start = file.read(len(_OLD_START))
        file.seek(0)
        if start == _OLD_START:
            for _ in range(_NUM_OLD_PICKLES):
                yield from _calls_of_pickle(file)
        elif start.startswith(b"PK"):
            yield from _calls_of_pickle(io.BytesIO(_zipped_pickle(path)))
        else:
            raise ValueError(f"starts with {start[:4]!r}, which torch.save never writes")


def _zipped_pickle(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        packed = [m.filename for m in members if m.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise ValueError(f"{packed[0]} is compressed, which torch.save never does")
        pickles = [m for m in members if m.filename.endswith(".pkl")]
        if len(pickles) != 1 or not pickles[0].filename.endswith("data.pkl"):
            raise ValueError(f"one data.pkl was expected, found {[m.filename for m in pickles]}")
        if pickles[0].file_size > _MAX_PICKLE:
            raise ValueError(f"a pickle of {pickles[0].file_size} bytes, at most {_MAX_PICKLE}")
        return archive.read(pickles[0])


def _calls_of_pickle(file: IO[bytes]) -> Iterator[str]:
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif opcode.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
            yield f"something hidden behind {opcode.name}"


_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_DTYPES = ("float16", "bfloat16", "float32", "float64", "int64", "int32", "uint8", "bool")
_HARMLESS = {
    "collections.OrderedDict",
    "torch.Size",
    "torch.device",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch.nn.parameter.Parameter",
    *(f"torch.{name}Storage" for name in _STORAGES),
    *(f"torch.{name}" for name in _DTYPES),
}
