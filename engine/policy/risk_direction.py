"""Which changes of a policy may raise risk, and so need the committee's quorum (S89, X17)."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from engine.policy.settings import Policy

_MORE, _LESS = 1, -1

DIRECTIONS: Mapping[str, int] = {
    "book.risk_capital": _MORE,
    "limits.sleeve_cap": _MORE,
    "limits.sleeve_target": _MORE,
    "limits.drawdown_2sd": _MORE,
    "limits.session_new_outer": _MORE,
    "limits.quick_ratio_min": _LESS,
    "limits.health_factor_min": _LESS,
    "limits.borrow_rate_max": _MORE,
    "limits.protocol_cap": _MORE,
    "limits.oracle_cap": _MORE,
    "limits.chain_cap": _MORE,
    "core.own_margin": _MORE,
    "core.defined_risk": _MORE,
    "core.risk_aversion": _LESS,
    "core.expectation_vrp_shrink": _MORE,
    "hedge.ratio": _LESS,
    "consensus.needed": _LESS,
    "layering.step": _MORE,
    "costs.slippage": _MORE,
    "costs.plan_ttl_hours": _MORE,
}
"""The sign of risk in each number whose direction is plain: +1 where a higher one lets more risk in."""


def raising(before: Policy, after: Policy) -> tuple[str, ...]:
    """
    Keys of a policy whose change may raise risk.

    A number of `DIRECTIONS` raises risk on one side only; any other change may, so it counts.

    Source
    ------
    S89, X17: reducing risk needs no quorum.

    >>> raising(Policy(), Policy())
    ()
    """
    old, new = dict(_flat(before)), dict(_flat(after))
    return tuple(key for key in new if new[key] != old[key] and not _tightens(key, old[key], new[key]))


def _tightens(key: str, before: Any, after: Any) -> bool:
    return key in DIRECTIONS and (after - before) * DIRECTIONS[key] < 0


def _flat(policy: Policy) -> Iterator[tuple[str, Any]]:
    for name in type(policy).model_fields:
        section = getattr(policy, name)
        if isinstance(section, BaseModel):
            yield from ((f"{name}.{key}", getattr(section, key)) for key in type(section).model_fields)
        else:
            yield name, section
