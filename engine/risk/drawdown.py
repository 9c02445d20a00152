"""The two-standard-deviation rule: its scenarios, the loss in each, and the cell that binds (D11)."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError
from engine.instruments import MARKET_ZONE, Future, LendingDebt, Settlement, VanillaOption
from engine.market import Floats
from engine.positions import Book, Position
from engine.risk.exits import exit_costs
from engine.risk.recourse import lenders_bear
from engine.risk.scenarios import Scenarios
from engine.risk.smile import atm_vol_at
from engine.risk.valuation import PricingView, book_values

VOL_RESPONSE = -1.2
"""Change of 30-day ATM volatility, in points per percent of ln spot (D11; recorded 1999-2023: -1.16)."""

VOL_OF_VOL = 0.90
"""Standard deviation of volatility, relative, per square root of a year (D11)."""

STABLE_HAIRCUT = 0.01
"""What a stablecoin we own is worth less in the joint stress; what we owe in one is not (D11, D21)."""

GAS_STRESS = 5.0
"""Multiple of the price of gas (D11)."""

SPREAD_STRESS = 3.0
"""Multiple of the half spread at which positions are left (D11; recorded at VIX 28 against VIX 13: 1.25)."""

SOQ_GAP = 0.03
"""Distance between Thursday's close and Friday's opening settlement, decimal of the level (F84)."""

_VOL_CLIP = (-0.05, 0.25)
_SIGMAS = 2.0
_SESSIONS_A_YEAR = 252.0
_THIRTY_DAYS = 30.0 / 365.0
_HORIZONS = ((1, "1 session"), (5, "5 sessions"), (21, "21 sessions"))
_VARIANTS = (("mid vol", 0.0), ("high vol", 1.0), ("low vol", -1.0))


@dataclass(frozen=True, slots=True)
class Drawdown:
    """
    The worst loss over the rule's scenarios.

    `share` is of committed capital, positive for a loss (0.06 = 6 %); `cell` names the horizon, sign,
    volatility variant and correlation that give it; `by_horizon` is the worst share of each horizon and
    `by_cell` that of each horizon, sign and correlation.
    """

    share: float
    cell: str
    by_horizon: tuple[tuple[str, float], ...]
    by_cell: tuple[tuple[str, float], ...] = ()


def two_sd_scenarios(
    view: PricingView,
    *,
    next_expiry: datetime,
    crypto_beta: float,
    crypto_idiosyncratic_vol: float,
    borrow_rise: float = 0.0,
    holidays: tuple[date, ...] = (),
) -> Scenarios:
    """
    The scenarios of D11: four horizons, two signs, three volatility responses, three crypto moves.

    Sessions scale the shock, the calendar days they take lower the time to expiry. The crypto moves are two
    idiosyncratic deviations below and above beta times the index, and both together at correlation one.

    Parameters
    ----------
    next_expiry : the first settlement instant of an option in the book
    crypto_beta : change of ln ether per change of ln SPX
    crypto_idiosyncratic_vol : annual volatility of ether not explained by the index, decimal
    borrow_rise : what variable borrow rates rise by to stand at the kink, decimal per year
    holidays : weekdays without a session
    """
    sigma = atm_vol_at(view.smiles, _THIRTY_DAYS)
    rows: list[tuple[str, float, float, float, float]] = []
    for (name, sessions, days), sign in product(_horizons(view.asof, next_expiry, holidays), (-1.0, 1.0)):
        root_tau = float(np.sqrt(sessions / _SESSIONS_A_YEAR))
        spot = sign * _SIGMAS * sigma * root_tau
        linked, own = crypto_beta * spot, _SIGMAS * crypto_idiosyncratic_vol * root_tau
        moves = (
            ("model corr", linked - own),
            ("model corr, crypto up", linked + own),
            ("corr 1", sign * (abs(linked) + own)),
        )
        for (variant, factor), (link, crypto) in product(_VARIANTS, moves):
            vol = _vol_change(sigma, spot, factor * VOL_OF_VOL * root_tau)
            cell = f"{name}, {'-' if sign < 0 else '+'}2 SD, {variant}, {link}"
            rows.append((cell, spot, vol, days, crypto))
    spots, vols, times, cryptos = np.array([row[1:] for row in rows]).T
    return Scenarios.of(
        spots,
        vols,
        times,
        crypto=cryptos,
        peg=1.0 - STABLE_HAIRCUT,
        gas=GAS_STRESS,
        borrow=borrow_rise,
        liquidity=SPREAD_STRESS,
        names=[row[0] for row in rows],
    )


def drawdown(losses: Floats, scenarios: Scenarios, capital: float) -> Drawdown:
    """The worst of `losses` (USD, positive = loss, one per scenario) as a share of `capital`."""
    return _drawdown(np.asarray(losses, float), scenarios.names, capital)


def book_drawdown(book: Book, view: PricingView, scenarios: Scenarios, capital: float) -> Drawdown:
    """
    The drawdown of a whole book: every scenario revalued in full, and the opening settlement of each AM expiry.

    `capital` is committed capital in USD, fixed before the trade; no borrowed money is in it. Raises
    `InputError` where it is not a positive number.
    """
    losses, names = cell_losses(book, view, scenarios)
    return _drawdown(losses, names, capital)


def cell_losses(book: Book, view: PricingView, scenarios: Scenarios) -> tuple[Floats, tuple[str, ...]]:
    """USD that a whole book loses in each scenario and at each opening settlement, and the names of these cells."""
    settled = soq_losses(book, view)
    losses = np.concatenate([borne_losses(book, view, scenarios), [loss for _, loss in settled]])
    return losses, scenarios.names + tuple(name for name, _ in settled)


def rule_losses(book: Book, view: PricingView, scenarios: Scenarios) -> Floats:
    """
    USD the book loses in each scenario, positive = loss: its value at mid now less what leaving it brings then.

    What settles before a scenario's end settles on the way, at the same number of deviations over its own
    shorter time, and costs nothing to leave. A stablecoin below par is worth less where we own it, never
    less where we owe it. Losses of books add up: that of n units is n times that of one.
    """
    before = book_values(book, view, Scenarios.now())[0]
    after = np.zeros(len(scenarios))
    for (days, owed), part in settling_parts(book, view.asof).items():
        shocks = _until(scenarios, days)
        if owed:
            shocks = shocks.as_debtor()
        after += book_values(part, view, shocks)
        after -= np.where(scenarios.days < days, exit_costs(part, view, shocks), 0.0)
    return np.asarray(before - after)


def borne_losses(book: Book, view: PricingView, scenarios: Scenarios) -> Floats:
    """
    `rule_losses` of a whole book less what its lenders bear: without recourse equity in a vault ends at nothing (S45).

    Unlike them it does not add up over parts of a market: collateral and debt belong together.
    """
    spared = lenders_bear(book, view, scenarios) - lenders_bear(book, view, Scenarios.now())
    return np.asarray(rule_losses(book, view, scenarios) - spared)


def soq_losses(book: Book, view: PricingView, *, gap: float = SOQ_GAP) -> tuple[tuple[str, float], ...]:
    """
    USD lost when the opening settlement lies `gap` away from Thursday's close, for each AM expiry and sign.

    Only index options of that expiry settle there; all else is marked at the unmoved close (F84). Empty without one.
    """
    before = book_values(book, view, Scenarios.now())[0]
    found = []
    for expiry in sorted({o.expiry for o in map(_am_option, book) if o is not None}):
        at_open = Book(tuple(p for p in book if (o := _am_option(p)) is not None and o.expiry == expiry))
        others = Book(tuple(p for p in book if p not in at_open.positions))
        days = (expiry - view.asof) / timedelta(days=1)
        unmoved = -rule_losses(others, view, Scenarios.of(days=days, gas=0.0, liquidity=0.0))[0]
        unmoved += book_values(others, view, Scenarios.now())[0]
        for sign in (-1.0, 1.0):
            settled = book_values(at_open, view, Scenarios.of(np.log1p(sign * gap), days=days))[0]
            name = f"SOQ {expiry.astimezone(MARKET_ZONE).date()}, {sign * gap:+.1%}"
            found.append((name, float(before - settled - unmoved)))
    return tuple(found)


def settling_parts(book: Book, asof: datetime) -> dict[tuple[float, bool], Book]:
    """The book by days to settlement (infinite without one) and by whether it is a debt."""
    groups: defaultdict[tuple[float, bool], list[Position]] = defaultdict(list)
    for position in book:
        instrument = position.instrument
        ends = instrument.expiry if isinstance(instrument, VanillaOption | Future) else None
        days = np.inf if ends is None else max((ends - asof) / timedelta(days=1), 0.0)
        groups[days, isinstance(instrument, LendingDebt)].append(position)
    return {key: Book(tuple(held)) for key, held in groups.items()}


def vol_response(spot: ArrayLike) -> Floats:
    """Change of 30-day volatility that a change of ln spot brings, decimal, within its clip (D11)."""
    return np.asarray(np.clip(VOL_RESPONSE * np.asarray(spot, float), *_VOL_CLIP))


def down_cells(scenarios: Scenarios) -> Scenarios:
    """The rule's cells of one session and -2 SD, which size margin calls (D13); all of them where none is so named."""
    found = [at for at, name in enumerate(scenarios.names) if name.startswith("1 session, -2 SD")]
    return scenarios.take(found) if found else scenarios


