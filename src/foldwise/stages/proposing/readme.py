"""What the text beside the data says: metric, class shares in test, rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foldwise.metrics import METRICS, Metric
from foldwise.stages.proposing.rules import EXTERNAL, PRETRAINED, ban_on

_FILES = re.compile(
    r"(readme|overview|description|evaluation|rules|about|data)[^/]*", re.IGNORECASE
)
_ENDINGS = ("", ".md", ".txt", ".rst", ".html")
_MAX_BYTES = 500_000
_ABOUT_METRIC = re.compile(r"metric|evaluat|scored|judged|leaderboard|measured")
_TEST_BALANCED = re.compile(
    r"test (set |split |data |images |rows )?(is|are|was) "
    r"((nearly|almost|roughly|approximately|about|class-?|perfectly) ?)*balanced"
)


@dataclass(frozen=True)
class Readme:
    """What was read.

    Attributes:
        text: lower case; "" if there is none.
        files: names of the files.
        metrics: named metrics → the words that named them, in order of their place in the text.
        test_balanced: the words that say that classes are equally common in test, or None.
        no_pretrained: the words that forbid pretrained weights, or None.
        no_external: the words that forbid external data, or None.
    """

    text: str
    files: tuple[str, ...]
    metrics: dict[str, str]
    test_balanced: str | None
    no_pretrained: str | None
    no_external: str | None


def read_readme(data: Path) -> Readme:
    """Read the texts that lie in the folder."""
    paths = [
        path
        for path in sorted(data.iterdir())
        if path.suffix.lower() in _ENDINGS
        and _FILES.fullmatch(path.stem)
        and path.is_file()
        and path.stat().st_size <= _MAX_BYTES
    ]
    raw = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)
    text = re.sub(r"[*_`]{2,}|[*`]", "", raw.lower())
    return Readme(
        text=text,
        files=tuple(path.name for path in paths),
        metrics=metrics_named(text, METRICS),
        test_balanced=_found(_TEST_BALANCED, text),
        no_pretrained=ban_on(PRETRAINED, text),
        no_external=ban_on(EXTERNAL, text),
    )


def metrics_named(text: str, metrics: Mapping[str, Metric]) -> dict[str, str]:
    """Metrics that a text names, by their words; of overlapping words the longest count.

    Sentences about how answers are judged count alone where they name any.

    >>> list(metrics_named("metric: balanced accuracy. we got 0.9 accuracy", METRICS))
    ['balanced_accuracy']
    """
    words = {word: name for name, metric in metrics.items() for word in metric.words}
    longest_first = sorted(words, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(?![\w-])")
    about = [s for s in re.split(r"(?<=[.!?;])\s|\n", text) if _ABOUT_METRIC.search(s)]
    for part in ("\n".join(about), text):
        found: dict[str, str] = {}
        for match in pattern.finditer(part):
            found.setdefault(words[match[1]], match[1])
        if found:
            return found
    return {}


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return None if match is None else " ".join(match[0].split())
