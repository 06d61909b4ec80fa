"""Sentences on a plan: what was left out, what is assumed, and what would tell more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from foldwise.stages.packing.costs import BackendFound
from foldwise.stages.packing.elsewhere import Elsewhere
from foldwise.stages.packing.planning import SLOWER, Option
from foldwise.stages.packing.subsets import Subsets
from foldwise.stages.progress import duration


def left_out(subsets: Subsets, chosen: Option, most_s: float) -> list[str]:
    """Members that are not packed."""
    missing = [name for name in subsets.names if name not in chosen.subset.names]
    if not missing:
        return []
    return [f"left out: {', '.join(missing)}; all members would not stay within {duration(most_s)}"]


def assumed(chosen: Option, factor: float, elsewhere: Elsewhere | None) -> list[str]:
    """What is not known and was taken for given."""
    found = []
    if chosen.is_thinned:
        num, every = (
            len({unit for turn in chosen.subset.node.turns(share) for unit in turn})
            for share in (chosen.share, 1.0)
        )
        averaging = chosen.subset.averaging
        found.append(
            f"{num} of {every} units fit, evenly thinned; what the mean over the others would "
            "bring, out-of-fold scores cannot say, so the score stated assumes that it is nothing"
            if averaging is None
            else f"{num} of {every} units fit, evenly thinned: from the mean over "
            f"{averaging.num_seeds} seeds, {averaging.gain:+.4f} over one, the score is expected "
            f"{averaging.beyond(chosen.num_models):+.4f} from the one stated, better is more"
        )
    if elsewhere is not None:
        found.append(
            f"times are those of {elsewhere.machine}, as a pack measured them with "
            f"{elsewhere.num_images} test samples"
        )
    elif factor != 1.0:
        found.append(f"times are those of this machine, times {factor:g} as you said")
    return found


def of_first_round(seconds: float, limit_s: float) -> list[str]:
    """Whether anything but a constant is handed in on a machine that is much slower."""
    slowest = limit_s / seconds
    if slowest >= SLOWER:
        return []
    return [
        f"the first round is done after {duration(seconds)}: on a machine {slowest:.1f} times "
        "slower than planned a constant is all that is handed in; a smaller network would help"
    ]


def of_backends(backends: Mapping[str, BackendFound]) -> list[str]:
    """What passes images where it is not PyTorch."""
    return [
        f"{name} is planned with {each.choice}, which takes {each.of_eager:.2f} of PyTorch's time "
        "here and was checked against it; where it is not installed or gives something else, "
        "PyTorch answers, and fewer rounds may fit"
        for name, each in backends.items()
    ]


def of_views(chosen: Option, one_view: Sequence[str], unmeasured: Sequence[str]) -> list[str]:
    """Views that are left out, or might have been."""
    found = []
    if chosen.is_one_view and one_view:
        found.append(f"by one view alone: {', '.join(one_view)}; so all stays within the time")
    # Only where it would have mattered.
    if unmeasured and (chosen.is_thinned or chosen.is_one_view):
        names = ", ".join(unmeasured)
        found.append(
            f"{names}: what one view alone is worth is not known, so only all of its views were "
            f"planned; `foldwise views {unmeasured[0]}` measures it"
        )
    return found
