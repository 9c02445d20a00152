"""Which of the condors on offer to sell: by standard deviations, by delta, or by what it earns per tail loss (S12)."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from engine.errors import InputError, MissingQuote
from engine.instruments import VanillaOption
from engine.market import Floats
from engine.policy.condors import CondorOffer
from engine.policy.mean_cvar import TAIL, tail_weights
from engine.pricing.black import greeks
from engine.risk.smile import Smile, Smiles


@dataclass(frozen=True, slots=True)
class Score:
    """
    What one condor on offer earns against its tail, USD per condor, held to settlement and after fees.

    `expected` is the mean over the outcomes, `shortfall` the mean loss of the worst 2.5 % of them (negative if
    even those gain), `ratio` the first over the second: infinite for a gain without a tail loss.
    """

    offer: CondorOffer
    expected: float
    shortfall: float
    ratio: float


def by_deviation(offers: Sequence[CondorOffer], target: float) -> CondorOffer:
    """
    The condor whose further short is nearest to `target` standard deviations; of equals, that with most credit.

    Source: S03, D02. Raises `InputError` when nothing is on offer.

    Parameters
    ----------
    target : standard deviations of ln K, > 0
    """
    return _nearest(offers, lambda offer: max(abs(offer.put_sd - target), abs(offer.call_sd - target)))


def by_delta(offers: Sequence[CondorOffer], smiles: Smiles, target: float) -> CondorOffer:
    """
    The condor whose further short is nearest to `target` in absolute forward delta; of equals, most credit.

    Parameters
    ----------
    smiles : each expiry's volatilities; a delta is taken at the strike's own volatility
    target : absolute forward delta of each short, in (0, 0.5)

    Raises `InputError` when nothing is on offer, `MissingQuote` for an expiry without a smile.
    """
    if not 0 < target < 0.5:
        raise InputError(f"delta {target} refused", why="a short out of the money has 0 < delta < 0.5", todo="give 0.1")
    return _nearest(offers, lambda offer: max(abs(delta - target) for delta in short_deltas(offer, smiles)))


def short_deltas(offer: CondorOffer, smiles: Smiles) -> tuple[float, float]:
    """Absolute forward deltas of the short put and the short call, each at its strike's volatility."""
    put, call = offer.condor.put_short, offer.condor.call_short
    return _delta(put, _smile(put, smiles)), _delta(call, _smile(call, smiles))


def by_expectation(results: Iterable[tuple[CondorOffer, Floats]]) -> Score | None:
    """
    The condor with the highest expected result per expected shortfall, None without a gain.

    Width and tenor follow the surface: every width of every expiry on offer is a candidate, and the credit
    of each is what its quotes pay (S12). Arguments as in `ranked`.
    """
    best = next(iter(ranked(results)), None)
    return best if best is not None and best.expected > 0 else None


def ranked(results: Iterable[tuple[CondorOffer, Floats]]) -> tuple[Score, ...]:
    """
    Every condor by what it is expected to earn per tail loss, the best first (S12).

    Parameters
    ----------
    results : each condor with its USD per condor after costs, one element per equally likely real-world outcome
    """
    return tuple(sorted((scored(offer, result) for offer, result in results), key=lambda score: -score.ratio))


def scored(offer: CondorOffer, result: Floats) -> Score:
    """What the offer earns against its tail in the outcomes; arguments as in `ranked` (S12)."""
    if not len(result) or not np.isfinite(result).all():
        raise InputError("outcomes refused", why="they are empty or not all finite", todo="give sampled results")
    weights = tail_weights(len(result), TAIL)
    worst = np.sort(result)[: len(weights)]
    expected, shortfall = float(result.mean()), -float(weights @ worst)
    return Score(
        offer, expected, shortfall, expected / shortfall if shortfall > 0 else math.copysign(math.inf, expected)
    )


def standing(offer: CondorOffer, ranking: Sequence[Score], smiles: Smiles, *, deviations: float) -> tuple[str, ...]:
    """
    How a condor on offer stands among all that are, in words: by expectation, by deviations, by delta (S03, S12).

    Parameters
    ----------
    offer : one of `ranking`
    ranking : every condor on offer, the best first, see `ranked`
    deviations : the distance at which shorts are wanted; by delta, that of a short so far out on a level smile
    """
    offers, best = [score.offer for score in ranking], ranking[0]
    place = [each.id for each in offers].index(offer.id)
    own, level = ranking[place], NormalDist().cdf(-deviations)
    put, call = short_deltas(offer, smiles)
    ahead = f", {best.ratio:.4f} for {best.offer.id}" if place else ""
    near_sd, near_delta = by_deviation(offers, deviations), by_delta(offers, smiles, level)
    earned = f"expects {own.expected:,.2f} USD on {own.shortfall:,.2f} of tail loss, {own.ratio:.4f}"
    return (
        f"{earned}: {place + 1} of {len(ranking)} widths and tenors listed{ahead}",
        f"shorts at {offer.put_sd:.2f} and {offer.call_sd:.2f} SD, nearest to {deviations:.2f} is {near_sd.id}",
        f"shorts at deltas {put:.3f} and {call:.3f}, nearest to {level:.3f} is {near_delta.id}",
    )


def _nearest(offers: Sequence[CondorOffer], distance: Callable[[CondorOffer], float]) -> CondorOffer:
    if not offers:
        raise InputError("no condor to choose", why="nothing is on offer", todo="widen the rules or wait for quotes")
    return min(offers, key=lambda offer: (distance(offer), -offer.credit))


def _delta(option: VanillaOption, smile: Smile) -> float:
    strike = float(option.strike)
    vol = smile.vol(np.array([math.log(strike / smile.forward)]))
    return abs(float(greeks(smile.forward, strike, smile.years, vol, sign=option.right.sign).delta[0]))


def _smile(option: VanillaOption, smiles: Smiles) -> Smile:
    try:
        return smiles[option.root, option.expiry]
    except KeyError:
        raise MissingQuote(
            f"no smile for {option.id}", why="the chain has no usable quotes of it", todo="use a chain that does"
        ) from None
