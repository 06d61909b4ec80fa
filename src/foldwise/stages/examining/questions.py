"""What the runs of a plan answer: members of one question, gates of another, what is submitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.errors import FoldwiseError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.tasks.presence import PRESENCE, target_of


@dataclass(frozen=True)
class WrongQuestion:
    """A run that is named where it answers something else.

    Attributes:
        key: of the plan.
        found: what is wrong.
        remedy: what would do.
    """

    key: str
    found: str
    remedy: str

    @property
    def error(self) -> FoldwiseError:
        """The same, to be placed."""
        return FoldwiseError(self.found, remedy=self.remedy)


def wrong_questions(
    home: Home, plan: Plan, recipes: Mapping[str, Recipe]
) -> Iterator[WrongQuestion]:
    """Gates that say where classes are, members that say which there are, and such a submission.

    Names that nothing is known of are left to others.

    Args:
        home: the competition.
        plan: its blends and what is submitted.
        recipes: of the plan, as far as they can be read.
    """
    asked: dict[str, str | None] = {name: recipe.target for name, recipe in recipes.items()}
    for name in home.run_names():
        asked.setdefault(name, target_of(read_json(home.run(name).record) or {}))
    for name, blend in plan.blends.items():
        members = [] if blend.members == "all" else [*blend.members]
        found = {member: asked.get(member.removesuffix("/reference")) for member in members}
        others = [member for member, target in found.items() if target == PRESENCE]
        if others and len(others) < len(members):
            yield WrongQuestion(
                f"blends.{name}.members",
                f"{', '.join(others)}: says which classes are in an image, the others say where",
                "leave it out of the members; it may be the blend's gate",
            )
        asked[name] = PRESENCE if others and len(others) == len(members) else None
        if blend.gate is not None:
            yield from _gate(name, blend.gate, asked, [*plan.blends])
    if asked.get(plan.submit) == PRESENCE:
        yield WrongQuestion(
            "submit",
            f"{plan.submit}: says which classes are in an image, and the competition asks where",
            "submit a blend that has it as gate, or best",
        )


def _gate(
    blend: str, gate: str, asked: Mapping[str, str | None], blends: Sequence[str]
) -> Iterator[WrongQuestion]:
    key = f"blends.{blend}.gate"
    if gate in blends and blends.index(gate) >= blends.index(blend):
        remedy = "put it before" if gate != blend else f"name a run with target: {PRESENCE}"
        yield WrongQuestion(key, f"{gate} is not blended yet when {blend} is", remedy)
    elif gate not in asked:
        remedy = f"a recipe or run with target: {PRESENCE}"
        yield WrongQuestion(key, f"{gate} is no recipe, run or blend of the plan", f"name {remedy}")
    elif asked[gate] != PRESENCE:
        yield WrongQuestion(
            key,
            f"{gate}: says where classes are; a gate says which of them are in an image",
            f"name a recipe or run with target: {PRESENCE}",
        )
