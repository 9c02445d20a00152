"""Which of the condors on offer to sell: by standard deviations, by delta, or by what it earns per tail loss (S12)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError, MissingQuote
from engine.instruments import VanillaOption
from engine.market import Floats
from engine.policy.condors import CondorOffer
from engine.pricing.black import greeks
from engine.risk.smile import Smile, Smiles
from engine.risk.structures import condor_payoff

_TAIL = 0.025


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


def by_expectation(
    offers: Sequence[CondorOffer],
    spot: float,
    returns: Mapping[float, Floats],
    *,
    fee: float = 0.0,
    allowed: Callable[[CondorOffer], bool] = lambda _: True,
) -> Score | None:
    """
    The condor with the highest expected result per expected shortfall among those allowed, None without a gain.

    Width and tenor follow the surface: every width of every expiry on offer is a candidate, and the credit
    of each is what its quotes pay (S12).

    Parameters
    ----------
    spot : index level, > 0
    returns : sampled real-world log returns of the index to settlement, by an offer's `days`
    fee : USD per contract
    allowed : whether an offer keeps every limit
    """
    best: Score | None = None
    for offer in offers:
        if allowed(offer):
            score = scored(offer, spot, returns, fee=fee)
            if score.expected > 0 and (best is None or score.ratio > best.ratio):
                best = score
    return best


def scored(offer: CondorOffer, spot: float, returns: Mapping[float, Floats], *, fee: float = 0.0) -> Score:
    """What the offer earns against its tail in the outcomes; arguments as in `by_expectation` (S12)."""
    try:
        moves = returns[offer.days]
    except KeyError:
        raise MissingQuote(
            f"no outcomes for {offer.days:.2f} days",
            why="returns are sampled for other horizons only",
            todo="sample returns to each offer's settlement",
        ) from None
    if not len(moves) or not np.isfinite(moves).all():
        raise InputError("outcomes refused", why="they are empty or not all finite", todo="give sampled log returns")
    payoff = condor_payoff(offer.condor, offer.credit)
    result = np.sort(payoff.at(spot * np.exp(moves)) * float(offer.condor.put_short.multiplier) - 4 * fee)
    expected = float(result.mean())
    shortfall = -float(result[: math.ceil(_TAIL * len(result))].mean())
    return Score(
        offer, expected, shortfall, expected / shortfall if shortfall > 0 else math.copysign(math.inf, expected)
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
