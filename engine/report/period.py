"""The stretch of time a report is about: whole valuation days, named so that its name can be read back."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

from engine.errors import InputError

_MONTH, _DAY = re.compile(r"\d{4}-\d{2}"), re.compile(r"\d{4}-\d{2}-\d{2}")
SINCE = "since-"
INCEPTION = "inception"


@dataclass(frozen=True, slots=True)
class Period:
    """Valuation days `first` to `last`, both in it; it opens at the valuation point of the day before `first`."""

    name: str
    first: date
    last: date

    @property
    def opens(self) -> date:
        """The day whose valuation point is the beginning."""
        return self.first - timedelta(days=1)


def period(name: str, *, begins: date, ends: date) -> Period:
    """
    The period of a name: a day, a month, `since-` a day, `inception`, or the last day where it is empty.

    Parameters
    ----------
    begins, ends : the first and last day that the journal knows; a period ends no later than they do

    Raises `InputError` for a name that is none, or a period of which the journal knows nothing.

    >>> found = period("2018-02", begins=date(2017, 1, 1), ends=date(2018, 6, 15))
    >>> found.opens.isoformat(), found.last.isoformat()
    ('2018-01-31', '2018-02-28')
    >>> period("since-2018-06-01", begins=date(2017, 1, 1), ends=date(2018, 6, 15)).last.isoformat()
    '2018-06-15'
    """
    try:
        first, last = _ends(name, begins, ends)
    except ValueError:
        raise InputError(
            f"period {name!r} refused",
            why="it is neither a day, a month, since a day nor inception",
            todo="write 2018-05-18, 2018-05, since-2018-05-01 or inception",
        ) from None
    if first > ends or last < begins:
        raise InputError(
            f"period {name} refused",
            why=f"the journal knows {begins} to {ends}",
            todo="name a period within these days",
        )
    return Period(name or ends.isoformat(), first, min(last, ends))


def _ends(name: str, begins: date, ends: date) -> tuple[date, date]:
    if not name:
        return ends, ends
    if name == INCEPTION:
        return begins, ends
    if _DAY.fullmatch(name):
        day = date.fromisoformat(name)
        return day, day
    if _MONTH.fullmatch(name):
        first = date.fromisoformat(f"{name}-01")
        return first, first.replace(day=calendar.monthrange(first.year, first.month)[1])
    if name.startswith(SINCE) and _DAY.fullmatch(name.removeprefix(SINCE)):
        return max(date.fromisoformat(name.removeprefix(SINCE)), begins), ends
    raise ValueError(name)
