"""Which task and metric it is: from flags, the platform, the text, names and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from foldwise.errors import ConfigError, DataError
from foldwise.metrics import METRICS
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.readme import Readme
from foldwise.stages.proposing.source import Source, can_score
from foldwise.tasks import TASKS
from foldwise.tasks.labels import sound_rows
from foldwise.tasks.task import Evidence, Guess, MasksSeen, Task

#: Below this a guess counts as undecided, and so do two tasks nearer to each other than that.
_MIN_CONFIDENCE = 0.6
_MIN_LEAD = 0.1

#: A question and the answer that is taken by default → the answer.
Ask = Callable[[str, str], str]


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        task: the task.
        guess: its claim.
        metric: the metric by name.
        more_metrics: others that the same source names.
        undecided: what nobody confirmed, in sentences for the banner.
        notes: the guesses.
    """

    task: Task
    guess: Guess
    metric: str
    more_metrics: tuple[str, ...]
    undecided: tuple[str, ...]
    notes: tuple[Note, ...]


def find_question(
    targets: Mapping[str, Sequence[str]],
    asked: Mapping[str, Sequence[str]],
    readme: Readme,
    *,
    task: str | None,
    metric: str | None,
    ask: Ask | None,
    platform: Source | None = None,
    masks: MasksSeen | None = None,
) -> Question:
    """Decide on task and metric.

    Args:
        targets: label columns of train → their cells.
        asked: columns of the sample submission → their cells.
        readme: the text beside the data.
        task: what a flag says.
        metric: what a flag says.
        ask: puts a question to a person; None: nobody is there.
        platform: what the platform says, which comes before the text.
        masks: what was seen of masks; None: there are none.

    Raises:
        ConfigError: a flag names what there is not.
        DataError: no task recognises itself.
    """
    _check_flags(task, metric)
    sources = _sources(readme, metric, platform)
    evidence = Evidence(_sound(targets), asked, readme.text, metric=None, masks=masks)
    source, claims = _heard(sources, evidence, task)
    if not claims and task is not None:  # Whoever names the task may mean odd cells as labels.
        source, claims = _heard(sources, replace(evidence, targets=targets), task)
    if not claims:
        raise DataError(*_unrecognised(task, source))
    (chosen, guess), unsure = claims[0], _unsure(claims, task)
    undecided: list[str] = []
    why = "as you said" if task is not None else guess.reason
    if unsure is not None and ask is not None:
        chosen = ask(f"task ({', '.join(name for name, _ in claims)})", chosen)
        _check_flags(chosen, None)
        guess, why = _claim_of(chosen, claims), "as you said"
    elif unsure is not None:
        undecided.append(f"task {chosen}: {unsure}; nothing beside the data settles it")
    measure, more, note = _metric(TASKS[chosen], guess, sources, metric, ask, undecided)
    notes = (Note("task", chosen, why), note)
    return Question(TASKS[chosen], guess, measure, more, tuple(undecided), notes)


