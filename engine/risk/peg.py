"""Whether a pegged asset has left what it can be redeemed for, and what to do about it (D21)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

import numpy as np

from engine.errors import InputError, MissingQuote
from engine.market import Floats
from engine.pricing.admitted import not_negative


class PegTier(IntEnum):
    """How far the peg has gone, and what it asks for."""

    HOLDS = 0
    WATCH = 1
    FREEZE = 2
    UNWIND = 3


class PegSide(StrEnum):
    """What the asset is to us: collateral hurts below its redemption value, debt above."""

    COLLATERAL = "collateral"
    DEBT = "debt"

    def deviation(self, ratio: float) -> float:
        """
        How far `ratio` (market over redemption) has moved against us, decimal; negative = in our favour.

        >>> round(PegSide.DEBT.deviation(1.02), 4)
        0.02
        """
        return 1.0 - ratio if self is PegSide.COLLATERAL else ratio - 1.0


@dataclass(frozen=True, slots=True)
class PegRules:
    """Thresholds of the tiers and times to enter and to leave them; deviations are decimals."""

    watch: float = 0.0050  # D21: 50 bp
    watch_for: timedelta = timedelta(minutes=15)  # D21
    freeze: float = 0.0200  # D21: 200 bp
    unwind: float = 0.0500  # D21: 500 bp
    window: timedelta = timedelta(minutes=30)  # D21: of the time-weighted price
    sources_min: int = 2  # D21
    recovered: float = 0.5  # D21 [reading]: a tier is left below this share of its threshold,
    calm_for: timedelta = timedelta(hours=1)  # D21 [reading]: and only after this long
    health_impact_max: float = 0.10  # D21: cascade

    def threshold(self, tier: PegTier) -> float:
        """The deviation at which `tier` begins."""
        return (0.0, self.watch, self.freeze, self.unwind)[tier]


@dataclass(frozen=True, slots=True, eq=False)
class PegPrices:
    """One source's prices: `seconds` rising (any epoch) and a positive price that stands from each on."""

    source: str
    seconds: Floats
    prices: Floats


@dataclass(frozen=True, slots=True)
class PegState:
    """
    The tier of one asset, and the clocks that move it.

    `strayed` is when the watch threshold was last crossed outward, `calmed` when the deviation fell
    below the share at which the present tier may be left; None while neither holds.
    """

    side: PegSide
    tier: PegTier = PegTier.HOLDS
    at: datetime | None = None
    strayed: datetime | None = None
    calmed: datetime | None = None


def time_weighted(prices: PegPrices, end: float, window: float) -> float:
    """
    Arithmetic mean price over the `window` seconds before `end`, each price weighted by how long it stood.

    Raises `MissingQuote` where the source has no price at the window's start: a shorter mean would let one
    block weigh more than its time.

    >>> prices = PegPrices("pool", np.array([0.0, 1788.0]), np.array([1.0, 0.5]))
    >>> round(time_weighted(prices, 1800.0, 1800.0), 6)
    0.996667
    """
    seconds, levels = prices.seconds, prices.prices
    start = end - window
    known = int(np.searchsorted(seconds, end, side="right"))
    first = int(np.searchsorted(seconds, start, side="right")) - 1
    if np.any(np.diff(seconds) <= 0) or not (np.isfinite(levels).all() and (levels > 0).all()):
        raise InputError(
            f"prices of {prices.source} refused",
            why="times must rise and prices be positive",
            todo="read the source again",
        )
    if first < 0:
        raise MissingQuote(
            f"no time-weighted price from {prices.source}",
            why="it has no price at the start of the window",
            todo="wait for a full window or use another source",
        )
    edges = np.clip(np.append(seconds[first:known], end), start, end)
    return float(np.diff(edges) @ levels[first:known] / window)


