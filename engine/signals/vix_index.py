"""The volatility index recomputed from a chain: which two expiries enter, and the level they give."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

import numpy as np

from engine.instruments import Settlement
from engine.market import ExpiryQuotes, OptionChain, RateCurve
from engine.pricing.forward import mid, parity_forward
from engine.pricing.variance import MINUTES_PER_YEAR, Term, index_level, nearest_terms, strip_variance

_UNDERLYING = "SPX"
_FRIDAY = 4
_THIRD_FRIDAYS = range(15, 22)


@dataclass(frozen=True, slots=True)
class IndexTerm:
    """One expiry in the index: its forward, K0, how many strikes, and annualised volatility (decimal)."""

    root: str
    expiry: ExpiryQuotes
    forward: float
    floor_strike: float
    strikes_used: int
    vol: float
    minutes: float


@dataclass(frozen=True, slots=True)
class VolatilityIndex:
    """
    `level` in index points (18.0 is 18 %), None where it cannot be had.

    `reason` says why it is missing, or that a term is a Thursday's because its week lists no Friday.
    """

    level: float | None
    terms: tuple[IndexTerm, ...]
    reason: str = ""


def volatility_index(chain: OptionChain, rates: RateCurve) -> VolatilityIndex:
    """
    The VIX by Cboe's method from an SPX chain at its as-of instant.

    One expiry a week qualifies: Friday's, or Thursday's where no Friday is listed. In the third week
    of a month it is the AM-settled root, in any other the PM-settled one; one root never stands in
    for the other.

    Source
    ------
    D05; Cboe VIX white paper (2019).
    """
    if chain.underlying != _UNDERLYING:
        return VolatilityIndex(None, (), f"the index is defined on {_UNDERLYING}, this is {chain.underlying}")
    weekly = _weekly(chain)
    chosen = nearest_terms(np.array([part.years(chain.asof) for part in weekly]) * MINUTES_PER_YEAR)
    if chosen is None:
        return VolatilityIndex(None, (), "no two weekly expiries on either side of 30 days within 23 to 37")
    terms: list[IndexTerm] = []
    for position in chosen:
        part = weekly[position]
        term = _term(part, chain, rates)
        if term is None:
            why = f"{part.root} {part.expiry_date} has no strip of out-of-the-money quotes"
            return VolatilityIndex(None, tuple(terms), why)
        terms.append(term)
    near, after = (Term(term.minutes, term.vol**2) for term in terms)
    moved = [term.expiry.expiry_date for term in terms if term.expiry.expiry_date.weekday() != _FRIDAY]
    why = f"no Friday listed in the week of {moved[0]}: its Thursday enters" if moved else ""
    return VolatilityIndex(index_level(near, after), tuple(terms), why)


def _weekly(chain: OptionChain) -> list[ExpiryQuotes]:
    """The qualifying expiry of each week, by settlement date."""
    ends = [part for part in chain.slices if part.expiry_date.weekday() in (_FRIDAY - 1, _FRIDAY)]
    ends.sort(key=lambda part: part.expiry_date)
    chosen: list[ExpiryQuotes] = []
    for _, days in groupby(ends, key=lambda part: part.expiry_date.isocalendar()[:2]):
        week = list(days)
        last = week[-1].expiry_date
        friday = last + timedelta(days=_FRIDAY - last.weekday())
        wanted = Settlement.AM if friday.day in _THIRD_FRIDAYS else Settlement.PM
        chosen += [part for part in week if part.expiry_date == last and part.settlement is wanted][:1]
    return chosen


def _term(part: ExpiryQuotes, chain: OptionChain, rates: RateCurve) -> IndexTerm | None:
    years = part.years(chain.asof)
    rate = rates.rate(years)
    call, put = mid(part.call_bid, part.call_ask), mid(part.put_bid, part.put_ask)
    found = parity_forward(part.strikes, call, put, years=years, rate=rate)
    if found is None:
        return None
    strip = strip_variance(
        part.strikes,
        part.call_bid,
        part.call_ask,
        part.put_bid,
        part.put_ask,
        years=years,
        rate=rate,
        forward=found.forward,
    )
    if strip is None:
        return None
    return IndexTerm(
        root=part.root,
        expiry=part,
        forward=found.forward,
        floor_strike=strip.floor_strike,
        strikes_used=strip.strikes_used,
        vol=strip.vol,
        minutes=years * MINUTES_PER_YEAR,
    )
