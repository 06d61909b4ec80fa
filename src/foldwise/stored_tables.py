"""Arrow and Parquet files that say what they hold: opened, or refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from foldwise.errors import DataError

_KEY = b"foldwise"


class Stored(Protocol):
    """A table, or a reader of one."""

    schema: pa.Schema


T = TypeVar("T", bound=Stored)


def facts(form: int, **known: Any) -> dict[str, str]:
    """Metadata for a file's schema, which `open_stored` reads.

    Args:
        form: number of the file's format.
        known: what else is said of it, as JSON can hold it.
    """
    return {_KEY.decode(): json.dumps({"format": form, **known})}


def open_stored(
    path: Path, read: Callable[[Path], T], *, what: str, form: int, first: str
) -> tuple[T, dict[str, Any]]:
    """A file and what it says of itself.

    Args:
        path: the file.
        read: opens it.
        what: what it holds, for messages.
        form: number of the format that is read here.
        first: the command that writes it.

    Raises:
        DataError: it is absent or damaged, or not of this format.
    """
    try:
        found = read(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", remedy=f"run `{first}` first") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: damaged: {error}", remedy="delete it and run again") from None
    meta = json.loads((found.schema.metadata or {}).get(_KEY, b"{}"))
    if meta.get("format") != form:
        raise DataError(f"{path}: not a foldwise file of {what} of format {form}, found {meta}")
    return found, meta