def peg_ratio(sources: Sequence[PegPrices], redemption: float, at: datetime, rules: PegRules = PegRules()) -> float:
    """
    Market price over redemption value: the median of the sources' time-weighted prices, so no single pool moves it.

    Parameters
    ----------
    sources : at least `rules.sources_min`, `seconds` since the Unix epoch, in units of the redemption asset
    redemption : what one token is redeemed for (exchange-rate contract), > 0; 1 only where minted one for one

    Raises
    ------
    MissingQuote where too few distinct sources cover the window; InputError for a redemption value <= 0.

    Source
    ------
    D21, S37.
    """
    if not (redemption > 0 and np.isfinite(redemption)):
        raise InputError(
            f"redemption value {redemption:g} refused", why="it must be positive", todo="read the rate contract again"
        )
    means: dict[str, float] = {}
    for prices in sources:
        try:
            means[prices.source] = time_weighted(prices, at.timestamp(), rules.window.total_seconds())
        except MissingQuote:
            continue
    if len(means) < rules.sources_min:
        raise MissingQuote(
            f"peg not judged from {len(means)} source(s)",
            why=f"{rules.sources_min} with a full window are needed",
            todo="add a price source for this token",
        )
    return float(np.median(list(means.values()))) / redemption


def watch_peg(state: PegState, ratio: float, at: datetime, rules: PegRules = PegRules()) -> PegState:
    """
    The state after reading `ratio` (market over redemption) at `at`.

    A worse tier is entered at once, except the watch, which the deviation must earn by `watch_for`. A tier is
    left one at a time, each after the deviation has stayed below half of that tier's threshold for `calm_for`.
    Raises `InputError` for a reading that is older than the last or not positive.
    """
    if (state.at is not None and at < state.at) or not (np.isfinite(ratio) and ratio > 0):
        raise InputError(
            f"peg reading {ratio:g} of {at} refused",
            why="readings are positive and come in order of time",
            todo="feed them as observed",
        )
    deviation = state.side.deviation(ratio)
    strayed = (state.strayed or at) if _reaches(deviation, rules.watch) else None
    entered = _entered(deviation, strayed, at, rules)
    if entered > state.tier:
        return replace(state, tier=entered, at=at, strayed=strayed, calmed=None)
    calm = state.tier > PegTier.HOLDS and not _reaches(deviation, rules.recovered * rules.threshold(state.tier))
    calmed = (state.calmed or at) if calm else None
    if calmed is not None and at - calmed >= rules.calm_for:
        lower = PegTier(state.tier - 1)
        still = lower > PegTier.HOLDS and not _reaches(deviation, rules.recovered * rules.threshold(lower))
        return replace(state, tier=lower, at=at, strayed=strayed, calmed=at if still else None)
    return replace(state, at=at, strayed=strayed, calmed=calmed)


def health_impact(collateral: Mapping[str, float], debt: Mapping[str, float], ratios: Mapping[str, float]) -> float:
    """
    Share of the health factor that leaving the peg takes away; 0 without debt, negative = it improves.

    Parameters
    ----------
    collateral : USD at redemption value times liquidation threshold, by asset
    debt : USD at redemption value, by asset
    ratios : market over redemption, by asset; an asset without one is at 1

    Source
    ------
    S30: health = sum(C LT) / sum(D).
    """
    for what, amounts in (("collateral", collateral), ("debt", debt), ("peg ratio", ratios)):
        not_negative(what, list(amounts.values()))
    secured, owed = sum(collateral.values()), sum(debt.values())
    if secured <= 0 or owed <= 0:
        return 0.0
    market = sum(usd * ratios.get(asset, 1.0) for asset, usd in collateral.items())
    return 1.0 - (market / sum(usd * ratios.get(asset, 1.0) for asset, usd in debt.items())) / (secured / owed)


def cascades(states: Mapping[str, PegState], health_impact: float, rules: PegRules = PegRules()) -> bool:
    """Whether depegging spreads: two collaterals frozen, or too much of the health factor gone (S84)."""
    frozen = [s for s in states.values() if s.side is PegSide.COLLATERAL and s.tier >= PegTier.FREEZE]
    return len(frozen) >= 2 or health_impact > rules.health_impact_max


def _entered(deviation: float, strayed: datetime | None, at: datetime, rules: PegRules) -> PegTier:
    for tier in (PegTier.UNWIND, PegTier.FREEZE):
        if _reaches(deviation, rules.threshold(tier)):
            return tier
    return PegTier.WATCH if strayed is not None and at - strayed >= rules.watch_for else PegTier.HOLDS


def _reaches(deviation: float, threshold: float) -> bool:
    return deviation >= threshold - 1e-12  # 1 - 0.98 is 0.020000000000000018, 1.02 - 1 the same
