"""Which condors the listed strikes allow: shorts by standard deviations, equal wings, priced to cross."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from engine.instruments import IronCondor, Right, VanillaOption
from engine.market import ExpiryQuotes, Floats
from engine.policy.settings import CoreSettings
from engine.risk.smile import Smile

MULTIPLIER = Decimal(100)
_STEPS = 6


@dataclass(frozen=True, slots=True)
class CondorOffer:
    """
    A condor that could be sold now.

    `credit` is what crossing every spread brings and `mid_credit` what the mids would, both in points
    per condor; `put_sd` and `call_sd` are the shorts' distances in standard deviations (D02, at the
    forward's volatility); `days` is calendar time to settlement.
    """

    condor: IronCondor
    credit: float
    mid_credit: float
    put_sd: float
    call_sd: float
    days: float

    @property
    def id(self) -> str:
        """Root, expiry and strikes in words."""
        first = self.condor.put_short
        strikes = "/".join(f"{leg.strike.normalize():f}" for leg in self.condor.legs)
        return f"{first.root} {first.expiry_date} {strikes}"

    @property
    def max_loss(self) -> float:
        """USD per condor: width less credit, times the multiplier (D03)."""
        return (float(self.condor.width) - self.credit) * float(MULTIPLIER)

    @property
    def margin(self) -> float:
        """USD per condor: one side where widths are equal, else two spreads (D32 `ib`)."""
        put_width = self.condor.put_short.strike - self.condor.put_wing.strike
        call_width = self.condor.call_wing.strike - self.condor.call_short.strike
        held = self.condor.width if put_width == call_width else put_width + call_width
        return float(held * MULTIPLIER)

    @property
    def break_evens(self) -> tuple[float, float]:
        """Index levels between which the condor gains at settlement (D03)."""
        low = float(self.condor.put_short.strike) - self.credit
        return low, float(self.condor.call_short.strike) + self.credit


def option(quotes: ExpiryQuotes, strike: float, right: Right) -> VanillaOption:
    """The listed contract at one strike of one expiry."""
    return VanillaOption(
        root=quotes.root,
        underlying="SPX",
        expiry=quotes.expiry,
        strike=Decimal(str(strike)),
        right=right,
        multiplier=MULTIPLIER,
        settlement=quotes.settlement,
    )


def condor_offers(
    quotes: ExpiryQuotes, smile: Smile, rules: CoreSettings, *, wider: float = 1.0
) -> Iterator[CondorOffer]:
    """
    The condors of one expiry whose shorts lie between the policy's standard deviations.

    Shorts are snapped outward to listed strikes, so snapping never brings them nearer (D02); each put short
    goes with the call short nearest to it in standard deviations. Wings are the listed strikes nearest to a
    few widths of the policy's range, each times `wider` for the events before the expiry (D24b). A condor whose
    legs lack a bid (shorts) or an ask (wings), whose credit is not positive, or whose break-evens lie inside one
    standard deviation (S07) is not offered.
    """
    deviation = smile.atm_vol * float(np.sqrt(smile.years))
    distance = np.abs(np.log(quotes.strikes / smile.forward)) / deviation
    puts = _shorts(np.flatnonzero(quotes.strikes < smile.forward)[::-1], distance, rules)
    calls = _shorts(np.flatnonzero(quotes.strikes > smile.forward), distance, rules)
    if not puts or not calls:
        return
    for put in puts:
        call = min(calls, key=lambda at: abs(distance[at] - distance[put]))
        for legs in sorted(_wings(quotes.strikes, put, call, rules, wider)):
            offer = _offer(quotes, legs, (float(distance[put]), float(distance[call])), smile.years * 365.0)
            if offer is not None and _outside_one_sd(offer, smile.forward, deviation):
                yield offer


def _shorts(outward: NDArray[np.intp], distance: Floats, rules: CoreSettings) -> list[int]:
    """Positions of the first listed strike at or beyond each target distance, within the maximum."""
    found: list[int] = []
    for target in np.linspace(rules.short_sd_min, rules.short_sd_max, _STEPS):
        beyond = outward[distance[outward] >= target]
        if len(beyond) and distance[beyond[0]] <= rules.short_sd_max and beyond[0] not in found:
            found.append(int(beyond[0]))
    return found


def _wings(strikes: Floats, put: int, call: int, rules: CoreSettings, wider: float) -> set[tuple[int, int, int, int]]:
    """Leg positions with wings nearest to each width, both inside the policy's range of widths."""
    found: set[tuple[int, int, int, int]] = set()
    for width in wider * np.linspace(rules.width_min, rules.width_max, 4):
        low = int(np.argmin(np.abs(strikes - (strikes[put] - width))))
        high = int(np.argmin(np.abs(strikes - (strikes[call] + width))))
        widths = (strikes[put] - strikes[low], strikes[high] - strikes[call])
        if all(rules.width_min <= w <= wider * rules.width_max for w in widths):
            found.add((low, put, call, high))
    return found


def _offer(
    quotes: ExpiryQuotes, legs: tuple[int, int, int, int], distances: tuple[float, float], days: float
) -> CondorOffer | None:
    at = np.array(legs)
    rights = (Right.PUT, Right.PUT, Right.CALL, Right.CALL)
    bids = np.array([quotes.put_bid[at[0]], quotes.put_bid[at[1]], quotes.call_bid[at[2]], quotes.call_bid[at[3]]])
    asks = np.array([quotes.put_ask[at[0]], quotes.put_ask[at[1]], quotes.call_ask[at[2]], quotes.call_ask[at[3]]])
    sold, bought = [1, 2], [0, 3]
    if not (_tradable(bids[sold]) and _tradable(asks[bought]) and np.all(np.isfinite(bids + asks) & (asks >= bids))):
        return None
    mids = 0.5 * (bids + asks)
    credit = float(bids[sold].sum() - asks[bought].sum())
    mid_credit = float(mids[sold].sum() - mids[bought].sum())
    contracts = [option(quotes, float(quotes.strikes[i]), right) for i, right in zip(at, rights, strict=True)]
    condor = IronCondor(*contracts)
    if not 0 < credit < float(condor.width):
        return None
    return CondorOffer(condor, credit, mid_credit, *distances, days)


def _outside_one_sd(offer: CondorOffer, forward: float, deviation: float) -> bool:
    return all(abs(float(np.log(level / forward))) >= deviation for level in offer.break_evens)


def _tradable(prices: Floats) -> bool:
    return bool(np.all(np.isfinite(prices) & (prices > 0)))
