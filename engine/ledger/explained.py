"""What the greeks of yesterday say about today: one unit's change of value, taken apart (D36)."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from engine.instruments import (
    Cash,
    FundShare,
    Future,
    Instrument,
    LendingDebt,
    LendingSupply,
    LiquidityRange,
    Perpetual,
    PowerPerpetual,
    VanillaOption,
    VaultShare,
)
from engine.pricing.black import greeks
from engine.risk.book_greeks import unit_greeks
from engine.risk.grounds import Ground, ground_of
from engine.risk.marks import fund_mark, perpetual_mark, power_mark_of
from engine.risk.moves import YEAR_DAYS, token_usd
from engine.risk.pricing_view import STABLES, PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import unit_values

PARTS = ("delta", "gamma", "vega", "theta", "vanna", "volga", "rho", "depeg")
"""Market parts of a result, in the order they are shown; `depeg` is the delta of a stablecoin."""

_NOW = Scenarios.now()


def unit_worth(instrument: Instrument, view: PricingView) -> float:
    """USD that one unit adds to NAV: a future or perpetual nothing, its gains are paid in cash."""
    return 0.0 if isinstance(instrument, Future | Perpetual) else float(unit_values(instrument, view, _NOW)[0])


def unit_gain(instrument: Instrument, before: PricingView, after: PricingView) -> float:
    """USD that one unit held from one market to the next gained, everything revalued."""
    if isinstance(instrument, Perpetual) and instrument.inverse:
        ratio = perpetual_mark(instrument, after).price / perpetual_mark(instrument, before).price
        return float(instrument.multiplier) * (ratio - 1.0)
    if isinstance(instrument, Future | Perpetual):
        return float(unit_values(instrument, after, _NOW)[0] - unit_values(instrument, before, _NOW)[0])
    return unit_worth(instrument, after) - unit_worth(instrument, before)


def unit_explained(instrument: Instrument, before: PricingView, after: PricingView) -> dict[str, float]:
    """
    USD per unit by part, from the sensitivities at `before` and the moves to `after`.

    Returns
    -------
    Parts of `PARTS` that are not zero by nature. Options are aged first, then moved: theta is what time
    alone did, delta to volga stand at the aged state, with the volatility of the option's own strike.
    Interest and funding are no part of it: they are paid or counted, and stand in the entries.

    Raises
    ------
    MissingQuote where either market does not price the instrument.
    """
    match instrument:
        case VanillaOption():
            return _option(instrument, before, after)
        case Cash() | LendingSupply() | LendingDebt():
            code = instrument.currency.code
            return {"depeg" if code in STABLES else "delta": unit_gain(instrument, before, after)}
        case VaultShare():
            code = instrument.asset.code
            return {"depeg" if code in STABLES else "delta": unit_gain(instrument, before, after)}
        case Future() | Perpetual():
            return {"delta": unit_gain(instrument, before, after)}
        case PowerPerpetual():
            return _power(instrument, before, after)
        case LiquidityRange():
            return _range(instrument, before, after)
        case FundShare():
            return _share(instrument, before, after)


def _option(option: VanillaOption, before: PricingView, after: PricingView) -> dict[str, float]:
    aged = ground_of(option, before, Scenarios.of(days=[0.0, _days(before, after)]))
    now = ground_of(option, after, _NOW)
    start, end = (_at(aged, at, option) for at in (0, 1))
    strike = float(option.strike) * aged.strike_unit
    forward, moved = float(aged.forward[1]), float(now.forward[0])
    vol, vol_now = _vol(aged, strike, forward), _vol(now, strike, moved)
    if float(aged.years[1]) <= 0.0:
        return {"theta": end - start, "delta": _at(now, 0, option) - end}
    one = greeks(forward, strike, float(aged.years[1]), vol, sign=option.right.sign)
    scale = float(aged.worth[1]) * float(option.multiplier) / aged.strike_unit
    move, shift = moved - forward, vol_now - vol
    discounting = float(now.worth[0] / aged.worth[1]) - 1.0
    return {
        "theta": end - start,
        "delta": scale * float(one.delta) * move,
        "gamma": scale * 0.5 * float(one.gamma) * move**2,
        "vega": scale * float(one.vega) * shift,
        "vanna": scale * float(one.vanna) * move * shift,
        "volga": scale * 0.5 * float(one.volga) * shift**2,
        "depeg" if option.currency.code in STABLES else "rho": _at(now, 0, option) * discounting / (1.0 + discounting),
    }


def _power(instrument: PowerPerpetual, before: PricingView, after: PricingView) -> dict[str, float]:
    (one,) = unit_greeks(instrument, before).values()
    move = _token_move(instrument.underlying, before, after)
    points = 100.0 * (power_mark_of(instrument, after).vol - power_mark_of(instrument, before).vol)
    return {
        "delta": one.delta * move,
        "gamma": 50.0 * one.gamma * move**2,
        "vega": one.vega * points,
        "theta": one.theta * _days(before, after),
        "vanna": one.vanna * points * move,
        "volga": 0.5 * one.volga * points**2,
    }


def _range(instrument: LiquidityRange, before: PricingView, after: PricingView) -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    tokens = (instrument.asset.code, instrument.currency.code)
    for (_, one), code in zip(unit_greeks(instrument, before).items(), tokens, strict=False):
        move = _token_move(code, before, after)
        found["depeg" if code in STABLES else "delta"] += one.delta * move
        found["gamma"] += 50.0 * one.gamma * move**2
    return dict(found)


def _share(instrument: FundShare, before: PricingView, after: PricingView) -> dict[str, float]:
    mark = fund_mark(instrument, before)
    accrued = mark.price * mark.accrual * _days(before, after) / YEAR_DAYS
    return {"theta": accrued, "delta": fund_mark(instrument, after).price - mark.price - accrued}


def _at(ground: Ground, at: int, option: VanillaOption) -> float:
    values = ground.value(
        np.array([float(option.strike)]), np.array([float(option.right.sign)]), np.array([float(option.multiplier)])
    )
    return float(values[at])


def _vol(ground: Ground, strike: float, forward: float) -> float:
    return float(ground.vol(np.array([np.log(strike / forward)]))[0])


def _token_move(code: str, before: PricingView, after: PricingView) -> float:
    return float(token_usd(code, after, _NOW)[0] / token_usd(code, before, _NOW)[0]) - 1.0


def _days(before: PricingView, after: PricingView) -> float:
    return (after.asof - before.asof).total_seconds() / 86_400.0


def scaled(parts: Mapping[str, float], quantity: float) -> dict[str, float]:
    """Parts of `quantity` units, every name present."""
    return {name: quantity * parts.get(name, 0.0) for name in PARTS}
