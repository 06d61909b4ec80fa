"""Writes the reference pages and schemas: `python -m foldwise.reference docs/reference`."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from foldwise.cli import app
from foldwise.config.competition import Competition
from foldwise.config.describing import words
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.config.schema import json_schema, reference_page
from foldwise.config.section import Section
from foldwise.config.writing import in_flow
from foldwise.publish import publish_text

_SECTIONS: dict[str, tuple[type[Section], str]] = {
    "competition": (Competition, "competition.yaml"),
    "recipe": (Recipe, "recipes/NAME.yaml"),
    "plan": (Plan, "plan.yaml"),
}
_PARTS_INTRO = """\
A part is named in a config file, alone or with options: `loss: bce` or
`loss: {name: smooth_l1, beta: 0.5}`. Where it says so, a part of your own is
`module:attribute`, looked for in the competition's folder `code/`.
"""


def pages() -> dict[str, str]:
    """Path below the folder of the reference → text."""
    made = {f"{n}.md": reference_page(kind, title=title) for n, (kind, title) in _SECTIONS.items()}
    made["commands.md"] = _joined(_commands())
    made["parts.md"] = _joined(_parts())
    made["doctor.md"] = _joined(_rules())
    for name, (kind, _) in _SECTIONS.items():
        made[f"schema/{name}.json"] = json.dumps(json_schema(kind), indent=1) + "\n"
    return {path: f"{text.rstrip()}\n" for path, text in made.items()}


def main() -> None:
    """Write all pages into the folder named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("wanted one folder, as in: python -m foldwise.reference docs/reference")
    for path, text in pages().items():
        publish_text(Path(sys.argv[1]) / path, text)


def _commands() -> Iterator[str]:
    group: Any = typer.main.get_command(app)
    yield "# Commands"
    yield group.help or ""
    for name, command in _verbs(group):
        yield f"## `foldwise {name}`"
        yield command.help or ""
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        usage = " ".join(["foldwise", name, *map(_metavar, arguments), "[OPTIONS]"])
        yield f"```\n{usage}\n```"
        rows = [_parameter(parameter) for parameter in command.params]
        yield _table(("argument or option", "meaning"), rows)


