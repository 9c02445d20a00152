"""The hard limits, read off a book: every level with its reading and headroom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from engine.errors import InputError
from engine.instruments import LendingDebt, LendingSupply, VanillaOption
from engine.market import Floats
from engine.orders import Breach
from engine.positions import Book, Sleeve
from engine.risk.beta import BETA_MAX, portfolio_beta
from engine.risk.concentration import Stands, exposures
from engine.risk.drawdown import book_drawdown, down_cells
from engine.risk.liquidity import Funding, Thresholds, book_ratio, threshold_of
from engine.risk.margin import same_expiry_margin
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import PricingView, book_values, unit_values


@dataclass(frozen=True, slots=True)
class LimitSet:
    """
    The levels, as decimals or ratios, and the denominators they are shares of, in USD.

    `capital` is committed capital at session open (D11): fixed before the trade, no borrowed money in it.
    `quick_ratio_warn` is no limit: below it the reading says so. `stands` are the most that may stand on one
    protocol, oracle or chain, shares of net asset value (S55); what is not named is not limited.
    """

    capital: float
    sleeve_cap: float
    drawdown_2sd: float
    session_new_outer: float
    defined_risk: float
    quick_ratio_min: float
    health_factor_min: float
    own_margin: float
    beta_max: float = BETA_MAX
    quick_ratio_warn: float = 1.5
    stands: Mapping[Stands, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LimitReading:
    """
    One limit: `level` and `reading` in its own unit; `most` says whether the level is a maximum.

    `subject` is what is read where a limit holds for each of several: a lending market, a protocol. A limit that is
    not `binding` now is read all the same and breaks nothing.
    """

    limit: str
    source: str
    level: float
    reading: float
    most: bool
    detail: str
    binding: bool = True
    subject: str = ""

    @property
    def holds(self) -> bool:
        """True when the reading is on the permitted side; a reading that is not a number never holds."""
        return self.reading <= self.level if self.most else self.reading >= self.level

    @property
    def headroom(self) -> float:
        """What is left until the level, in the limit's unit; negative when breached."""
        return self.level - self.reading if self.most else self.reading - self.level

    def breach(self) -> Breach | None:
        """The breach, None when the limit holds or does not bind."""
        if self.holds or not self.binding:
            return None
        return Breach(self.limit, self.level, self.reading, self.source, self.detail)


def limit_readings(
    book: Book,
    view: PricingView,
    scenarios: Scenarios,
    limits: LimitSet,
    *,
    thresholds: Thresholds,
    session_new_outer: float = 0.0,
    high_vol: bool = False,
    crypto_beta: float = 0.0,
    gdp_uncertain: bool = False,
    funding: Funding | None = None,
) -> tuple[LimitReading, ...]:
    """
    Every hard limit of the book as it stands.

    Parameters
    ----------
    thresholds : liquidation thresholds by lending market and token
    session_new_outer : maximum loss of outer layers opened or working in this session, USD (D12)
    high_vol : whether the session cap binds; gdp_uncertain : whether the beta limit does (S42)
    crypto_beta : change of ln ether per change of ln SPX
    funding : what bounds and burdens liquidity; without it only what the book itself says
    """
    nav = float(book_values(book, view, Scenarios.now())[0])
    readings = [
        _sleeve(book, view, nav, limits),
        _drawdown(book, view, scenarios, limits),
        _liquidity(book, view, scenarios, limits, funding or Funding(thresholds=thresholds)),
        LimitReading(
            "session_new_outer",
            "S41, D12",
            limits.session_new_outer,
            session_new_outer / limits.defined_risk,
            True,
            "binding in a high-volatility regime" if high_vol else "not binding outside a high-volatility regime",
            high_vol,
        ),
        _beta(book, view, limits, crypto_beta, gdp_uncertain),
        *_concentration(book, view, nav, limits),
    ]
    readings += [
        LimitReading(
            "health_factor",
            "D16, D17",
            limits.health_factor_min,
            health,
            False,
            f"{market} after 2-SD joint stress",
            subject=market,
        )
        for market, health in health_factors(book, view, scenarios, thresholds).items()
    ]
    return tuple(readings)


def health_factors(book: Book, view: PricingView, scenarios: Scenarios, thresholds: Thresholds) -> dict[str, float]:
    """
    Worst health factor over the scenarios for each lending market with debt (D17).

    A stablecoin below par lessens collateral and no debt (D21). Raises `MissingQuote` for a supply without a
    threshold.
    """
    worst = health_by_scenario(book, view, scenarios, thresholds)
    return {market: float(np.min(health)) for market, health in worst.items()}


