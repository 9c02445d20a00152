"""A volatility surface through a whole chain, free of butterflies and calendars, and what it says between expiries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, MissingQuote
from engine.market import Finding, Floats, OptionChain, RateCurve, Severity
from engine.pricing.black import forward_value
from engine.pricing.density import Law
from engine.pricing.ssvi import Ssvi, Strip, fit_ssvi
from engine.pricing.surface_checks import butterfly_g, crossings
from engine.pricing.svi_conditions import Limits
from engine.pricing.svi_fit import fewest_quotes, fit_svi
from engine.risk.credible import require_credible
from engine.risk.surface_slice import CHECKED, QuotedStrip, SurfaceSlice, quoted_strip
from engine.signals.expiries import ExpirySummary, expiry_table

_LEAST_GROWTH = 0.03  # of what flat volatility would give: room for an expiry between two others


@dataclass(frozen=True, slots=True, eq=False)
class VolSurface:
    """
    Smiles of every expiry with enough quotes, ordered by settlement instant.

    Total variance does not fall with time at fixed K / F, over the range that any expiry quotes. Between
    two expiries undiscounted prices at fixed K / F are mixed so that at-the-money total variance is linear
    in time; before the first the volatility at fixed K / F is flat; after the last the at-the-money forward
    variance of the last two expiries continues at every K / F. The first two rules keep butterflies and
    calendars out.
    """

    underlying: str
    asof: datetime
    spot: float
    slices: tuple[SurfaceSlice, ...]
    findings: tuple[Finding, ...]

    @property
    def quoted(self) -> tuple[float, float]:
        """Log-moneyness from and to which any expiry is quoted: where calendars are looked for."""
        return _quoted(self.slices)

    def slice(self, root: str, day: date) -> SurfaceSlice:
        """The slice of one root and settlement day. Raises `MissingQuote` where the surface has none."""
        for part in self.slices:
            if part.root == root and part.expiry_date == day:
                return part
        raise MissingQuote(
            f"no smile for {root} {day}",
            why="the chain has no such expiry or too few usable quotes in it",
            todo="choose an expiry that `hedge surface` lists",
        )

    def forward(self, years: float) -> float:
        """Forward at `years`, log-linear in time between spot and the expiries, the whole carry beyond."""
        times = np.array([0.0, *(part.years for part in self.slices)])
        logs = np.log([self.spot, *(part.forward for part in self.slices)])
        if years > times[-1]:
            return float(np.exp(logs[0] + years / times[-1] * (logs[-1] - logs[0])))
        return float(np.exp(np.interp(years, times, logs)))

    def law(self, years: float) -> Law:
        """
        Risk-neutral law of S / F at `years` > 0 by the rules above.

        Source
        ------
        D04; Gatheral & Jacquier (2014), lemma 5.1 and theorem 4.3.
        """
        if not years > 0:
            raise InputError(f"{years:g} years refused", why="a law needs time to pass", todo="give a later instant")
        times = [part.years for part in self.slices]
        first, last = self.slices[0], self.slices[-1]
        if years <= times[0]:
            return Law((first.smile.scaled(years / times[0]),))
        if years >= times[-1]:
            return Law((last.smile.lifted(self._last_forward_variance() * (years - times[-1])),))
        after = int(np.searchsorted(times, years))
        return _between(self.slices[after - 1], self.slices[after], years)

    def total_variance(self, k: float | Floats, years: float) -> Floats:
        """sigma^2 T at k = ln(K / F) and `years`."""
        return self.law(years).total_variance(k)

    def vol(self, strike: float | Floats, years: float) -> Floats:
        """Volatility at `strike` (index points) and `years`, decimal per year."""
        k = np.log(np.asarray(strike, float) / self.forward(years))
        return np.asarray(np.sqrt(self.total_variance(k, years) / years))

    def ssvi(self) -> Ssvi:
        """The whole surface in three numbers: the closest SSVI that allows neither butterflies nor calendars."""
        return fit_ssvi([Strip(float(part.smile.total_variance(0.0)), *part.quotes) for part in self.slices])

    def _last_forward_variance(self) -> float:
        last = self.slices[-1]
        variance, years = float(last.smile.total_variance(0.0)), last.years
        if len(self.slices) == 1:
            return variance / years
        before = self.slices[-2]
        return (variance - float(before.smile.total_variance(0.0))) / (years - before.years)


def fit_surface(chain: OptionChain, rates: RateCurve, table: Sequence[ExpirySummary] | None = None) -> VolSurface:
    """
    The surface of `chain`: free of butterflies and calendars, as close to the quotes as their spreads ask.

    Parameters
    ----------
    chain : quotes at one as-of instant
    rates : continuously compounded curve
    table : `expiry_table(chain, rates)` where it is already at hand

    Returns
    -------
    Expiries are fitted in order of how far their quotes reach, each between those already there, so that
    where one has no quotes another's bound it. Findings name the strikes: `sparse` (left out),
    `outside_quotes`, `locked`, and `arbitrage` where a condition could not be met. Raises `MissingQuote` where no
    expiry can be fitted, `MarketDataError` where `rates` are none a market pays.

    Source
    ------
    D04, F78.
    """
    require_credible(rates, chain)
    rows = expiry_table(chain, rates) if table is None else table
    parts = {(part.root, part.expiry): part for part in chain.slices}
    found = [quoted_strip(parts[row.root, row.expiry], row) for row in rows]
    sparse = [strip for strip in found if isinstance(strip, Finding)]
    strips = sorted((strip for strip in found if isinstance(strip, QuotedStrip)), key=lambda strip: strip.years)
    if not strips:
        raise MissingQuote(
            f"{chain.source} has no smile",
            why=f"no expiry has {fewest_quotes(1)} usable quotes around its forward",
            todo="use a chain saved while options trade or at the close",
        )
    slices = _fitted(strips)
    return VolSurface(chain.underlying, chain.asof, chain.spot, slices, (*sparse, *surface_findings(slices)))


def surface_findings(slices: Sequence[SurfaceSlice]) -> list[Finding]:
    """
    Where most quotes are locked, smiles leave them or hold arbitrage: one finding per expiry and kind, with strikes.

    `slices` are ordered by settlement instant; each is held against the next.

    Source
    ------
    D04, F78.
    """
    found: list[Finding] = []
    for part in slices:
        if locked := part.locked:
            detail = f"bid equals ask at {len(locked)} of {part.strikes.size} strikes: no spread says how close to fit"
            found.append(Finding("locked", Severity.WARNING, part.expiry_date, locked, detail, part.root))
        if outside := part.outside:
            detail = f"smile outside bid and ask at {len(outside)} of {part.strikes.size} strikes"
            found.append(Finding("outside_quotes", Severity.NOTE, part.expiry_date, outside, detail, part.root))
        worst = part.worst_g
        if worst.level < 0:
            strikes = _strikes(part, butterfly_g(part.smile, part.moneyness) < 0, worst.k)
            found.append(_arbitrage(part, strikes, f"butterfly: density below zero, g = {worst.level:.4f}"))
    low, high = _quoted(slices)
    for part, after in pairwise(slices):
        for gap in crossings(part.smile, after.smile, low=low, high=high):
            k = part.moneyness
            strikes = _strikes(part, (k >= gap.low) & (k <= gap.high), gap.worst)
            found.append(
                _arbitrage(part, strikes, f"calendar: more total variance than {after.root} {after.expiry_date}")
            )
    return found


def _fitted(strips: Sequence[QuotedStrip]) -> tuple[SurfaceSlice, ...]:
    """Each strip with its smile, the farthest quoted first, each between those already there."""
    done: dict[int, SurfaceSlice] = {}
    shared = _quoted(strips)
    for at in sorted(range(len(strips)), key=lambda at: float(np.ptp(strips[at].moneyness)), reverse=True):
        strip = strips[at]
        before = max((other for other in done if other < at), default=None)
        after = min((other for other in done if other > at), default=None)
        limits = Limits(
            *CHECKED,
            floor=None if before is None else done[before].smile.scaled(1.0 + _growth(strips[before], strip)),
            ceiling=None if after is None else done[after].smile.scaled(1.0 - _growth(strip, strips[after])),
            shared=shared,
        )
        fit = fit_svi(strip.quotes, limits)
        own = {name: getattr(strip, name) for name in QuotedStrip.__dataclass_fields__}
        done[at] = SurfaceSlice(**own, smile=fit.smile, error=fit.error, unconstrained=fit.unconstrained)
    return tuple(done[at] for at in range(len(strips)))


def _growth(near: QuotedStrip, after: QuotedStrip) -> float:
    return _LEAST_GROWTH * float(np.log(after.years / near.years))


def _between(near: SurfaceSlice, far: SurfaceSlice, years: float) -> Law:
    """Both laws, weighted so that the at-the-money price is that of linear total variance."""
    start, end = (float(part.smile.total_variance(0.0)) for part in (near, far))
    share = (years - near.years) / (far.years - near.years)
    deviations = np.sqrt([start, start + share * (end - start), end])
    low, wanted, high = forward_value(1.0, 1.0, 1.0, deviations, sign=1)
    weight = float((wanted - low) / (high - low)) if high > low else share
    return Law((near.smile, far.smile), (1.0 - weight, weight))


def _quoted(strips: Sequence[QuotedStrip]) -> tuple[float, float]:
    ends = [strip.moneyness[[0, -1]] for strip in strips]
    return float(min(end[0] for end in ends)), float(max(end[1] for end in ends))


def _arbitrage(part: SurfaceSlice, strikes: tuple[float, ...], detail: str) -> Finding:
    return Finding(
        "arbitrage", Severity.WARNING, part.expiry_date, strikes, f"{detail}: size on the worst side", part.root
    )


def _strikes(part: SurfaceSlice, where: NDArray[np.bool_], worst: float) -> tuple[float, ...]:
    """Listed strikes in question, or the level at `worst` where none is quoted there."""
    listed = tuple(float(strike) for strike in part.strikes[where])
    return listed or (round(part.forward * float(np.exp(worst)), 2),)
