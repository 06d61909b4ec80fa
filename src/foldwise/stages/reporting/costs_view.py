"""What training took: hours and money by run and machine, and what is left of quotas."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from foldwise.stages.costs import OVERHEAD, accounts_of, hours
from foldwise.stages.reporting.material import Material
from foldwise.stages.spending.accounts import MachineAccount, RunAccount


def costs_view(material: Material) -> dict[str, Any] | None:
    """Rows of both tables; None before anything was trained.

    Args:
        material: with competition.
    """
    found = material.tried(lambda: accounts_of(material.home, datetime.now(UTC)))
    if found is None or not found.runs:
        return None
    return {
        "total": hours(found.seconds),
        "money": found.money,
        "machines": [_machine(one) for one in found.machines],
        "runs": [_run(one) for one in found.runs],
        "has_quota": any(one.quota is not None for one in found.machines),
        "has_gain": any(one.gain is not None for one in found.runs),
    }


def _machine(one: MachineAccount) -> dict[str, Any]:
    quota = one.quota
    return {
        "name": one.name,
        "device": ", ".join(one.devices),
        "hours": hours(one.seconds),
        "period": f"{hours(one.period_s)} this {one.per}",
        "left": None if quota is None else hours(quota.left_s),
        "renewed": None if quota is None else f"{quota.renewed:%Y-%m-%d %H:%M}",
        "money": one.money,
    }


def _run(one: RunAccount) -> dict[str, Any]:
    return {
        "name": one.name,
        "label": one.name or OVERHEAD,
        "hours": hours(one.seconds),
        "seconds": one.seconds,
        "money": one.money,
        "processes": one.num_processes,
        "score": one.score,
        "gain": one.gain,
        "per_hour": None if one.gain_per_hour is None else f"{one.gain_per_hour:.3g}",
    }
