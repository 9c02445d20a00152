"""One combo that closes a condor and opens another at the same distance in a later expiry (D25)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

import numpy as np

from engine.errors import InputError
from engine.instruments import IronCondor, Right
from engine.market import ExpiryQuotes, Floats
from engine.money import USD, Money
from engine.orders import OrderLeg
from engine.policy.condors import option
from engine.pricing.black import greeks
from engine.risk.smile import Smile


@dataclass(frozen=True, slots=True)
class RollRules:
    """Thresholds of the triggers and constraints of the combo."""

    days_min: float = 21.0  # D25
    tested_sd: float = 0.5  # D25
    debit_max: float = 0.0  # D25: x, points per condor; net credit >= -x
    sd_slack: float = 0.25  # D25 [reading]: how far beyond the same n-SD a listed strike may lie
    drawdown_max: float = 0.06  # S40
    tick: Decimal = Decimal("0.05")  # points, of a combo's net price


ROLL_RULES = RollRules()


@dataclass(frozen=True, slots=True)
class HeldCondor:
    """
    A short condor that may be rolled.

    `count` is condors sold, > 0; `put_sd` and `call_sd` the distances of its shorts when it was opened, which
    the roll keeps (S13); `credit` what it brought, in points per condor.
    """

    condor: IronCondor
    count: int
    put_sd: float
    call_sd: float
    credit: float

    def __post_init__(self) -> None:
        if not (self.count > 0 and self.put_sd > 0 and self.call_sd > 0 and np.isfinite(self.credit)):
            raise InputError(
                f"roll of {self.count} condors refused",
                why="a count, distances and a credit are needed",
                todo="read them from the position's opening",
            )

    @property
    def max_loss(self) -> float:
        """USD over all condors: width less credit (D03)."""
        multiplier = float(self.condor.put_short.multiplier)
        return self.count * multiplier * (float(self.condor.width) - self.credit)


@dataclass(frozen=True, slots=True, eq=False)
class RollMarket:
    """Both expiries as quoted now: quotes and smile of the one held and of the one rolled into."""

    asof: datetime
    held: ExpiryQuotes
    held_smile: Smile
    later: ExpiryQuotes
    later_smile: Smile


@dataclass(frozen=True, slots=True)
class RollProposal:
    """
    One combo that closes a condor and opens another, all legs or none.

    `legs` are signed contracts over all condors; `limit` is the least cash accepted (negative = paid) and
    `arrival` the cash at the mids; `put_sd` and `call_sd` are the new distances, `credit` the new condor's
    own in points, every spread crossed; `added_max_loss` is USD net of what the old one carried, >= 0;
    `vega_days_before` and `vega_days_after` are vega times days to expiry, USD days per point of volatility.
    """

    condor: IronCondor
    count: int
    legs: tuple[OrderLeg, ...]
    limit: Money
    arrival: Money
    put_sd: float
    call_sd: float
    credit: float
    added_max_loss: float
    drawdown: float
    vega_days_before: float
    vega_days_after: float

    @property
    def vega_days_shifted(self) -> float:
        """What the roll adds to vega times days; negative for a short condor moved further out."""
        return self.vega_days_after - self.vega_days_before

    @property
    def log(self) -> str:
        """The roll in one line."""
        return (
            f"roll {self.count} condors to {self.condor.put_short.expiry_date}: "
            f"{self.put_sd:.2f}/{self.call_sd:.2f} SD, limit {self.limit}, "
            f"vega-days {self.vega_days_before:,.0f} -> {self.vega_days_after:,.0f} "
            f"(shifted {self.vega_days_shifted:+,.0f})"
        )


def roll_combo(
    held: HeldCondor,
    market: RollMarket,
    *,
    drawdown_after: Callable[[tuple[OrderLeg, ...]], float],
    rules: RollRules = ROLL_RULES,
) -> RollProposal | str:
    """
    The combo into the later expiry at the same n-SD, or in words why the listing or its prices allow none.

    Its limit is what crossing every spread brings, but never below minus the largest debit; where even the mids
    bring less than that, there is no combo.

    Parameters
    ----------
    drawdown_after : two-sigma drawdown, as a share of capital, of the book with these legs added

    Source
    ------
    D25, S13: distances in standard deviations are kept, not strikes.
    """
    later = _same_distance(held, market, rules)
    return later if isinstance(later, str) else _priced(held, later, market, drawdown_after, rules)


def days_left(expiry: datetime, asof: datetime) -> float:
    """Calendar days from `asof` to `expiry`, a fraction for the last one."""
    return (expiry - asof) / timedelta(days=1)


def _same_distance(held: HeldCondor, market: RollMarket, rules: RollRules) -> IronCondor | str:
    """The later condor with shorts at the same n-SD, snapped outward, and wings no wider; or why there is none."""
    quotes, smile = market.later, market.later_smile
    if not quotes.expiry > held.condor.put_short.expiry:
        return f"{quotes.expiry_date} is no later expiry"
    deviation = smile.atm_vol * np.sqrt(smile.years)
    distances = np.log(quotes.strikes / smile.forward) / deviation
    strikes: list[float] = []
    for right, wanted, width in (
        (Right.PUT, held.put_sd, held.condor.put_short.strike - held.condor.put_wing.strike),
        (Right.CALL, held.call_sd, held.condor.call_wing.strike - held.condor.call_short.strike),
    ):
        outward = right.sign * distances
        shorts = np.flatnonzero((outward >= wanted - 1e-9) & (outward <= wanted + rules.sd_slack))
        if not len(shorts):
            return f"no {right.name.lower()} listed within {rules.sd_slack:g} SD beyond {wanted:.2f} SD"
        short = float(quotes.strikes[shorts[np.argmin(outward[shorts])]])
        wings = right.sign * (quotes.strikes - short)
        wing = float(quotes.strikes[int(np.argmax(np.where(wings <= float(width), wings, -np.inf)))])
        if wing == short:
            return f"no {right.name.lower()} wing listed within {width} points of {short:g}"
        strikes += [wing, short]
    put_wing, put_short, call_wing, call_short = strikes
    return IronCondor(
        option(quotes, put_wing, Right.PUT),
        option(quotes, put_short, Right.PUT),
        option(quotes, call_short, Right.CALL),
        option(quotes, call_wing, Right.CALL),
    )


def _priced(
    held: HeldCondor,
    later: IronCondor,
    market: RollMarket,
    drawdown_after: Callable[[tuple[OrderLeg, ...]], float],
    rules: RollRules,
) -> RollProposal | str:
    closing, opening = _net(held.condor, market.held, -1), _net(later, market.later, 1)
    if closing is None or opening is None:
        return "a leg of the combo has no two-sided market"
    natural, mid = closing[0] + opening[0], closing[1] + opening[1]
    floor = max(natural, -rules.debit_max)
    if mid < floor:
        return f"net credit {mid:.2f} points at mid is below {-rules.debit_max:.2f}"
    multiplier = later.put_short.multiplier
    limit = (Decimal(str(round(floor, 9))) / rules.tick).to_integral_value(ROUND_CEILING) * rules.tick
    added = held.count * float(multiplier) * (float(later.width) - opening[0]) - held.max_loss
    legs = tuple(
        OrderLeg(leg, Decimal(sign * quantity * held.count))
        for condor, sign in ((held.condor, -1), (later, 1))
        for leg, quantity in zip(condor.legs, condor.quantities, strict=True)
    )
    put_sd, call_sd = _distances(later, market.later_smile)
    return RollProposal(
        condor=later,
        count=held.count,
        legs=legs,
        limit=Money.rounded(limit * multiplier * held.count, USD),
        arrival=Money.rounded(mid * float(multiplier) * held.count, USD),
        put_sd=put_sd,
        call_sd=call_sd,
        credit=opening[0],
        added_max_loss=max(added, 0.0),
        drawdown=drawdown_after(legs),
        vega_days_before=held.count * _vega_days(held.condor, market.held_smile, market.asof),
        vega_days_after=held.count * _vega_days(later, market.later_smile, market.asof),
    )


def _net(condor: IronCondor, quotes: ExpiryQuotes, sign: int) -> tuple[float, float] | None:
    """Points received (+) for selling (`sign` +1) or buying back the condor: crossing every spread, and at mid."""
    natural = mid = 0.0
    for leg, quantity in zip(condor.legs, condor.quantities, strict=True):
        at = np.flatnonzero(quotes.strikes == float(leg.strike))
        if not len(at):
            return None
        bids, asks = _sides(quotes, leg.right)
        bid, ask = float(bids[at[0]]), float(asks[at[0]])
        bought = sign * quantity > 0
        worthless = bid == 0 and not bought and sign > 0  # a wing may be given away, a short never sold for nothing
        if not (np.isfinite([bid, ask]).all() and ask >= bid >= 0 and ask > 0) or worthless:
            return None
        natural -= sign * quantity * (ask if bought else bid)
        mid -= sign * quantity * 0.5 * (bid + ask)
    return natural, mid


def _sides(quotes: ExpiryQuotes, right: Right) -> tuple[Floats, Floats]:
    return (quotes.call_bid, quotes.call_ask) if right is Right.CALL else (quotes.put_bid, quotes.put_ask)


def _distances(condor: IronCondor, smile: Smile) -> tuple[float, float]:
    deviation = smile.atm_vol * np.sqrt(smile.years)
    put = np.log(smile.forward / float(condor.put_short.strike)) / deviation
    call = np.log(float(condor.call_short.strike) / smile.forward) / deviation
    return float(put), float(call)


def _vega_days(condor: IronCondor, smile: Smile, asof: datetime) -> float:
    """Discounted vega per point of volatility times days to expiry, in USD days per condor sold."""
    strikes = np.array([float(leg.strike) for leg in condor.legs])
    signs = np.array([leg.right.sign for leg in condor.legs])
    vols = smile.vol(np.log(strikes / smile.forward))
    vega = greeks(smile.forward, strikes, smile.years, vols, sign=signs).vega @ np.array(condor.quantities)
    multiplier = float(condor.put_short.multiplier)
    days = days_left(condor.put_short.expiry, asof)
    return float(vega * np.exp(-smile.rate * smile.years)) * multiplier / 100.0 * days
