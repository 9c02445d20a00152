"""How much wider wings stand for the scheduled events before an expiry, read from the surface (S80, D24b)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np

from engine.instruments import MARKET_ZONE
from engine.pricing.events import EventPremium, EventStatus, event_variances, wing_scale
from engine.risk.smile import Smiles

_ANNOUNCED = time(14, 0)
"""When policy meetings announce, New York."""

_YEAR = timedelta(days=365)
_NEAREST = 1.0 / 365.0  # years: at-the-money variance of the last day is noise


@dataclass(frozen=True, slots=True)
class EventWidth:
    """The events between two neighbouring expiries: their days, what those hold for them all, and their instants."""

    days: tuple[date, ...]
    premium: EventPremium
    before: datetime
    after: datetime

    @property
    def words(self) -> str:
        """What the surface says of the event."""
        what = ", ".join(map(str, self.days))
        between = f"between {self.before:%Y-%m-%d} and {self.after:%Y-%m-%d} (S80, D24b)"
        if self.premium.status is EventStatus.PRICED:
            return f"{what} is priced at a move of {100.0 * np.sqrt(self.premium.variance):.2f} % {between}"
        return f"{what} carries no premium {between}"


@dataclass(frozen=True, slots=True, eq=False)
class EventWidths:
    """Factors, >= 1, on the wings of each expiry, and the events behind them."""

    events: tuple[EventWidth, ...]
    scales: Mapping[datetime, float]

    def scale(self, expiry: datetime) -> float:
        """The factor for an expiry; 1 before the first event."""
        return self.scales.get(expiry, 1.0)

    def until(self, expiry: datetime | None) -> tuple[EventWidth, ...]:
        """The events that an expiry holds; none where there is no expiry."""
        return tuple(event for event in self.events if expiry is not None and event.after <= expiry)


def event_widths(smiles: Smiles, asof: datetime, meetings: Sequence[date]) -> EventWidths:
    """
    The wing factors of every expiry for the meetings before it.

    An event's variance is what total variance at the money grows by between the last expiry before it and the
    first after it, beyond growing with time: s_e^2 = w2 - w1 T2 / T1. Nothing is read where no expiry lies
    before the event, or none after it; events in one gap show as their sum.

    Parameters
    ----------
    smiles : of the index, by root and expiry
    meetings : days, past ones and those beyond the last expiry included

    Source
    ------
    S80, D24b.
    """
    terms = {expiry: smile for (_, expiry), smile in sorted(smiles.items(), reverse=True) if smile.years >= _NEAREST}
    expiries = sorted(terms)
    years = np.array([terms[expiry].years for expiry in expiries])
    variances = np.array([terms[expiry].atm_vol ** 2 for expiry in expiries]) * years
    gaps: dict[int, list[date]] = {}
    for day in sorted(set(meetings)):
        at = _announced(day)
        after = int(np.searchsorted(years, (at - asof) / _YEAR))
        if at > asof and 0 < after < len(expiries):
            gaps.setdefault(after, []).append(day)
    found = []
    for after, days in gaps.items():
        around = slice(after - 1, after + 1)
        instants = [(_announced(day) - asof) / _YEAR for day in days]
        (premium,) = event_variances(years[around].tolist(), variances[around].tolist(), instants).premia
        found.append(EventWidth(tuple(days), premium, expiries[after - 1], expiries[after]))
    scales = {
        expiry: _scale([each for each in found if each.after <= expiry], float(total), float(span))
        for expiry, total, span in zip(expiries, variances, years, strict=True)
    }
    return EventWidths(tuple(found), scales)


def _scale(events: Sequence[EventWidth], total: float, years: float) -> float:
    """The factor by the events' share of an expiry's total variance; it takes what stands for them all."""
    jumps = sum(event.premium.variance for event in events)
    return wing_scale(jumps, (total - jumps) / years, years)


def _announced(day: date) -> datetime:
    return datetime.combine(day, _ANNOUNCED, MARKET_ZONE)