def _sound(targets: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The rows that tell a task; those left out are refused by line when the target is read."""
    sound = sound_rows(targets)
    return {
        name: [cell for cell, is_sound in zip(cells, sound, strict=True) if is_sound]
        for name, cells in targets.items()
    }


def _check_flags(task: str | None, metric: str | None) -> None:
    if task is not None and task not in TASKS:
        raise ConfigError(f"there is no task {task!r}", remedy=_tasks_there_are())
    if metric is not None and metric not in METRICS and ":" not in metric:
        raise ConfigError(
            f"there is no metric {metric!r}",
            remedy=f"known: {', '.join(METRICS)}; or your own as module:attribute",
        )


def _sources(readme: Readme, metric: str | None, platform: Source | None) -> list[Source]:
    """Who says something of the metric, the first that is to be believed first."""
    if metric is not None:
        return [Source("--metric", {metric: ""})]
    return [*([] if platform is None else [platform]), Source("the text", readme.metrics)]


def _heard(
    sources: Sequence[Source], evidence: Evidence, task: str | None
) -> tuple[Source, list[tuple[str, Guess]]]:
    """The first source that names what can score a recognised task, with the tasks' claims."""
    heard = [(source, _claims(evidence, source.metrics, task)) for source in sources]
    for source, claims in heard:
        if claims and source.able(claims[0][0]):
            return source, claims
    return next((each for each in heard if each[0].metrics), heard[-1])


def _claims(
    evidence: Evidence, named: Mapping[str, str], task: str | None
) -> list[tuple[str, Guess]]:
    """Tasks that recognise themselves with their best claim, the surest first."""
    claims = []
    for name, value in TASKS.items():
        if task not in (None, name):
            continue
        seen = [replace(evidence, metric=metric) for metric in named or (None,)]
        guesses = [guess for each in seen if (guess := value.recognise(each)) is not None]
        if guesses:
            claims.append((name, max(guesses, key=lambda guess: guess.confidence)))
    able = [c for c in claims if not named or any(can_score(m, c[0]) for m in named)]
    return sorted(able or claims, key=lambda claim: -claim[1].confidence)


def _claim_of(task: str, claims: Sequence[tuple[str, Guess]]) -> Guess:
    for name, guess in claims:
        if name == task:
            return guess
    raise DataError(*_unrecognised(task))


def _unsure(claims: Sequence[tuple[str, Guess]], task: str | None) -> str | None:
    if task is not None:
        return None
    first = claims[0][1]
    if len(claims) > 1 and first.confidence - claims[1][1].confidence < _MIN_LEAD:
        return f"it could as well be {claims[1][0]} ({claims[1][1].reason})"
    return first.reason if first.confidence < _MIN_CONFIDENCE else None


def _metric(
    task: Task,
    guess: Guess,
    sources: Sequence[Source],
    flag: str | None,
    ask: Ask | None,
    undecided: list[str],
) -> tuple[str, tuple[str, ...], Note]:
    if flag is not None:
        return _as_said(flag, task)
    doubts: list[str] = []
    for source in sources:
        able = sorted(source.able(task.name), key=lambda name: METRICS[name].takes != guess.gives)
        if able:
            return able[0], tuple(able[1:]), _as_named(source, able, guess, doubts, undecided)
        doubts += filter(None, [source.doubt(task.name)])
    why = "; ".join(doubts)
    if ask is not None:
        also = f"; {why}" if why else ""
        answer = ask(f"metric ({', '.join(task.metrics)}{also})", guess.metric)
        _check_flags(None, answer)
        return _as_said(answer, task)
    why = why or "nothing beside the data names one"
    undecided.append(f"metric {guess.metric}: {why}")
    return guess.metric, (), Note("metric", guess.metric, f"usual for the task; {why}")


def _as_named(
    source: Source, able: Sequence[str], guess: Guess, doubts: Sequence[str], undecided: list[str]
) -> Note:
    """The note on a metric that a source names; what others said before it stays in doubt."""
    words = f"{source.who} says {source.metrics[able[0]]!r}"
    also = f"; of several it fits {guess.gives}" if len(able) > 1 else ""
    unsure = [*doubts, *([f"{words}, which may be more than that"] if source.is_vague else [])]
    if unsure:
        undecided.append(f"metric {able[0]}: {'; '.join(unsure)}")
    return Note("metric", able[0], "; ".join([f"{words}{also}", *doubts]))


def _as_said(metric: str, task: Task) -> tuple[str, tuple[str, ...], Note]:
    if not can_score(metric, task.name):
        raise ConfigError(
            f"metric {metric} cannot score task {task.name}",
            remedy=f"metrics for it: {', '.join(task.metrics)}; or give --task",
        )
    return metric, (), Note("metric", metric, "as you said")


def _unrecognised(task: str | None, source: Source | None = None) -> list[str]:
    who = "no task" if task is None else f"task {task} does not"
    text = "recognises itself in the labels" if task is None else "recognise itself in the labels"
    hint = f" ({source.who} names {', '.join(source.metrics)})" if source and source.metrics else ""
    return [f"{who} {text}{hint}"]


def _tasks_there_are() -> str:
    return f"tasks there are: {', '.join(TASKS)}"
