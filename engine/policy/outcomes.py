"""What an option brings at its own settlement, in joint scenarios of a stated measure (D33)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np

from engine.errors import InputError
from engine.instruments import VanillaOption
from engine.market import ExpiryQuotes, Floats
from engine.pricing.black import forward_value
from engine.risk.drawdown import vol_response
from engine.risk.moves import vix_move
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile, atm_vol_at
from engine.risk.valuation import unit_values

SCENARIOS = 10_000
"""Equally likely settlements of the risk-neutral measure."""

ROLL_OFF_DAYS = 21.0
"""Calendar days a hedge of the first layer is held before it is rolled off (S22)."""

_BEYOND = np.concatenate([np.linspace(0.0, 1.0, 41)[:-1], np.linspace(1.0, 3.0, 41), [5.0, 20.0]])


class Law(StrEnum):
    """Whose probabilities expectations are taken under: history's, or the ones that prices imply."""

    REAL_WORLD = "real_world"
    RISK_NEUTRAL = "risk_neutral"


Returns = Callable[[float, float], Floats]
"""Sampled real-world ln(S_T / F), given days and the at-the-money volatility to them, in order of their dates."""

Series = tuple[str, datetime]
"""Contract root and expiry instant."""


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """
    Where each expiry settles in equally likely scenarios, one array element per scenario, joint over expiries.

    `levels` are in points of the index or of VIX, `discounts` what a dollar at settlement is worth now; `name` says
    in words which measure it is. `roll_off` is the market on the same paths when hedges are rolled off, None where
    every hedge is held to its own settlement.
    """

    name: str
    view: PricingView
    levels: Mapping[Series, Floats]
    discounts: Mapping[Series, float]
    roll_off: Scenarios | None = None

    def __len__(self) -> int:
        return len(next(iter(self.levels.values()), np.empty(0)))

    def rolls(self, option: VanillaOption) -> bool:
        """Whether an option held as a hedge is sold before it settles."""
        return self.roll_off is not None and float(self.roll_off.days[0]) < _days(option, self.view)

    def hedge_outcome(self, option: VanillaOption) -> Floats:
        """USD that one contract owned as a hedge brings when it is rolled off or settles, discounted to now."""
        if self.roll_off is None or not self.rolls(option):
            return self.outcome(option)
        series = option.root, option.expiry
        years = float(self.roll_off.days[0]) / _days(option, self.view)
        return np.asarray(self.discounts[series] ** years * unit_values(option, self.view, self.roll_off))

    def outcome(self, option: VanillaOption) -> Floats:
        """USD that one contract owned pays at settlement in each scenario, discounted to now."""
        series = option.root, option.expiry
        intrinsic = np.maximum(option.right.sign * (self.levels[series] - float(option.strike)), 0.0)
        return np.asarray(self.discounts[series] * float(option.multiplier) * intrinsic)


def real_world(
    view: PricingView, series: Iterable[Series], returns: Returns, *, premium: float | None = None
) -> Measure:
    """
    The measure of expectations: past returns from one and the same day on, rescaled to each expiry.

    A scenario is a day of the past: the index moves to each expiry as it did in the sessions after that day, and
    VIX by its beta to it. Hedges are rolled off on the way, at a volatility that has answered the
    move. `premium` is the variance premium that was taken off, for the name only.

    Source
    ------
    D33 (measure), D06, S22 (roll-off).
    """
    smiles = {key: _smile(view, key) for key in sorted(set(series))}
    sampled: dict[Series, Floats] = {}
    for key, (smile, vix) in smiles.items():
        vol = atm_vol_at(view.smiles, smile.years) if vix else smile.atm_vol
        sampled[key] = returns(smile.years * 365.0, vol)
    on_the_way = returns(ROLL_OFF_DAYS, atm_vol_at(view.smiles, ROLL_OFF_DAYS / 365.0))
    shortest = min(len(moves) for moves in (on_the_way, *sampled.values()))
    levels = {}
    for key, (smile, vix) in smiles.items():
        moves = _centred(sampled[key][:shortest])
        levels[key] = smile.forward * (vix_move(smile.years, Scenarios.of(moves)) if vix else np.exp(moves))
    moved = _centred(on_the_way[:shortest])
    roll_off = Scenarios.of(moved + _carry(view) * ROLL_OFF_DAYS / 365.0, vol_response(moved), ROLL_OFF_DAYS)
    taken = "" if premium is None else f", variance premium {premium:+.4f} a year taken off"
    name = f"real-world: {shortest:,} filtered past returns scaled to today's volatility{taken}"
    return Measure(name, view, levels, _discounts(smiles), roll_off)


