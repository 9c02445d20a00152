"""What hedge layers cost a year, and which of them the cost of capital and the carry budget bear (S57)."""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import InputError
from engine.policy.bounds import within

_BPS = 1e4
_PLACES = 9  # of a basis point: sums of costs carry float noise


@dataclass(frozen=True, slots=True)
class LayerCase:
    """
    A layer that might be bought.

    `decay` is the USD of premium it is expected to lose until the horizon, `financing` the USD its cash costs until
    then; `needed` says that a limit can only be met with it.
    """

    layer: str
    decay: float
    financing: float = 0.0
    needed: bool = False


@dataclass(frozen=True, slots=True)
class LayerVerdict:
    """
    Whether a layer is bought, what it costs in bp of capital a year, and by how much it fails.

    `return_after` is the expected project return on capital of the book with it, a decimal per year;
    `shortfall_bps` is what that lacks of WACC, `overspent_bps` what the budget lacks; both can be positive only for a
    layer that is refused, or bought because a limit needs it.
    """

    layer: str
    bought: bool
    cost_bps: float
    return_after: float
    shortfall_bps: float
    overspent_bps: float
    reason: str


def cost_bps(decay: float, financing: float, *, capital: float, years: float) -> float:
    """
    Layer cost rate in bp of capital per year: (decay to the horizon + financing) / (C T).

    Source: S57.

    >>> round(cost_bps(2_000.0, 500.0, capital=1_000_000.0, years=0.25), 9)
    100.0
    """
    if not (capital > 0 and years > 0 and abs(decay + financing) < float("inf")):
        raise InputError("layer cost refused", why=f"capital {capital} over {years} years", todo="give both above 0")
    return (decay + financing) / (capital * years) * _BPS


def bear(
    cases: Iterable[LayerCase],
    *,
    capital: float,
    years: float,
    earns: float,
    wacc: float,
    carried: float = 0.0,
    carry_budget: float = 0.02,
) -> tuple[LayerVerdict, ...]:
    """
    Which layers are bought: those that limits need first, then the others in their order while the budget lasts.

    What a layer bought takes is no longer there for the next: the return after it falls by its decay. Financing is
    on no side of the comparison with WACC, which pays it already (D14 (i)).

    Parameters
    ----------
    capital, years : committed capital in USD, and the horizon of `decay`
    earns : expected project return on capital of the book before any of them, decimal per year (D14 (i))
    wacc : decimal per year
    carried : decimal of capital a year that hedges held or wanted besides cost; it is part of the budget
    carry_budget : decimal of capital per year (S57: 200 bp)
    """
    within("hedge.carry_budget", carry_budget, 0, 1, rule="S57")
    spent, left, found = carried * _BPS, earns, []
    for case in sorted(cases, key=lambda one: not one.needed):
        cost = cost_bps(case.decay, case.financing, capital=capital, years=years)
        after = left - cost_bps(case.decay, 0.0, capital=capital, years=years) / _BPS
        short = max(0.0, round((wacc - after) * _BPS, _PLACES))
        over = max(0.0, round(spent + cost - carry_budget * _BPS, _PLACES))
        bought = case.needed or not (short or over)
        if bought:
            spent, left = spent + cost, after
        said = f"costs {cost:.1f} bp of capital a year, {_reason(case, short, over)}"
        found.append(LayerVerdict(case.layer, bought, cost, after, short, over, said))
    return tuple(found)


def _reason(case: LayerCase, short: float, over: float) -> str:
    lacks = [f"{short:.1f} bp under WACC"] * (short > 0) + [f"{over:.1f} bp over the carry budget"] * (over > 0)
    if not lacks:
        return "earns WACC within the carry budget (S57)"
    ends = "borne all the same: a limit needs it (X06)" if case.needed else "not borne (S57)"
    return f"{' and '.join(lacks)}, {ends}"