def _horizons(asof: datetime, expiry: datetime, holidays: tuple[date, ...]) -> list[tuple[str, float, float]]:
    """Name, sessions and calendar days of each horizon."""
    today, last = asof.astimezone(MARKET_ZONE).date(), expiry.astimezone(MARKET_ZONE).date()
    closed = np.array(holidays, "datetime64[D]")
    rows = []
    for sessions, name in _HORIZONS:
        end = np.busday_offset(today, sessions, roll="backward", holidays=closed)
        rows.append((name, float(sessions), float((end - np.datetime64(today)) / np.timedelta64(1, "D"))))
    days = max((expiry - asof) / timedelta(days=1), 0.0)
    sessions_left = max(int(np.busday_count(today, last, holidays=closed)), 1)
    return [*rows, ("to expiry", float(sessions_left), days)]


def _vol_change(sigma: float, spot: float, relative: float) -> float:
    """Change of 30-day volatility after the response to `spot` and a relative move of volatility itself."""
    stressed = (sigma + float(vol_response(spot))) * max(1.0 + relative, 0.0)
    return float(np.clip(stressed - sigma, *_VOL_CLIP))


def _drawdown(losses: Floats, names: tuple[str, ...], capital: float) -> Drawdown:
    positive_capital(capital)
    shares = losses / capital
    if not np.isfinite(shares).all():
        raise InputError(
            "drawdown refused",
            why=f"the loss in {names[int(np.argmin(np.isfinite(shares)))]} is not a number",
            todo="price every position of the book",
        )
    horizons: dict[str, float] = {}
    cells: dict[str, float] = {}
    for name, share in zip(names, map(float, shares), strict=True):
        horizon, sign, *rest = name.split(", ")
        cell = ", ".join((horizon, sign, *rest[1:]))
        horizons[horizon] = max(horizons.get(horizon, -np.inf), share)
        cells[cell] = max(cells.get(cell, -np.inf), share)
    worst = int(np.argmax(shares))
    return Drawdown(float(shares[worst]), names[worst], tuple(horizons.items()), tuple(cells.items()))


def _until(scenarios: Scenarios, days: float) -> Scenarios:
    """The scenarios for what lives `days` more: those that end later stop there, on a path of equal deviations."""
    late = scenarios.days > days
    if not late.any():
        return scenarios
    share = np.sqrt(np.where(late, days / np.where(late, scenarios.days, 1.0), 1.0))
    return replace(
        scenarios,
        spot=scenarios.spot * share,
        crypto=scenarios.crypto * share,
        days=np.minimum(scenarios.days, days),
    )


def _am_option(position: Position) -> VanillaOption | None:
    instrument = position.instrument
    if isinstance(instrument, VanillaOption) and instrument.underlying == "SPX":
        return instrument if instrument.settlement is Settlement.AM else None
    return None


def positive_capital(capital: float) -> None:
    """Raise `InputError` for a denominator that is no positive sum."""
    if not (np.isfinite(capital) and capital > 0):
        raise InputError(
            "drawdown refused", why=f"committed capital is {capital:,.2f} USD", todo="commit a positive sum"
        )
