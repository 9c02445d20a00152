"""Daily histories: what they hold, what is odd in them, and refusals that name the line."""

import csv
import math
from datetime import date, datetime
from pathlib import Path

import pytest

from adapters.files.calendar import vix_settlement
from adapters.files.series import read_bars, read_bill_curve, read_daily, read_vix_settlements
from engine.errors import StaleQuote, UnreadableMarketFile
from engine.instruments import MARKET_ZONE
from tests.adapters.files.chains import recorded


def _write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_a_series_finds_its_column_whatever_its_case(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", "DATE,OPEN,CLOSE\n2026-01-02,1,17.5\n2026-01-05,1,18.25\n")

    series = read_daily(path, name="X").series

    assert series.on(date(2026, 1, 5)) == 18.25
    assert series.on(date(2026, 1, 4)) is None
    assert len(series.upto(date(2026, 1, 4)).days) == 1


def test_a_day_without_a_number_is_left_out_and_told(tmp_path: Path) -> None:
    read = read_daily(_write(tmp_path / "s.csv", "date,close\n2026-01-02,NA\n2026-01-05,18.25\n"), name="X")

    assert len(read.series.days) == 1
    assert [finding.code for finding in read.findings] == ["missing_value"]


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("date,close\n2026-01-02,1\n2026-01-05,nan\n", "line 3: column 2"),
        ("date,close\n2026-01-02,1\n2026-01-05,inf\n", "line 3: column 2"),
        ("date,close\n2026-01-05,1\n2026-01-02,1\n", "line 3: 2026-01-02 does not follow"),
        ("date,close\n2026-01-05,1\n2026-01-05,1\n", "does not follow"),
        ("date,close\n5 Jan,1\n", "line 2: column 1"),
        ("date,close\n2026-01-02\n", "fewer than 2 columns"),
        ("date,a,b\n2026-01-02,1,2\n", "no column"),
        ("when,close\n2026-01-02,1\n", "no column called date"),
        ("date,close\n", "no row"),
    ],
)
def test_a_broken_series_is_refused_by_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UnreadableMarketFile, match=reason):
        read_daily(_write(tmp_path / "s.csv", text), name="X")


def test_the_recorded_index_breaks_its_bar_order_on_47_days() -> None:
    bars = read_bars(recorded("volatility/vix-daily-1990-2026.csv"), name="VIX")

    assert len(bars.findings) == 47
    assert {finding.code for finding in bars.findings} == {"bar_order"}
    assert bars.closes.on(date(2022, 6, 10)) == 27.75


def test_a_bill_discount_becomes_a_continuous_rate_and_an_old_one_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "b.csv", ",Date,Close\n0,2023-02-06 00:00:00-05:00,4.50\n1,2023-02-08 00:00:00-05:00,9\n")

    curve = read_bill_curve(path, date(2023, 2, 7))

    price = 1 - 0.045 * 91 / 360
    assert curve.rate(0.1) == pytest.approx(-math.log(price) * 365 / 91)
    for day in (date(2023, 2, 5), date(2023, 3, 1)):
        with pytest.raises(StaleQuote):
            read_bill_curve(path, day)


def test_vix_futures_take_their_expiry_from_the_rule(tmp_path: Path) -> None:
    text = "date,M1,M2,M3\n2017-04-18,14.7,14.3,NA\n2017-04-19,14.58,NA,15.12\n"

    settled = read_vix_settlements(_write(tmp_path / "v.csv", text))

    day = settled[date(2017, 4, 18)]
    assert day[0].expires == datetime(2017, 4, 19, 9, 0, tzinfo=MARKET_ZONE)
    assert [future.expires.date() for future in settled[date(2017, 4, 19)]] == [date(2017, 5, 17), date(2017, 7, 19)]


def test_the_rule_agrees_with_the_recorded_contract_months_wherever_the_front_month_was_listed() -> None:
    path, symbols = (recorded(f"volatility/vx-{name}-2004-2017.csv") for name in ("settle", "symbols"))

    by_rule, by_symbol = read_vix_settlements(path), read_vix_settlements(path, symbols=symbols)

    differ = [day for day in by_rule if by_rule[day] != by_symbol[day]]
    assert len(differ) == 12
    assert max(differ) < date(2006, 1, 1)


def test_the_recorded_expiry_dates_that_no_rule_gives_are_the_nine_known_ones() -> None:
    with recorded("volatility/vx-expirations-2004-2017.csv").open() as rows:
        written = {date.fromisoformat(row[f"V{at}"]) for row in csv.DictReader(rows) for at in range(1, 9)}
    ruled = {vix_settlement(year, month) for year in range(2004, 2019) for month in range(1, 13)}

    assert sorted(day.isoformat() for day in written - ruled) == [
        "2004-04-19",
        "2004-12-20",
        "2005-04-18",
        "2005-07-18",
        "2005-09-19",
        "2017-04-20",
        "2017-05-11",
        "2017-05-18",
        "2017-06-15",
    ]
