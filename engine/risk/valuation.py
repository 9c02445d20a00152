"""What a book is worth in each scenario: the only place where terms, market and pricing meet."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from engine.errors import MissingQuote
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
from engine.market import Floats
from engine.positions import Book, Position
from engine.pricing.amm import range_value
from engine.pricing.etp import reset_value
from engine.pricing.perpetual import funding_paid
from engine.pricing.power import normalisation_after, power_mark
from engine.pricing.vix_futures import INDEX_YEARS
from engine.risk.grounds import ground_key, ground_of
from engine.risk.marks import fund_mark, perpetual_mark, pool_price, pool_unit, power_mark_of
from engine.risk.moves import VOL_INDICES, YEAR_DAYS, interest, token_usd, vix_future, vix_move
from engine.risk.pricing_view import STABLES, PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smiles, atm_vol_at

_SESSIONS_A_DAY = 252.0 / 365.0

__all__ = ["STABLES", "PricingView", "book_values", "by_rising_spot", "unit_gains", "unit_values"]


def unit_values(instrument: Instrument, view: PricingView, scenarios: Scenarios) -> Floats:
    """
    USD value of one unit (one contract, one token) in each scenario, at mid.

    Options stand on the grounds of `engine.risk.grounds`; loans and deposits gather interest; ranges are
    worth their tokens at the shocked pool price, uncollected fees apart; a vault's share moves with its
    asset; a fund on VIX futures resets each session.

    A future or perpetual is worth nothing to hold: its notional is given here, and what it
    gains by `unit_gains`. Raises `MissingQuote` when the market has no curve or mark for an instrument.
    """
    match instrument:
        case Cash():
            return token_usd(instrument.currency.code, view, scenarios)
        case LendingSupply() | LendingDebt():
            grown = interest(instrument, view, scenarios)
            return token_usd(instrument.asset.code, view, scenarios) * grown
        case VanillaOption():
            weight = np.array([float(instrument.multiplier)])
            strike, sign = np.array([float(instrument.strike)]), np.array([float(instrument.right.sign)])
            return ground_of(instrument, view, scenarios).value(strike, sign, weight)
        case Future(underlying="VIX"):
            level = vix_future(instrument.expiry, view, scenarios)
            return np.asarray(level.points) * float(instrument.multiplier)
        case Perpetual():
            return _perpetual_notional(instrument, view, scenarios)
        case PowerPerpetual():
            return _power(instrument, view, scenarios)
        case LiquidityRange():
            return _range(instrument, view, scenarios)
        case FundShare():
            return _share(instrument, view, scenarios)
        case VaultShare():
            price = token_usd(instrument.symbol, view, Scenarios.now())[0]
            return np.asarray(price * _relative(instrument.asset.code, view, scenarios))
    raise MissingQuote(
        f"no valuation for {instrument.id}",
        why="no model covers this instrument",
        todo="value it by hand or remove it from the book",
    )


def unit_gains(instrument: Future | Perpetual, view: PricingView, scenarios: Scenarios) -> Floats:
    """
    USD that one contract held from the snapshot on has gained in each scenario.

    A perpetual's gain is paid in its margin currency, hence at that currency's scenario price, less the
    funding of the days that pass.
    """
    notional = unit_values(instrument, view, scenarios)
    base = unit_values(instrument, view, Scenarios.now())[0]
    if isinstance(instrument, Future):
        return np.asarray(notional - base)
    mark = perpetual_mark(instrument, view)
    paid = float(funding_paid(1.0, mark.funding, 1.0)) * scenarios.days / YEAR_DAYS * notional
    margin = 1.0 if instrument.inverse else _relative(instrument.currency.code, view, scenarios)
    return np.asarray((notional - base - paid) * margin)


def book_values(book: Book | Iterable[Position], view: PricingView, scenarios: Scenarios) -> Floats:
    """
    USD value of the whole book in each scenario, at mid: assets less debts.

    Options that share root and expiry share their forward, time, discount and smile, and scenarios are
    worked through by rising spot, so a large book costs little more than its Black values.
    """
    ordered, restored = by_rising_spot(scenarios)
    total = np.zeros(len(scenarios))
    groups: defaultdict[tuple[object, ...], _Legs] = defaultdict(_Legs)
    for position in book:
        instrument, quantity = position.instrument, float(position.quantity)
        if isinstance(instrument, VanillaOption):
            groups[ground_key(instrument)].add(instrument, quantity)
        elif isinstance(instrument, Future | Perpetual):
            total += quantity * unit_gains(instrument, view, ordered)
        else:
            total += quantity * unit_values(instrument, view, ordered)
    for legs in groups.values():
        total += legs.value(view, ordered)
    return restored(total)


def by_rising_spot(scenarios: Scenarios) -> tuple[Scenarios, Callable[[Floats], Floats]]:
    """The scenarios by rising spot, in which smiles are looked up fastest, and what puts results back in order."""
    by_spot = np.argsort(scenarios.spot, kind="stable")
    if np.all(by_spot[1:] > by_spot[:-1]):
        return scenarios, lambda column: column

    def restored(column: Floats) -> Floats:
        found = np.empty_like(column)
        found[by_spot] = column
        return found

    return scenarios.take(by_spot), restored


@dataclass(slots=True, eq=False)
class _Legs:
    """Options on one ground."""

    options: list[VanillaOption] = field(default_factory=list)
    quantities: list[float] = field(default_factory=list)

    def add(self, option: VanillaOption, quantity: float) -> None:
        self.options.append(option)
        self.quantities.append(quantity)

    def value(self, view: PricingView, scenarios: Scenarios) -> Floats:
        strikes = np.array([float(o.strike) for o in self.options])
        signs = np.array([float(o.right.sign) for o in self.options])
        multipliers = np.array([float(o.multiplier) for o in self.options])
        ground = ground_of(self.options[0], view, scenarios)
        return ground.value(strikes, signs, np.array(self.quantities) * multipliers)


def _perpetual_notional(instrument: Perpetual, view: PricingView, scenarios: Scenarios) -> Floats:
    mark, contract = perpetual_mark(instrument, view), float(instrument.multiplier)
    on_vol = instrument.underlying in VOL_INDICES
    move = vix_move(INDEX_YEARS, scenarios) if on_vol else np.exp(scenarios.crypto)
    return np.asarray(contract * move if instrument.inverse else contract * mark.price * move)


def _power(instrument: PowerPerpetual, view: PricingView, scenarios: Scenarios) -> Floats:
    mark = power_mark_of(instrument, view)
    return power_mark(
        token_usd(instrument.underlying, view, scenarios),
        normalisation_after(mark.normalisation, mark.vol, scenarios.days / YEAR_DAYS),
        mark.vol,
        scale=float(instrument.scale),
        period_days=float(instrument.period_days),
    )


def _range(instrument: LiquidityRange, view: PricingView, scenarios: Scenarios) -> Floats:
    quote = token_usd(instrument.currency.code, view, scenarios)
    moved = _relative(instrument.asset.code, view, scenarios) / _relative(instrument.currency.code, view, scenarios)
    price = pool_price(instrument, view) * moved
    worth = range_value(price, float(instrument.lower), float(instrument.upper), pool_unit(instrument))
    return np.asarray(worth * quote)


def _share(instrument: FundShare, view: PricingView, scenarios: Scenarios) -> Floats:
    mark = fund_mark(instrument, view)
    years = scenarios.days / YEAR_DAYS
    moved = np.exp(mark.beta * scenarios.spot)
    if mark.leverage:
        variance = _vix_vol(view.vix_smiles) ** 2 * years
        sessions = scenarios.days * _SESSIONS_A_DAY
        index = vix_move(INDEX_YEARS, scenarios)
        moved = moved * reset_value(index, sessions, leverage=mark.leverage, variance=variance)
    return np.asarray(mark.price * moved * np.exp(mark.accrual * years))


def _vix_vol(smiles: Smiles) -> float:
    """Volatility of the thirty-day VIX future, 0 where no option on it is quoted: a fund then has no drag."""
    return atm_vol_at(smiles, INDEX_YEARS) if smiles else 0.0


def _relative(code: str, view: PricingView, scenarios: Scenarios) -> Floats:
    """A token's scenario price over its price now."""
    return np.asarray(token_usd(code, view, scenarios) / token_usd(code, view, Scenarios.now())[0])