def risk_neutral(view: PricingView, series: Iterable[Series], *, scenarios: int = SCENARIOS) -> Measure:
    """
    The measure of prices: each expiry settles by the law its own quotes imply, so that no option has an edge.

    Expiries of the index move together, rank by rank, and VIX against them.

    Source
    ------
    D33: the law that a book without a premium is not sold; Breeden and Litzenberger, J. Business 51 (1978).
    """
    smiles = {key: _smile(view, key) for key in sorted(set(series))}
    levels = {}
    for key, (smile, vix) in smiles.items():
        settled = implied_settlements(smile, view.quotes.get(key), scenarios)
        levels[key] = settled[::-1] if vix else settled
    return Measure(
        f"risk-neutral: the law implied by each smile, {scenarios:,} ranks", view, levels, _discounts(smiles)
    )


def implied_settlements(smile: Smile, quotes: ExpiryQuotes | None, scenarios: int) -> Floats:
    """
    Equally likely settlement levels, rising, in points, that price every listed strike as the smile does.

    The undiscounted put as a function of strike bends only at listed strikes and a coarse grid beyond them, so the
    law sits on those strikes, weighted by the bends; what is not convex is replaced by its convex hull. A scenario is
    the mean of one of `scenarios` equal ranks: exact wherever a rank spans no more than one whole strike.
    """
    if scenarios < 1:
        raise InputError("measure refused", why=f"{scenarios} scenarios", todo="ask for at least one")
    listed = np.empty(0) if quotes is None else quotes.strikes
    strikes = np.unique(np.concatenate([_BEYOND * smile.forward, listed]))
    moneyness = np.log(np.maximum(strikes, 1e-9 * smile.forward) / smile.forward)
    puts = forward_value(smile.forward, np.maximum(strikes, 1e-12), smile.years, smile.vol(moneyness), sign=-1)
    puts = np.where(strikes > 0, puts, 0.0)
    puts[-1] = strikes[-1] - smile.forward
    kept = _convex(strikes, puts)
    strikes, puts = strikes[kept], puts[kept]
    slopes = np.concatenate([[0.0], np.diff(puts) / np.diff(strikes), [1.0]])
    reached = np.clip(np.maximum.accumulate(slopes[1:]), 0.0, 1.0)
    reached[-1] = 1.0
    weights = np.diff(np.concatenate([[0.0], reached]))
    partial = np.concatenate([[0.0], np.cumsum(weights * strikes)])
    ranks = np.linspace(0.0, 1.0, scenarios + 1)
    below = np.interp(ranks, np.concatenate([[0.0], reached]), partial)
    return np.asarray(np.diff(below) * scenarios)


def _convex(x: Floats, y: Floats) -> list[int]:
    """Positions of the lower convex hull of points with rising x."""
    hull: list[int] = []
    for at in range(len(x)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (y[b] - y[a]) * (x[at] - x[b]) < (y[at] - y[b]) * (x[b] - x[a]):
                break
            hull.pop()
        hull.append(at)
    return hull


def _centred(moves: Floats) -> Floats:
    """Log returns shifted so that the index is expected at its forward."""
    return np.asarray(moves - np.log(np.mean(np.exp(moves))))


def _carry(view: PricingView) -> float:
    """Growth of the forward, per year, of the index expiry nearest to the roll-off."""
    near = min(view.smiles.values(), key=lambda smile: abs(smile.years * 365.0 - ROLL_OFF_DAYS))
    return float(np.log(near.forward / view.spot) / near.years)


def _days(option: VanillaOption, view: PricingView) -> float:
    return (option.expiry - view.asof) / timedelta(days=1)


def _smile(view: PricingView, series: Series) -> tuple[Smile, bool]:
    """The smile of one expiry, and whether it is one of VIX."""
    if series in view.smiles:
        return view.smiles[series], False
    return view.vix_smiles[series], True


def _discounts(smiles: Mapping[Series, tuple[Smile, bool]]) -> dict[Series, float]:
    return {key: float(np.exp(-smile.rate * smile.years)) for key, (smile, _) in smiles.items()}
