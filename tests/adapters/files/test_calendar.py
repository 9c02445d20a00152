"""Sessions and settlement instants, against the exchange's own published days."""

from datetime import UTC, date, datetime

import pytest

from adapters.files.calendar import (
    PastCalendar,
    is_session,
    last_trading_day,
    market_asof,
    session,
    settles_at,
    standard_expiry,
    third_friday,
    vix_settlement,
    vix_settles_at,
)
from engine.errors import MarketDataError
from engine.instruments import Settlement


@pytest.mark.fault("F80")
@pytest.mark.parametrize(
    ("day", "close"),
    [
        (date(2026, 11, 27), (18, 0)),
        (date(2026, 12, 24), (18, 0)),
        (date(2026, 11, 25), (21, 0)),
        (date(2026, 7, 1), (20, 0)),
    ],
)
def test_early_closes_are_known(day: date, close: tuple[int, int]) -> None:
    found = session(day)

    assert found is not None
    assert (found.closes.hour, found.closes.minute) == close
    assert settles_at(day, Settlement.PM) == found.closes


@pytest.mark.fault("F80")
@pytest.mark.parametrize("day", [date(2025, 1, 9), date(2018, 12, 5), date(2026, 6, 19), date(2026, 7, 4)])
def test_special_closings_and_holidays_are_no_sessions(day: date) -> None:
    assert not is_session(day)
    assert session(day) is None


@pytest.mark.fault("F81")
@pytest.mark.parametrize(
    ("month", "expected"),
    [((2026, 6), date(2026, 6, 18)), ((2025, 4), date(2025, 4, 17)), ((2023, 10), date(2023, 10, 20))],
)
def test_a_third_friday_on_a_holiday_expires_on_thursday(month: tuple[int, int], expected: date) -> None:
    assert standard_expiry(*month) == expected
    assert settles_at(third_friday(*month), Settlement.AM).date() == expected


@pytest.mark.fault("F82")
def test_morning_and_afternoon_settlement_of_one_friday_differ_in_instant_and_last_trading_day() -> None:
    friday = date(2022, 7, 15)

    assert settles_at(friday, Settlement.AM) == datetime(2022, 7, 15, 13, 30, tzinfo=UTC)
    assert settles_at(friday, Settlement.PM) == datetime(2022, 7, 15, 20, 0, tzinfo=UTC)
    assert last_trading_day(friday, Settlement.AM) == date(2022, 7, 14)
    assert last_trading_day(friday, Settlement.PM) == friday


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        ((2014, 3), date(2014, 3, 18)),
        ((2025, 3), date(2025, 3, 18)),
        ((2026, 5), date(2026, 5, 19)),
        ((2017, 4), date(2017, 4, 19)),
        ((2011, 12), date(2011, 12, 21)),
        ((2004, 7), date(2004, 7, 14)),
    ],
)
def test_vix_contracts_settle_by_the_wednesday_rule(month: tuple[int, int], expected: date) -> None:
    assert vix_settlement(*month) == expected
    assert vix_settles_at(*month).date() == expected


@pytest.mark.fault("F97")
@pytest.mark.parametrize("day", [date(2150, 1, 3), date(1950, 1, 3)])
def test_a_day_past_the_calendar_is_a_typed_error(day: date) -> None:
    with pytest.raises(PastCalendar, match="never guessed") as refused:
        is_session(day)

    assert isinstance(refused.value, MarketDataError)


@pytest.mark.fault("F79")
@pytest.mark.parametrize(
    ("stamp", "asof"),
    [
        (datetime(2022, 6, 12, 0, 47, tzinfo=UTC), datetime(2022, 6, 10, 20, 15, tzinfo=UTC)),  # Saturday night
        (datetime(2023, 2, 7, 22, 34, tzinfo=UTC), datetime(2023, 2, 7, 21, 15, tzinfo=UTC)),
        (datetime(2023, 2, 7, 16, 1, 30, tzinfo=UTC), datetime(2023, 2, 7, 16, 1, tzinfo=UTC)),  # in session
        (datetime(2023, 2, 7, 13, 0, tzinfo=UTC), datetime(2023, 2, 6, 21, 15, tzinfo=UTC)),  # before the open
        (datetime(2026, 11, 27, 20, 0, tzinfo=UTC), datetime(2026, 11, 27, 18, 15, tzinfo=UTC)),  # early close
        (datetime(2026, 3, 9, 21, 0, tzinfo=UTC), datetime(2026, 3, 9, 20, 15, tzinfo=UTC)),  # after the clock changed
        (datetime(2026, 3, 6, 22, 0, tzinfo=UTC), datetime(2026, 3, 6, 21, 15, tzinfo=UTC)),
    ],
)
def test_quotes_belong_to_the_last_moment_options_traded(stamp: datetime, asof: datetime) -> None:
    assert market_asof(stamp) == asof
