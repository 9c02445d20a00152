"""Dates and times as browsers of many languages write them."""

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from engine.instruments import MARKET_ZONE

# English, German, Spanish, French, Portuguese, Italian, Dutch, Russian; accents are folded away.
_MONTH_WORDS = (
    "january januar enero janvier janeiro gennaio januari января jan ene janv gen янв",
    "february februar febrero fevrier fevereiro febbraio februari февраля feb fevr fev февр фев",
    "march märz marzo mars marco maart марта mar mrz mrt мар",
    "april abril avril aprile апреля apr abr avr апр",
    "may mai mayo maio maggio mei мая mag май",
    "june juni junio juin junho giugno июня jun giu июн",
    "july juli julio juillet julho luglio июля jul juil lug июл",
    "august agosto aout augustus августа aug ago авг",
    "september septiembre septembre setembro settembre сентября sep sept set sett сент сен",
    "october oktober octubre octobre outubro ottobre октября oct okt out ott окт",
    "november noviembre novembre novembro ноября nov нояб ноя",
    "december dezember diciembre decembre dezembro dicembre декабря dec dez dic дек",
)
_NUMERIC_DATES = (
    re.compile(r"(\d{4})年\s*(\d{1,2})月\s*(\d{1,2})日"),
    re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b"),
)
_CLOCK = re.compile(r"(上午|下午)?\s*(\d{1,2})[:.h](\d{2})(?:[:.](\d{2}))?\s*([ap])?", re.IGNORECASE)
_ZONE = re.compile(r"\b(?:(E[DS]?T)|(?:GMT|UTC)(?:\s*([+\-\u2212\u2010])\s*(\d{1,2})(?::?(\d{2}))?)?)\b")
_HALF_DAYS = {"a": 0, "上午": 0, "p": 12, "下午": 12}


def _fold(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


_MONTHS = {_fold(word): number for number, words in enumerate(_MONTH_WORDS, start=1) for word in words.split()}


def written_date(text: str) -> date | None:
    """
    The day a text names, None where it names none or leaves day and month to guess.

    >>> written_date("Fri Jun 10 2022"), written_date("9 декабря 2023 г.")
    (datetime.date(2022, 6, 10), datetime.date(2023, 12, 9))
    """
    for pattern in _NUMERIC_DATES:
        if found := pattern.search(text):
            return _day(*(int(part) for part in found.groups()))
    words = re.findall(r"[^\W\d_]+|\d+", _fold(text))
    months = [_MONTHS[word] for word in words if word in _MONTHS]
    years = [int(word) for word in words if re.fullmatch(r"\d{4}", word)]
    days = [int(word) for word in words if re.fullmatch(r"\d{1,2}", word)]
    return _day(years[0], months[0], days[0]) if months and years and days else None


def written_instant(text: str) -> datetime | None:
    """
    The aware instant a text names, in UTC; None where date, clock or zone is missing.

    EST, EDT and ET all mean New York's clock on that day; GMT and UTC take their offset.

    >>> written_instant("February 7, 2023 at 5:34 PM EST").isoformat()
    '2023-02-07T22:34:00+00:00'
    >>> written_instant("7 février 2023 à 17:34 UTC−5").isoformat()
    '2023-02-07T22:34:00+00:00'
    """
    day, clock, zone = written_date(text), _CLOCK.search(_without_zone(text)), _zone(text)
    if day is None or clock is None or zone is None:
        return None
    hour, minute, second = int(clock[2]), int(clock[3]), int(clock[4] or 0)
    half = _HALF_DAYS.get((clock[5] or clock[1] or "").lower())
    if half is not None:
        hour = hour % 12 + half
    try:
        local = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None
    return local.astimezone(UTC)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _without_zone(text: str) -> str:
    return _ZONE.sub(" ", text)


def _zone(text: str) -> tzinfo | None:
    found = _ZONE.search(text)
    if found is None:
        return None
    if found[1]:
        return MARKET_ZONE
    offset = timedelta(hours=int(found[3] or 0), minutes=int(found[4] or 0))
    return timezone(offset if found[2] == "+" else -offset)
