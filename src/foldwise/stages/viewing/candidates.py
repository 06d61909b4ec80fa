"""Which views are measured: those asked for, else all that nothing speaks against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from foldwise.config.recipe import Recipe
from foldwise.home import Home
from foldwise.parts import Spec
from foldwise.stages.examining.view_rules import harm_of, symmetry_verdicts, trained_symmetries
from foldwise.views import View, is_same, views_of
from foldwise.views.symmetry import symmetry_of

#: Measured if none are named; corners and products are many, and are named by who wants them.
DEFAULT: tuple[Spec, ...] = ("square", "rotations", "scales", "centre_crop")


@dataclass(frozen=True)
class Candidates:
    """What is to be measured.

    Attributes:
        views: distinct, the image as it is first; each counts once.
        own: the recipe's, which are among them, with their weights.
        left_out: view → why it is not measured.
        doubts: view that was asked for → what speaks against it.
    """

    views: tuple[View, ...]
    own: tuple[View, ...]
    left_out: dict[str, str]
    doubts: dict[str, str]

    def without(self, refused: dict[str, str]) -> Candidates:
        """Those that are left when some cannot be shown, or there is no time for them."""
        kept = tuple(view for view in self.views if view.name not in refused)
        return replace(self, views=kept, left_out=self.left_out | refused)

    @property
    def must(self) -> frozenset[str]:
        """Names of those that others are compared with: the image as it is, the recipe's own."""
        return frozenset([self.views[0].name, *(view.name for view in self.own)])


def candidates_of(home: Home, recipe: Recipe, asked: Sequence[Spec] | None) -> Candidates:
    """The views to be measured of a run.

    Args:
        home: the competition, whose symmetries `init` has measured.
        recipe: of the run.
        asked: views by name; None: all symmetries that do no harm, and small changes.

    Raises:
        ConfigError: a view that is asked for is unknown.
    """
    own = views_of(recipe.views)
    found = views_of(DEFAULT if asked is None else asked)
    against = {view.name: why for view in found if (why := _doubt(home, recipe, view))}
    if asked is None:
        found = tuple(view for view in found if view.name not in against)
    # By their names, which are specs: each counts once, whatever it weighs in a set.
    views = views_of(["identity", *(view.name for view in (*own, *found))])
    names = {view.name for view in views}
    return Candidates(
        views=views,
        own=tuple(_among(views, view) for view in own),
        left_out={name: why for name, why in against.items() if name not in names},
        doubts={name: why for name, why in against.items() if asked is not None},
    )


def _among(views: Sequence[View], wanted: View) -> View:
    """The view of these that shows the same, by its name there, with the weight that is wanted."""
    same = next(view for view in views if is_same(view, wanted))
    return replace(same, weight=wanted.weight)


def _doubt(home: Home, recipe: Recipe, view: View) -> str | None:
    """What speaks against a view; None: nothing."""
    symmetry = symmetry_of(view)
    if symmetry == "identity":
        return None
    trained = trained_symmetries(recipe)
    if trained is not None and symmetry not in trained:
        return "a network trained from scratch has never seen such images"
    return harm_of(symmetry, symmetry_verdicts(home))
