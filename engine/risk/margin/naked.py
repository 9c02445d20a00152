"""What an uncovered short index option is held against (Cboe Rule 10.3)."""

from collections.abc import Mapping
from types import MappingProxyType

from engine.errors import InputError
from engine.risk.margin.legs import MarginLeg

NAKED_SHARE: Mapping[str, float] = MappingProxyType({"SPX": 0.15, "XSP": 0.15, "VIX": 0.20})
"""Share of the underlying by index: broad-based 15 %, volatility indexes 20 % (Rule 10.3)."""

_MINIMUM_SHARE = 0.10


def naked_points(leg: MarginLeg) -> float:
    """
    Points that one uncovered short contract requires.

    The option's market value plus the greater of two: the index's share less what the option is out of the
    money, and a tenth of the index for a call, of the strike for a put.

    Source: Cboe Rule 10.3 as its margin manual states it for broad-based index options.

    Errors: `InputError` for an underlying without a rule.
    """
    try:
        share = NAKED_SHARE[leg.option.underlying]
    except KeyError:
        raise InputError(
            f"no naked requirement for {leg.option.id}",
            why=f"the rule set has no share for {leg.option.underlying}",
            todo=f"margin only options on {', '.join(NAKED_SHARE)}",
        ) from None
    out_of_the_money = max(leg.sign * (leg.strike - leg.level), 0.0)
    floor = _MINIMUM_SHARE * (leg.level if leg.sign > 0 else leg.strike)
    return leg.mark + max(share * leg.level - out_of_the_money, floor)
