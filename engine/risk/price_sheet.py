"""One instrument at a time: its value, what it was priced on, and every sensitivity."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from engine.errors import InputError, MissingQuote
from engine.instruments import Future, Instrument, Perpetual, Right, VanillaOption
from engine.pricing.black import greeks
from engine.pricing.forward import usable
from engine.pricing.implied import VolStatus, implied_vol
from engine.pricing.vix_curve import fit_curve
from engine.risk.book_greeks import Sensitivities, unit_greeks
from engine.risk.grounds import Ground, ground_of
from engine.risk.moves import years_to
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.smile import smile_between
from engine.risk.valuation import unit_values

_FEWEST_FUTURES = 3


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """
    What an option was priced on and its greeks in its own units.

    `forward` is in quote units and `years` ACT/365F; `vol` is the model's at its strike and `quoted_vol`
    that of the quoted mid (None without one), decimals; `bid` and `ask` are in quote units. `delta` is per
    point of forward and `gamma` per point squared, per unit of underlying; `extrinsic` is USD per contract
    beyond discounted intrinsic value (S14).
    """

    forward: float
    years: float
    vol: float
    quoted_vol: float | None
    bid: float | None
    ask: float | None
    delta: float
    gamma: float
    extrinsic: float


@dataclass(frozen=True, slots=True)
class PriceRow:
    """
    One unit of an instrument: `value` in USD, sensitivities by domain, and in words what was assumed for it.

    A future or perpetual costs nothing to hold: its `value` is its notional, and `holding` is False.
    """

    instrument: Instrument
    value: float
    holding: bool
    option: OptionTerms | None
    greeks: dict[str, Sensitivities]
    notes: tuple[str, ...]


def price_row(instrument: Instrument, view: PricingView) -> PriceRow:
    """
    The price of one unit.

    An expiry the chain does not list is priced on the smile between its neighbours, a VIX future between
    listed ones on a fitted curve, and the row says so. Raises `InputError` for a contract that has
    expired and `MissingQuote` where the market has nothing to price it on.
    """
    _require_alive(instrument, view)
    seen, notes = reachable(instrument, view)
    option = None
    if isinstance(instrument, VanillaOption):
        option = _option_terms(instrument, seen)
        if option.bid is None and not notes:
            notes = (_unquoted(instrument, view),)
    value = float(unit_values(instrument, seen, Scenarios.now())[0])
    holding = not isinstance(instrument, Future | Perpetual)
    return PriceRow(instrument, value, holding, option, unit_greeks(instrument, seen), notes)


def reachable(instrument: Instrument, view: PricingView) -> tuple[PricingView, tuple[str, ...]]:
    """A view that can price the instrument by interpolation if the market lists neighbours, and what was done."""
    match instrument:
        case VanillaOption(underlying="SPX" | "XSP"):
            root = "SPXW" if instrument.underlying == "XSP" else instrument.root
            key = root, instrument.expiry
            if key in view.smiles:
                return view, ()
            smile = smile_between(view.smiles, root, instrument.expiry, years_to(instrument.expiry, view))
            seen = replace(view, smiles={**view.smiles, key: smile})
        case VanillaOption(underlying="VIX"):
            key = instrument.root, instrument.expiry
            if key in view.vix_smiles:
                return view, ()
            smile = smile_between(view.vix_smiles, *key, years_to(instrument.expiry, view))
            seen = replace(view, vix_smiles={**view.vix_smiles, key: smile})
        case Future(underlying="VIX") if instrument.expiry not in view.vix_futures:
            return _with_fitted_future(instrument, view)
        case _:
            return view, ()
    return seen, (f"{instrument.id} is not listed: priced off the smile between its neighbouring expiries",)


def _with_fitted_future(future: Future, view: PricingView) -> tuple[PricingView, tuple[str, ...]]:
    listed = sorted(view.vix_futures.items())
    if len(listed) < _FEWEST_FUTURES or not listed[0][0] < future.expiry < listed[-1][0]:
        raise MissingQuote(
            f"no price for {future.id}",
            why=f"{len(listed)} VIX futures are listed, and it does not lie between three of them",
            todo="give a VIX futures file that lists it",
        )
    years = np.array([years_to(expiry, view) for expiry, _ in listed])
    curve = fit_curve(years, np.array([level for _, level in listed]))
    level = float(curve.future(years_to(future.expiry, view)))
    note = f"{future.id} is not listed: priced on mean-reverting variance fitted to the listed futures"
    return replace(view, vix_futures={**view.vix_futures, future.expiry: level}), (note,)


def _option_terms(option: VanillaOption, view: PricingView) -> OptionTerms:
    ground = ground_of(option, view, Scenarios.now())
    forward, years = float(ground.forward[0]), float(ground.years[0])
    strike = float(option.strike) * ground.strike_unit
    vol = float(ground.vol(np.array([np.log(strike / forward)]))[0])
    one = greeks(forward, strike, years, vol, sign=option.right.sign)
    intrinsic = max(option.right.sign * (forward - strike), 0.0)
    per_point = float(ground.worth[0]) * float(option.multiplier) / ground.strike_unit
    bid, ask = _quote(option, view)
    return OptionTerms(
        forward=forward / ground.strike_unit,
        years=years,
        vol=vol,
        quoted_vol=_quoted_vol(option, ground, bid, ask),
        bid=bid,
        ask=ask,
        delta=float(one.delta),
        gamma=float(one.gamma) * ground.strike_unit,
        extrinsic=per_point * (float(one.value) - intrinsic),
    )


def _quote(option: VanillaOption, view: PricingView) -> tuple[float | None, float | None]:
    quotes = view.quotes.get((option.root, option.expiry))
    if quotes is None:
        return None, None
    at = int(np.searchsorted(quotes.strikes, float(option.strike)))
    if at == quotes.strikes.size or quotes.strikes[at] != float(option.strike):
        return None, None
    call = option.right is Right.CALL
    bid, ask = (quotes.call_bid, quotes.call_ask) if call else (quotes.put_bid, quotes.put_ask)
    return (float(bid[at]), float(ask[at])) if usable(bid, ask)[at] else (None, None)


def _quoted_vol(option: VanillaOption, ground: Ground, bid: float | None, ask: float | None) -> float | None:
    if bid is None or ask is None:
        return None
    premium = np.array([0.5 * (bid + ask)]) / ground.worth
    strike = np.array([float(option.strike) * ground.strike_unit])
    vol, status = implied_vol(premium, ground.forward, strike, ground.years, sign=np.array([option.right.sign]))
    return float(vol[0]) if status[0] == VolStatus.OK else None


def _unquoted(option: VanillaOption, view: PricingView) -> str:
    if option.underlying in view.token_vol:
        return f"{option.id} is priced at one volatility for every strike of {option.underlying}"
    return f"{option.id} is not quoted on both sides: priced off the smile of its expiry"


def _require_alive(instrument: Instrument, view: PricingView) -> None:
    expiry = instrument.expiry if isinstance(instrument, VanillaOption | Future) else None
    if expiry is not None and expiry <= view.asof:
        raise InputError(
            f"{instrument.id} refused",
            why=f"it expired at {_utc(expiry)}, the market is of {_utc(view.asof)}",
            todo="ask for a contract that still lives then",
        )


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