def health_by_scenario(
    book: Book, view: PricingView, scenarios: Scenarios, thresholds: Thresholds
) -> dict[str, Floats]:
    """Health factor of each lending market with debt, one element per scenario."""
    loans = loans_by_scenario(book, view, scenarios, thresholds)
    return {market: secured / owed for market, (secured, owed) in loans.items()}


def loans_by_scenario(
    book: Book, view: PricingView, scenarios: Scenarios, thresholds: Thresholds
) -> dict[str, tuple[Floats, Floats]]:
    """What secures each lending market's debt, at its thresholds, and what is owed there: USD per scenario (D17)."""
    in_debt = {p.instrument.market for p in book if isinstance(p.instrument, LendingDebt) and p.quantity}
    found = {market: (np.zeros(len(scenarios)), np.zeros(len(scenarios))) for market in in_debt}
    for position in book:
        instrument, amount = position.instrument, abs(float(position.quantity))
        if isinstance(instrument, LendingSupply) and instrument.market in in_debt:
            worth = amount * unit_values(instrument, view, scenarios)
            found[instrument.market][0][:] += worth * threshold_of(instrument, thresholds)
        elif isinstance(instrument, LendingDebt) and instrument.market in in_debt:
            found[instrument.market][1][:] += amount * unit_values(instrument, view, scenarios.as_debtor())
    return found


def first_expiry(book: Book, default: datetime) -> datetime:
    """The next settlement instant of an option in the book."""
    return min((p.instrument.expiry for p in book if isinstance(p.instrument, VanillaOption)), default=default)


def _sleeve(book: Book, view: PricingView, nav: float, limits: LimitSet) -> LimitReading:
    parts = (Sleeve.DEFI, Sleeve.TRANSIT)
    sleeve = float(sum(book_values(book.of(part), view, Scenarios.now())[0] for part in parts))
    share = sleeve / nav if nav > 0 else float("inf")
    return LimitReading("sleeve_cap", "S39", limits.sleeve_cap, share, True, f"sleeve {sleeve:,.0f} USD of NAV")


def _concentration(book: Book, view: PricingView, nav: float, limits: LimitSet) -> list[LimitReading]:
    """The largest exposure of each kind that is limited, and every other one over its limit."""
    found: dict[Stands, list[LimitReading]] = {on: [] for on in limits.stands}
    for one in exposures(book, view):
        if one.on in limits.stands:
            most, share = limits.stands[one.on], one.usd / nav if nav > 0 else float("inf")
            detail = f"{one.usd:,.0f} USD on {one.name}"
            reading = LimitReading(f"{one.on}_cap", "S55, D22", most, share, True, detail, subject=one.name)
            if not (found[one.on] and reading.holds):
                found[one.on].append(reading)
    return [reading for readings in found.values() for reading in readings]


def _drawdown(book: Book, view: PricingView, scenarios: Scenarios, limits: LimitSet) -> LimitReading:
    worst = book_drawdown(book, view, scenarios, limits.capital)
    margin = same_expiry_margin(book)
    on_margin = f"; {worst.share * limits.capital / margin:.0%} of margin" if 0 < margin < float("inf") else ""
    return LimitReading("drawdown_2sd", "S40, D11", limits.drawdown_2sd, worst.share, True, worst.cell + on_margin)


def _liquidity(book: Book, view: PricingView, scenarios: Scenarios, limits: LimitSet, funding: Funding) -> LimitReading:
    cells = down_cells(scenarios)
    ratio = book_ratio(book, view, cells, funding, days=float(cells.days.max())).worst
    warned = "" if ratio.ratio >= limits.quick_ratio_warn else f", below the warning at {limits.quick_ratio_warn:g}"
    detail = f"{ratio.of}: {ratio.liquid:,.0f} USD liquid against {ratio.due:,.0f} USD due{warned}"
    return LimitReading("quick_ratio", "S47, D13", limits.quick_ratio_min, ratio.ratio, False, detail)


def _beta(book: Book, view: PricingView, limits: LimitSet, crypto_beta: float, binds: bool) -> LimitReading:
    try:
        beta = portfolio_beta(book, view, crypto_beta=crypto_beta)
    except InputError as refused:
        return LimitReading("beta", "S42, D20", limits.beta_max, float("inf"), True, refused.why, binds)
    detail = f"{beta.at_spot:+.2f} at spot, {beta.after_fall:+.2f} after -5 %"
    if not binds:
        detail += ", not binding while GDP is certain"
    return LimitReading("beta", "S42, D20", limits.beta_max, beta.reading, True, detail, binds)
