"""Where an image's bytes come from: a file, or one row of an npy or npz array."""

from __future__ import annotations

import functools
import hashlib
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from foldwise.errors import DataError


@dataclass(frozen=True)
class ImageRef:
    """One image of the raw data.

    Attributes:
        path: the image file, or the npy or npz file that holds it.
        array: name of the array in an npz file; None for an npy file or an image file.
        index: row of the array; None says that `path` is an image file.
    """

    path: Path
    array: str | None = None
    index: int | None = None

    @property
    def key(self) -> str:
        """How messages name it: `a/7.png` or `images.npz:train[7]`."""
        if self.index is None:
            return str(self.path)
        return f"{self.path}{'' if self.array is None else f':{self.array}'}[{self.index}]"


def read(ref: ImageRef) -> bytes | np.ndarray:
    """The bytes of a file, or the pixels of an array's row.

    Raises:
        OSError: the file cannot be read.
        DataError: no such array or row, or an array that holds no images.
    """
    if ref.index is None:
        return ref.path.read_bytes()
    stat = ref.path.stat()
    rows = _rows(ref.path, ref.array, stat.st_mtime_ns, stat.st_size)
    if not 0 <= ref.index < len(rows):
        raise DataError(f"{ref.key}: no such row; the array has {len(rows)}, counted from 0")
    row: np.ndarray = rows[ref.index]
    return row


def content_hash(content: bytes | np.ndarray) -> str:
    """SHA-256 in hex: of a file's bytes, or of an array's type, shape and values.

    >>> content_hash(b"")[:8]
    'e3b0c442'
    """
    if not isinstance(content, np.ndarray):
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256(f"{content.dtype.str}{content.shape}".encode())
    digest.update(np.ascontiguousarray(content).data)
    return digest.hexdigest()


def hash_all(refs: Sequence[ImageRef], *, threads: int = 2) -> list[str | None]:
    """Content hash of each image in order, None where it cannot be read.

    Tells what a cache still lacks without decoding anything.
    """
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(hash_of, refs))


def hash_of(ref: ImageRef) -> str | None:
    """Content hash of one image, None where it cannot be read."""
    try:
        if ref.index is not None:
            return content_hash(read(ref))
        with ref.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, DataError):
        return None


@functools.lru_cache(maxsize=8)
def _rows(path: Path, name: str | None, mtime_ns: int, size: int) -> np.ndarray:
    """The array, mapped where its bytes lie plain in the file, else loaded once.

    Time and size are in the key so that a file that was replaced is read anew.
    """
    try:
        rows = np.load(path, mmap_mode="r") if name is None else _npz_rows(path, name)
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{path}: not a readable npy or npz file: {error}") from None
    if not isinstance(rows, np.ndarray):
        raise DataError(
            f"{path}: an npz file needs the name of its array; it holds {', '.join(rows.files)}"
        )
    if rows.ndim not in (3, 4):
        raise DataError(f"{path}: images are (N, H, W) or (N, H, W, C), found shape {rows.shape}")
    return rows


def _npz_rows(path: Path, name: str) -> np.ndarray:
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        names = [member.removesuffix(".npy") for member in archive.namelist()]
        if name not in names:
            raise DataError(f"{path}: no array {name!r}; it holds {', '.join(names)}")
        member = archive.infolist()[names.index(name)]
        if member.compress_type == zipfile.ZIP_STORED:
            return _mapped(path, file, member.header_offset)
        _check_memory(path, name, member.file_size)
        with np.load(path, allow_pickle=False) as arrays:
            loaded: np.ndarray = arrays[name]
    return loaded


def npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and type of an npy file; leaves `file` at the numbers.

    Raises:
        ValueError: it is none.
    """
    version = np.lib.format.read_magic(file)
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, is_fortran, dtype = read_header(file)
    return shape, is_fortran, dtype


def _mapped(path: Path, file: BinaryIO, header_offset: int) -> np.ndarray:
    """Map an uncompressed member in place: past its zip header, then past its npy header."""
    file.seek(header_offset + 26)
    name_size, extra_size = np.frombuffer(file.read(4), "<u2")
    file.seek(header_offset + 30 + int(name_size) + int(extra_size))
    shape, is_fortran, dtype = npy_header(file)
    if dtype.hasobject:
        raise DataError(f"{path}: holds Python objects, not numbers")
    mapped: np.ndarray = np.memmap(
        path, dtype, "r", offset=file.tell(), shape=shape, order="F" if is_fortran else "C"
    )
    return mapped


def _check_memory(path: Path, name: str, num_bytes: int) -> None:
    import psutil  # Here because the decoders import this module and start faster without it.

    available = psutil.virtual_memory().available
    if num_bytes > 0.8 * available:
        raise DataError(
            f"{path}: array {name!r} is compressed and needs {num_bytes / 2**30:.1f} GiB of "
            f"memory; {available / 2**30:.1f} GiB are free",
            remedy="save it with numpy.savez (not savez_compressed) or as .npy: "
            "then it is read row by row",
        )
