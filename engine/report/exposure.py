"""What a book is exposed to, as rows and curves of the report."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from engine.instruments import LendingDebt, LendingSupply, VanillaOption
from engine.market import LendingMarket
from engine.money import USD, Money
from engine.policy.sleeve import LoanDecision
from engine.positions import Book, Position
from engine.report.book_rows import LendingRow, PositionRow
from engine.report.risk_rows import HeatMap, LimitRow, PayoffCurve, ScenarioRow, Unit
from engine.risk.concentration import Stands
from engine.risk.limits import LimitReading
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import PricingView, book_values, unit_values

_SPOT_SHOCKS = (-0.10, -0.07, -0.05, -0.03, -0.01, 0.0, 0.01, 0.03, 0.05, 0.07, 0.10)
_VOL_SHOCKS = (-0.05, 0.0, 0.05, 0.10, 0.20)
_CURVE_POINTS = 121
_SHARES = {"sleeve_cap", "drawdown_2sd", "session_new_outer", *(f"{on}_cap" for on in Stands)}


def limit_rows(readings: Iterable[LimitReading]) -> tuple[LimitRow, ...]:
    """Every limit with its level, reading and headroom."""
    return tuple(
        LimitRow(
            limit=f"{reading.limit} ({reading.detail})",
            source=reading.source,
            level=reading.level,
            reading=reading.reading,
            unit=Unit.SHARE if reading.limit in _SHARES else Unit.RATIO,
            floor=not reading.most,
            binding=reading.binding,
            subject=reading.subject,
        )
        for reading in readings
    )


def position_rows(book: Book, view: PricingView) -> tuple[PositionRow, ...]:
    """Each position at its mark; shares are of the book's net value."""
    now = Scenarios.now()
    total = float(book_values(book, view, now)[0])
    rows = []
    for position in sorted(book, key=lambda p: (p.sleeve, p.venue, p.instrument.id)):
        unit = float(unit_values(position.instrument, view, now)[0])
        worth = unit * float(position.quantity)
        rows.append(
            PositionRow(
                sleeve=position.sleeve.value,
                venue=position.venue,
                instrument=position.instrument.id,
                quantity=position.quantity,
                mark=f"{unit:,.2f} USD",
                value=Money.rounded(worth, USD),
                share=worth / total,
            )
        )
    return tuple(rows)


def condor_payoff(book: Book, view: PricingView) -> PayoffCurve | None:
    """
    Result of the condors' next expiry against the level then, relative to its options' value today.

    The expiry shown is the first with a short option. None without one. The
    probability is the lognormal one at the forward's volatility.
    """
    options = [p for p in book if isinstance(p.instrument, VanillaOption) and p.instrument.underlying == "SPX"]
    sold = [_option(p).expiry for p in options if p.quantity < 0]
    if not sold:
        return None
    expiry = min(sold)
    held = Book(tuple(p for p in options if _option(p).expiry == expiry))
    first = _option(held.positions[0])
    smile = view.smiles[first.root, first.expiry]
    deviation = smile.atm_vol * float(np.sqrt(smile.years))
    spots = view.spot * np.exp(np.linspace(-4.0 * deviation, 3.0 * deviation, _CURVE_POINTS))
    shocks = np.log(spots / view.spot)
    still, ended = np.zeros_like(shocks), np.full_like(shocks, smile.years * 365.0 + 1.0)
    base = float(book_values(held, view, Scenarios.now())[0])
    expired = book_values(held, view, Scenarios.of(shocks, still, ended)) - base
    today = book_values(held, view, Scenarios.of(shocks, still, still)) - base
    crossings = np.flatnonzero(np.diff(np.sign(expired)) != 0)
    evens = tuple(
        float(np.interp(0.0, np.sort(expired[[i, i + 1]]), spots[[i, i + 1]][np.argsort(expired[[i, i + 1]])]))
        for i in crossings
    )
    levels = np.log(spots / smile.forward)
    density = np.exp(-0.5 * ((levels + 0.5 * deviation**2) / deviation) ** 2)
    return PayoffCurve(
        label=f"{first.root} {first.expiry_date}",
        spot=view.spot,
        spots=tuple(map(float, spots)),
        at_expiry=tuple(map(float, expired)),
        today=tuple(map(float, today)),
        break_evens=evens,
        one_sd=_band(smile.forward, deviation, 1.0),
        two_sd=_band(smile.forward, deviation, 2.0),
        pop=float(density[expired > 0].sum() / density.sum()),
    )


def heat_map(book: Book, view: PricingView) -> HeatMap:
    """Result of the whole book for spot moves against changes of 30-day volatility, one instant later."""
    spots, vols = np.meshgrid(_SPOT_SHOCKS, _VOL_SHOCKS)
    scenarios = Scenarios.of(np.log1p(spots.ravel()), vols.ravel(), np.zeros(spots.size))
    change = book_values(book, view, scenarios) - book_values(book, view, Scenarios.now())[0]
    rows = change.reshape(spots.shape)
    return HeatMap(_SPOT_SHOCKS, _VOL_SHOCKS, tuple(tuple(map(float, row)) for row in rows))


def scenario_rows(book: Book, view: PricingView, scenarios: Scenarios, capital: float) -> tuple[ScenarioRow, ...]:
    """The worst cell of each horizon and sign of the two-sigma rule."""
    change = book_values(book, view, scenarios) - book_values(book, view, Scenarios.now())[0]
    worst: dict[str, int] = {}
    for index, name in enumerate(scenarios.names):
        group = ", ".join(name.split(", ")[:2])
        if group not in worst or change[index] < change[worst[group]]:
            worst[group] = index
    return tuple(
        ScenarioRow(
            name=group,
            shock=f"SPX {np.expm1(scenarios.spot[i]):+.1%}, vol {scenarios.vol[i] * 100:+.1f} points, "
            f"ether {np.expm1(scenarios.crypto[i]):+.1%}",
            pnl=Money.rounded(float(change[i]), USD),
            share=float(change[i]) / capital,
        )
        for group, i in worst.items()
    )


def lending_rows(
    book: Book, view: PricingView, markets: Sequence[LendingMarket], decisions: Mapping[str, LoanDecision]
) -> tuple[LendingRow, ...]:
    """Each lending market: what is pledged and owed, how far liquidation is, and what the gate said."""
    now = Scenarios.now()
    rows = []
    for market in markets:
        pledged = owed = secured = 0.0
        for position in book:
            instrument = position.instrument
            if isinstance(instrument, LendingSupply | LendingDebt) and instrument.market == market.name:
                worth = float(position.quantity) * float(unit_values(instrument, view, now)[0])
                pledged, owed = (pledged + worth, owed) if worth > 0 else (pledged, owed - worth)
                secured += max(worth, 0.0) * market.counts(instrument.currency.code)
        health = secured / owed if owed > 0 else float("inf")
        decision = decisions.get(market.name)
        rows.append(
            LendingRow(
                market=f"{market.name} {market.asset}",
                collateral=Money.rounded(pledged, USD),
                debt=Money.rounded(owed, USD),
                health_factor=health,
                distance=max(1.0 - 1.0 / health, 0.0),
                borrow_rate=market.borrow_rate,
                short_by_bp=-decision.edge_bps if decision else None,
            )
        )
    return tuple(rows)


def _option(position: Position) -> VanillaOption:
    assert isinstance(position.instrument, VanillaOption)
    return position.instrument


def _band(forward: float, deviation: float, width: float) -> tuple[float, float]:
    return float(forward * np.exp(-width * deviation)), float(forward * np.exp(width * deviation))
