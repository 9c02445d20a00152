"""The hard limits, read off a book: every level with its reading and headroom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from engine.instruments import Cash, LendingDebt, LendingSupply, VanillaOption
from engine.money import USD
from engine.orders import Breach
from engine.positions import Book, Sleeve
from engine.risk.drawdown import book_drawdown
from engine.risk.margin import same_expiry_margin
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import PricingView, book_values, unit_values


@dataclass(frozen=True, slots=True)
class LimitSet:
    """
    The levels, as decimals or ratios, and the denominators they are shares of, in USD.

    `capital` is committed capital at session open (D11): fixed before the trade, no borrowed money in it.
    """

    capital: float
    sleeve_cap: float
    drawdown_2sd: float
    session_new_outer: float
    defined_risk: float
    quick_ratio_min: float
    health_factor_min: float
    own_margin: float


@dataclass(frozen=True, slots=True)
class LimitReading:
    """One limit: `level` and `reading` in its own unit; `most` says whether the level is a maximum."""

    limit: str
    source: str
    level: float
    reading: float
    most: bool
    detail: str

    @property
    def holds(self) -> bool:
        """True when the reading is on the permitted side; a reading that is not a number never holds."""
        return self.reading <= self.level if self.most else self.reading >= self.level

    @property
    def headroom(self) -> float:
        """What is left until the level, in the limit's unit; negative when breached."""
        return self.level - self.reading if self.most else self.reading - self.level

    def breach(self) -> Breach | None:
        """The breach, None when the limit holds."""
        if self.holds:
            return None
        return Breach(self.limit, self.level, self.reading, self.source, self.detail)


def limit_readings(
    book: Book,
    view: PricingView,
    scenarios: Scenarios,
    limits: LimitSet,
    *,
    thresholds: Mapping[str, float],
    session_new_outer: float = 0.0,
    high_vol: bool = False,
) -> tuple[LimitReading, ...]:
    """
    Every hard limit of the book as it stands.

    Parameters
    ----------
    thresholds : liquidation threshold by lending market name
    session_new_outer : premium of outer layers opened or working in this session, USD (D12)
    """
    now = Scenarios.now()
    nav = float(book_values(book, view, now)[0])
    sleeve = float(sum(book_values(book.of(part), view, now)[0] for part in (Sleeve.DEFI, Sleeve.TRANSIT)))
    worst = book_drawdown(book, view, scenarios, limits.capital)
    margin = same_expiry_margin(book)
    cash = book.held(Cash(USD), sleeve=Sleeve.CONDOR).to_float()
    stress = scenarios.names.index(worst.cell)
    condor = book.of(Sleeve.CONDOR)
    call = max(float(book_values(condor, view, now)[0] - book_values(condor, view, scenarios)[stress]), 0.0)
    readings = [
        LimitReading("sleeve_cap", "S39", limits.sleeve_cap, sleeve / nav, True, f"sleeve {sleeve:,.0f} USD of NAV"),
        LimitReading("drawdown_2sd", "S40, D11", limits.drawdown_2sd, worst.share, True, worst.cell),
        LimitReading(
            "quick_ratio",
            "S47, D13",
            limits.quick_ratio_min,
            (cash - margin) / (1.3 * call) if call > 0 else float("inf"),
            False,
            f"free cash {cash - margin:,.0f} USD against a stressed call of {1.3 * call:,.0f} USD",
        ),
        LimitReading(
            "session_new_outer",
            "S41, D12",
            limits.session_new_outer,
            session_new_outer / limits.defined_risk,
            True,
            "binding in a high-volatility regime" if high_vol else "not binding outside a high-volatility regime",
        ),
    ]
    for market, health in health_factors(book, view, scenarios, thresholds).items():
        readings.append(
            LimitReading(
                "health_factor",
                "D16, D17",
                limits.health_factor_min,
                health,
                False,
                f"{market} after 2-SD joint stress",
            )
        )
    if not high_vol:
        readings = [r for r in readings if r.limit != "session_new_outer" or r.holds]
    return tuple(readings)


def health_factors(
    book: Book, view: PricingView, scenarios: Scenarios, thresholds: Mapping[str, float]
) -> dict[str, float]:
    """Worst health factor over the scenarios for each lending market with debt (D17)."""
    secured: dict[str, np.ndarray] = {}
    owed: dict[str, np.ndarray] = {}
    for position in book:
        instrument = position.instrument
        if isinstance(instrument, LendingSupply | LendingDebt):
            side = secured if isinstance(instrument, LendingSupply) else owed
            worth = abs(float(position.quantity)) * unit_values(instrument, view, scenarios)
            side[instrument.market] = side.get(instrument.market, 0.0) + worth
    return {
        market: float(np.min(secured.get(market, 0.0) * thresholds[market] / debt))
        for market, debt in owed.items()
        if np.any(debt > 0)
    }


def first_expiry(book: Book, default: datetime) -> datetime:
    """The next settlement instant of an option in the book."""
    return min((p.instrument.expiry for p in book if isinstance(p.instrument, VanillaOption)), default=default)
