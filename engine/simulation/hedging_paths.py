"""Options hedged along common paths: what a re-hedging rule earns after its costs (D24, D26)."""

from dataclasses import dataclass

import numpy as np

from engine.errors import InputError
from engine.market import Floats
from engine.policy.band import Rehedge
from engine.pricing.black import forward_value, greeks


@dataclass(frozen=True, slots=True, eq=False)
class HedgedOptions:
    """
    European options of one expiry on one forward, held to expiry.

    Arrays share one axis, an element per leg: `strikes` in points, `signs` +1 call and -1 put, `units`
    signed (USD per point: contracts times multiplier), `vols` the implied volatility each was dealt at and
    is hedged with (decimal). `years` is ACT/365F to expiry.
    """

    strikes: Floats
    signs: Floats
    units: Floats
    vols: Floats
    years: float

    def value(self, forward: Floats, left: float) -> Floats:
        """USD of all legs at each forward with `left` years to expiry, undiscounted."""
        legs = forward_value(forward[:, None], self.strikes, left, self.vols, sign=self.signs)
        return np.asarray(legs @ self.units)

    def sensitivities(self, forward: Floats, left: float) -> tuple[Floats, Floats]:
        """Delta (units) and gamma (units per point) of all legs at each forward; `left` > 0."""
        legs = greeks(forward[:, None], self.strikes, left, self.vols, sign=self.signs)
        return np.asarray(legs.delta @ self.units), np.asarray(legs.gamma @ self.units)


@dataclass(frozen=True, slots=True, eq=False)
class HedgedResults:
    """USD per path: `gain` after costs, `costs` (>= 0) of trading the hedge; `trades` counts them."""

    gain: Floats
    costs: Floats
    trades: Floats

    def utility(self, risk_aversion: float) -> Floats:
        """Exponential utility of each path's gain, -exp(-risk_aversion * gain)."""
        return -np.exp(-risk_aversion * self.gain)


def forward_paths(
    rng: np.random.Generator, *, forward: float, vol: float, years: float, marks: int, paths: int
) -> Floats:
    """
    Forwards of shape (marks + 1, paths): driftless geometric Brownian motion, exact at each mark.

    Parameters
    ----------
    forward : at the start, points
    vol : realised volatility, decimal per year
    years : spanned by `marks` equal steps
    """
    if not (forward > 0 and vol >= 0 and years > 0 and marks >= 1 and paths >= 1):
        raise InputError("paths refused", why="their terms are not positive", todo="give positive terms")
    sd = vol * np.sqrt(years / marks)
    logs = np.cumsum(sd * rng.standard_normal((marks, paths)) - 0.5 * sd * sd, axis=0)
    return np.asarray(forward * np.exp(np.vstack([np.zeros(paths), logs])))


def hedged_results(options: HedgedOptions, paths: Floats, rule: Rehedge, cost: float = 0.0) -> HedgedResults:
    """
    What the options and their hedge in the forward bring to expiry, in dollars of the expiry.

    The hedge starts at the full offsetting delta under every rule, so that rules differ only in what they do
    afterwards; it is unwound at expiry. Marks are equally spaced, the last one is the settlement.

    Parameters
    ----------
    paths : forwards, shape (marks + 1, paths)
    cost : proportional, decimal of what is traded
    """
    marks = len(paths) - 1
    held, _ = options.sensitivities(paths[0], options.years)
    held = -held
    costs = cost * np.abs(held) * paths[0]
    gain = -options.value(paths[0], options.years)
    trades = (held != 0).astype(float)
    for at in range(1, marks + 1):
        gain = gain + held * (paths[at] - paths[at - 1])
        if at == marks:
            break
        left = options.years * (1.0 - at / marks)
        delta, gamma = options.sensitivities(paths[at], left)
        wanted = rule(held, -delta, gamma, paths[at], left)
        costs = costs + cost * np.abs(wanted - held) * paths[at]
        trades = trades + (wanted != held)
        held = wanted
    costs = costs + cost * np.abs(held) * paths[-1]
    return HedgedResults(gain + options.value(paths[-1], 0.0) - costs, costs, trades + (held != 0))