def _verbs(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """All commands with their words, such as `ledger add`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _verbs(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _parameter(parameter: Any) -> tuple[str, str]:
    if parameter.param_type_name == "argument":
        return f"`{_metavar(parameter)}`", parameter.help or ""
    value = "" if parameter.is_flag else f" {_metavar(parameter)}"
    needed = " Required." if parameter.required else ""
    if parameter.default is not None and not parameter.is_flag and str(parameter.default) != ".":
        needed = f" Default: `{parameter.default}`."
    return f"`{', '.join(parameter.opts)}{value}`", f"{parameter.help or ''}{needed}"


def _metavar(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    if parameter.param_type_name != "argument":
        return str(parameter.opts[0]).lstrip("-").upper()
    name = str(parameter.name).upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _parts() -> Iterator[str]:
    from foldwise.blending import BLENDS
    from foldwise.data.augment import AUGMENTS
    from foldwise.data.balance import BALANCES
    from foldwise.data.mask_augment import CHANGES
    from foldwise.data.mask_crops import MOVES
    from foldwise.data.mask_sampling import MASK_SAMPLERS
    from foldwise.data.mix import MIXES
    from foldwise.data.samplers import SAMPLERS
    from foldwise.data.steps import STEPS
    from foldwise.decide import DECISIONS
    from foldwise.losses import LOSSES
    from foldwise.models.decoders import DECODERS
    from foldwise.models.pooling import POOLS
    from foldwise.models.second_level import HEADS
    from foldwise.models.small import NETWORKS
    from foldwise.optim.optimizers import build_optimizer
    from foldwise.optim.presets import PRESETS
    from foldwise.optim.sharpness import SHARPNESS

    yield "# Parts"
    yield _PARTS_INTRO
    yield from _formulations()
    yield from _metrics()
    yield from _functions("Losses", "`loss` of a recipe; or your own.", LOSSES)
    balances = {name: found.mass for name, found in BALANCES.items()}
    yield from _functions("Class balance", "`imbalance` of a recipe.", balances)
    yield from _functions("Augmentations", "`augment` of a recipe, in order.", AUGMENTS)
    yield from _functions(
        "Augmentations with masks",
        f"`augment` of a recipe where masks are asked for; so are {_code(CHANGES)} as above.",
        MOVES,
    )
    yield from _functions(
        "Heads on features",
        "`head` of a second-level recipe.",
        {name: head.fit for name, head in HEADS.items()},
    )
    yield from _functions("Mixing", "`mix` of a recipe.", MIXES)
    yield from _functions("Samplers", "`train.sampler` of a recipe.", SAMPLERS)
    yield from _functions(
        "Samplers of masks", "`train.sampler` of a recipe where masks are asked for.", MASK_SAMPLERS
    )
    yield from _functions("Steps before the cache", "`input.steps` of a recipe.", STEPS)
    yield from _networks(NETWORKS)
    yield from _functions("Pools", "`model.pool` of a recipe.", POOLS)
    yield from _functions("Decoders", "`model.decoder` of a recipe, which makes masks.", DECODERS)
    yield "## Optimisers"
    yield "`train.optimizer` of a recipe. Every optimiser of timm by name, with its own options."
    yield f"`layer_decay`: {_argument(build_optimizer, 'options').partition('`layer_decay`: ')[2]}"
    yield from _functions("Schedules", "`train.schedule.preset` of a recipe.", PRESETS)
    yield from _functions("Sharpness", "`train.sharpness` of a recipe.", SHARPNESS)
    yield from _views()
    yield from _functions("Blends", "`blends.NAME.method` of the plan.", BLENDS)
    yield from _functions("Decision steps", "From merged scores to answers.", DECISIONS)


def _formulations() -> Iterator[str]:
    from foldwise.tasks import TASKS

    yield "## Tasks and formulations"
    yield "`task` of the competition, `formulation` of a recipe; a task's first is its default."
    rows = [
        (
            f"`{task.name}`",
            f"`{name}`",
            f"`{found.loss}`",
            _code(found.losses),
            found.solver or "not",
        )
        for task in TASKS.values()
        for name, found in task.formulations.items()
    ]
    yield _table(("task", "formulation", "loss", "losses that fit", "head solved as"), rows)


def _metrics() -> Iterator[str]:
    from foldwise.metrics import METRICS

    yield "## Metrics"
    yield "`metric` and `more_metrics` of the competition; or your own, a `Metric`."
    rows = [
        (
            f"`{name}`",
            metric.label,
            metric.takes,
            "higher" if metric.higher_is_better else "lower",
            ", ".join(metric.tasks) or "any",
            _options(metric.function),
        )
        for name, metric in METRICS.items()
    ]
    yield _table(("name", "meaning", "takes", "better", "tasks", "options"), rows)


def _networks(networks: Mapping[str, Callable[..., Any]]) -> Iterator[str]:
    from foldwise.models.packages import PACKAGES

    yield from _functions(
        "Networks", "`model.name` of a recipe: any network of timm, your own, or:", networks
    )
    yield "Weights that an installed package ships, `model.pretrained: package:NAME`:"
    rows = [(f"`{name}`", f"`{entry.network}`") for name, entry in PACKAGES.items()]
    yield _table(("package", "network"), rows)


def _views() -> Iterator[str]:
    from foldwise.views import SYMMETRIES, VIEWS

    yield "## Views"
    yield (
        "`views` of a recipe, averaged at inference; names can be multiplied, as in "
        "`flips*five_crop`. Symmetries of the square, which take no options: "
        f"{_code(SYMMETRIES)}."
    )
    others = {name: part for name, part in VIEWS.items() if name not in SYMMETRIES}
    yield _table(
        ("name", "meaning", "options"),
        [(f"`{name}`", _summary(part), _options(part)) for name, part in others.items()],
    )


def _rules() -> Iterator[str]:
    from foldwise.stages.doctor import RULES

    yield "# What `foldwise doctor` looks for"
    yield "Each finding begins with the id of its rule."
    for title, table in RULES.items():
        yield f"## {title}"
        yield _table(("rule", "finds"), [(f"`{n}`", _summary(rule)) for n, rule in table.items()])


def _functions(title: str, intro: str, table: Mapping[str, Callable[..., Any]]) -> Iterator[str]:
    yield f"## {title}"
    yield intro
    rows = [(f"`{name}`", _summary(part), _options(part)) for name, part in table.items()]
    yield _table(("name", "meaning", "options"), rows)


def _summary(part: Any) -> str:
    return (inspect.getdoc(part) or "").partition("\n\n")[0].replace("\n", " ")


def _argument(function: Any, name: str) -> str:
    """What a docstring says of an argument, on one line."""
    lines = (inspect.getdoc(function) or "").splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith(f"{name}: "))
    indent = len(lines[start]) - len(lines[start].lstrip())
    said = [lines[start].strip()]
    for line in lines[start + 1 :]:
        if not line.strip() or len(line) - len(line.lstrip()) <= indent:
            break
        said.append(line.strip())
    return " ".join(said)


def _options(function: Callable[..., Any]) -> str:
    """Keyword-only parameters with type and default; what the caller fills in is left out."""
    hints = get_type_hints(function, include_extras=True)
    said = []
    for name, parameter in inspect.signature(function).parameters.items():
        is_option = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        if not is_option or parameter.default is inspect.Parameter.empty:
            continue
        default = in_flow(parameter.default)
        said.append(f"`{name}` = `{default}` ({_type(hints.get(name, Any))})")
    return "; ".join(said)


def _type(hint: Any) -> str:
    """In words, with the bounds that a `Field` holds."""
    if get_origin(hint) is not Annotated:
        return words(hint)
    annotation, *fields = get_args(hint)
    return words(annotation, [m for field in fields for m in getattr(field, "metadata", [field])])


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join(block.strip() for block in blocks if block.strip()) + "\n"


if __name__ == "__main__":
    main()
