"""Reading a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from foldwise.errors import DataError


def read_json(path: Path) -> Any:
    """The value in a JSON file, or None if there is no such file.

    Raises:
        DataError: the file is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: damaged: {error}", remedy="delete it and run again") from None
