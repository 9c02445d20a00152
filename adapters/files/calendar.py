"""When the market is open and when contracts settle: exchange sessions and the contracts' own rules."""

import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from engine.errors import MarketDataError
from engine.instruments import MARKET_ZONE, Settlement

_FIRST_DAY = date(1990, 1, 2)
_OPEN = time(9, 30)
_STOCK_CLOSE = time(16, 0)
_OPTIONS_EXTRA = timedelta(minutes=15)  # index options trade a quarter of an hour past the stock close
_FUTURE_SETTLES = time(9, 0)
_FRIDAY = 4
_VIX_DAYS = 30
_VIX_FIRST_YEAR = 2004


class PastCalendar(MarketDataError):
    """A day outside the range for which sessions are known."""

    def __init__(self, day: date, first: date, last: date) -> None:
        self.day, self.first, self.last = day, first, last
        super().__init__(
            f"no calendar for {day}",
            why=f"exchange sessions are known from {first} to {last} only",
            todo="update exchange-calendars; a holiday is never guessed",
        )


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day: aware instants of the stock open and close and of the options' close."""

    day: date
    opens: datetime
    closes: datetime

    @property
    def options_close(self) -> datetime:
        """Fifteen minutes after the stock close, early closes included."""
        return self.closes + _OPTIONS_EXTRA

    @property
    def early(self) -> bool:
        """Whether stocks close before 16:00 New York time."""
        return self.closes.astimezone(MARKET_ZONE).time() < _STOCK_CLOSE


def is_session(day: date) -> bool:
    """Whether the exchange opens on `day`. Raises `PastCalendar` outside the known range."""
    return day in _closes(day)


def session(day: date) -> Session | None:
    """The session of `day`, None on a weekend or holiday. Raises `PastCalendar`."""
    closes = _closes(day).get(day)
    return None if closes is None else Session(day, _at(day, _OPEN), closes)


def session_on_or_before(day: date) -> Session:
    """The last session at or before `day`. Raises `PastCalendar`."""
    found = session(day)
    while found is None:
        day -= timedelta(days=1)
        found = session(day)
    return found


def session_before(day: date) -> Session:
    """The session before `day`. Raises `PastCalendar`."""
    return session_on_or_before(day - timedelta(days=1))


def sessions_between(first: date, last: date) -> tuple[date, ...]:
    """Every session day from `first` to `last`, both included. Raises `PastCalendar`."""
    _closes(first)
    return tuple(day for day in _closes(last) if first <= day <= last)


def market_asof(stamp: datetime) -> datetime:
    """
    The instant that quotes saved at `stamp` describe, aware UTC.

    The stamp itself, to the minute, while options trade; otherwise the last options close (16:15 New
    York time, 13:15 on an early close) at or before it.
    """
    day = stamp.astimezone(MARKET_ZONE).date()
    today = session(day)
    if today is not None and stamp >= today.opens:
        whole_minute = stamp.astimezone(UTC).replace(second=0, microsecond=0)
        return min(whole_minute, today.options_close)
    return session_before(day).options_close


def third_friday(year: int, month: int) -> date:
    """
    The third Friday of a month, holiday or not.

    >>> third_friday(2026, 6)
    datetime.date(2026, 6, 19)
    """
    first = date(year, month, 1)
    return first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 14)


def standard_expiry(year: int, month: int) -> date:
    """Expiry of the monthly index options: the third Friday, or the session before a holiday."""
    return session_on_or_before(third_friday(year, month)).day


def settles_at(expiry: date, settlement: Settlement) -> datetime:
    """
    The instant at which the settlement level of an index option is fixed, aware UTC.

    AM: 09:30 New York time, the opening auction; PM: the stock close, 16:00 or the early close. A
    date on which the exchange is shut (a holiday, or the Saturday that old symbols name) means the
    session before.
    """
    day = session_on_or_before(expiry)
    return day.opens if settlement is Settlement.AM else day.closes


def last_trading_day(expiry: date, settlement: Settlement) -> date:
    """AM-settled options stop the session before they settle, PM-settled ones on the day itself."""
    day = session_on_or_before(expiry).day
    return session_before(day).day if settlement is Settlement.AM else day


def vix_settlement(year: int, month: int) -> date:
    """
    Day on which the monthly VIX future and options settle.

    The Wednesday thirty days before the third Friday of the *next* month, or the session before
    where that Wednesday or that Friday is a holiday. The contracts of 2004, the market's first year,
    settled on the Wednesday before their own month's third Friday.
    """
    if year <= _VIX_FIRST_YEAR:
        return session_on_or_before(third_friday(year, month) - timedelta(days=2)).day
    following = third_friday(year + month // 12, month % 12 + 1)
    wednesday = following - timedelta(days=_VIX_DAYS)
    if is_session(following) and is_session(wednesday):
        return wednesday
    return session_before(wednesday).day


@cache
def vix_settles_at(year: int, month: int) -> datetime:
    """Aware UTC instant at which the monthly VIX future stops trading: 09:00 New York time."""
    return _at(vix_settlement(year, month), _FUTURE_SETTLES)


def _at(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, MARKET_ZONE).astimezone(UTC)


def _closes(day: date) -> dict[date, datetime]:
    """Close of every known session, once `day` is known to lie in their range."""
    known = _sessions()
    first, last = next(iter(known)), next(reversed(known))
    if not first <= day <= last:
        raise PastCalendar(day, first, last)
    return known


@cache
def _sessions() -> dict[date, datetime]:
    with warnings.catch_warnings():
        # exchange-calendars 4.13 reads a column in a way that pandas 3.1 announces to change.
        warnings.filterwarnings("ignore", message="Series.values", category=DeprecationWarning)
        from exchange_calendars import get_calendar  # type: ignore[import-untyped]

        closes = get_calendar("XNYS", start=_FIRST_DAY.isoformat()).closes
    return {day.date(): close.to_pydatetime().astimezone(UTC) for day, close in closes.items()}
