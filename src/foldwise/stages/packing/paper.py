"""What is written into a pack for people and for uploads: a README and the dataset's metadata."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foldwise.platforms.kaggle_datasets import TITLE_LENGTH
from foldwise.publish import publish_json, publish_text
from foldwise.stages.packing.platforms import NotebookPlatform
from foldwise.stages.progress import duration

#: Of Kaggle's own client; not part of the content.
METADATA = "dataset-metadata.json"
#: In the metadata until somebody says whose dataset it is: `foldwise push` knows.
YOUR_NAME = "YOUR_KAGGLE_NAME"


def dataset_title(competition: str, pack: str) -> str:
    """Title of the dataset that is made of a pack; no other pack's is the same.

    What is too long keeps the pack's name and a hash of both, and less of the competition's name.

    >>> dataset_title("Retina grades", "night")
    'Retina grades night'
    >>> dataset_title("RSNA Screening Mammography Breast Cancer Detection", "night")
    'RSNA Screening Mammography Breast Can df860c night'
    """
    title, longest = f"{competition} {pack}", TITLE_LENGTH[1]
    if len(title) > longest:
        end = f"{hashlib.sha256(title.encode()).hexdigest()[:6]} {pack}"[:longest]
        title = f"{competition[: max(0, longest - len(end) - 1)].rstrip()} {end}"
    return title.strip(" -_.")


def slug_of_title(title: str) -> str:
    """The name in addresses that Kaggle makes of a title.

    >>> slug_of_title("Retina grades: big+384")
    'retina-grades-big-384'
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def write_metadata(folder: Path, competition: str, pack: str) -> None:
    """What Kaggle's client wants beside the files of a dataset."""
    title = dataset_title(competition, pack)
    publish_json(
        folder / METADATA,
        {
            "title": title,
            "id": f"{YOUR_NAME}/{slug_of_title(title)}",
            "licenses": [{"name": "other"}],
        },
    )


def write_readme(
    folder: Path, facts: Mapping[str, Any], platform: NotebookPlatform, missing: Sequence[str]
) -> None:
    """How an answer's pack is used, there and here.

    Args:
        folder: of the pack.
        facts: of `pack.json`.
        platform: that it is made for.
        missing: what the platform's image must have.
    """
    name, rounds, file = facts["name"], facts["rounds"], facts["submission"]
    mirrored = f"""
## Here, with the platform's own folders

```
docker run --rm --network none \\
  -v "$PWD":{platform.input}/{name}:ro -v /path/to/data:{platform.input}/data:ro \\
  -v "$PWD"/out:{platform.output} IMAGE_OF_THE_PLATFORM \\
  python {platform.input}/{name}/predict.py
```
"""
    publish_text(
        folder / "README.md",
        f"""# {name}: answers with {facts["run"]}

Made for {platform.title}: at most {facts["limit"]}, about {duration(facts["seconds"])} by forecast,
in {len(rounds)} rounds. A whole `{file}` is there from the first minute on and gets better
with every round; `answer.json` beside it says what is in it.

## There

{platform.answer_steps}

The image must have: {", ".join(missing)}. All else is in `wheels/`.

## Here

```
python predict.py --input /path/to/data --output out
```
{mirrored if platform.input.startswith("/") else ""}""",
    )
