"""Closes read from the installed distribution, and every way in which they may be missing or damaged."""

import sys
from datetime import date

import numpy as np
import pytest

from adapters.files.recorded_closes import closes_from, recorded_closes
from engine.errors import MissingQuote, UnreadableMarketFile
from engine.market import DailySeries


def read(text: str) -> DailySeries:
    return closes_from(text.splitlines(keepends=True), "VIX", "vix", "a test")


def test_recorded_closes_are_those_of_the_stated_days() -> None:
    spx, vix, _ = recorded_closes()

    assert (spx.on(date(2018, 4, 24)), vix.on(date(2018, 4, 24))) == (2634.560059, 18.02)
    assert (str(spx.days[0]), str(spx.days[-1]), len(spx.values)) == ("1999-01-04", "2018-12-31", 5031)
    assert (str(vix.days[0]), str(vix.days[-1])) == ("2014-01-03", "2019-01-03")
    assert spx.source.startswith("recorded in arch 8")


def test_a_weekday_without_a_session_has_no_close_in_either_series() -> None:
    spx, vix, _ = recorded_closes()

    for holiday in (date(2018, 5, 28), date(2018, 3, 30), date(2018, 12, 5)):
        assert spx.on(holiday) is None
        assert vix.on(holiday) is None


def test_every_vix_close_of_the_shared_span_is_a_session_of_the_index() -> None:
    spx, vix, _ = recorded_closes()
    shared = vix.days[vix.days <= spx.days[-1]]

    assert np.isin(shared, spx.days).all()


def test_the_package_itself_is_never_imported() -> None:
    before = set(sys.modules)
    recorded_closes()

    assert not any(name == "arch" or name.startswith("arch.") for name in set(sys.modules) - before)


def test_a_missing_extra_says_how_to_install_it() -> None:
    with pytest.raises(MissingQuote, match=r"pip install -e '\.\[demo\]'.*make demo"):
        recorded_closes("no-such-distribution")


def test_a_distribution_without_the_files_is_named() -> None:
    with pytest.raises(MissingQuote, match=r"numpy .* has no arch/data"):
        recorded_closes("numpy")


def test_a_dot_is_a_day_without_a_close() -> None:
    series = read("Date,vix\n5/25/2018,13.22\n5/28/2018,.\n5/29/2018,17.02\n")

    assert series.days.tolist() == [date(2018, 5, 25), date(2018, 5, 29)]
    assert series.values.tolist() == [13.22, 17.02]
    assert series.days.dtype == "datetime64[D]"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Date,vix\n1/3/2014,nan\n", "line 2: close"),
        ("Date,vix\n1/3/2014,-1\n", "line 2: close"),
        ("Date,vix\n1/3/2014,0\n", "line 2: close"),
        ("Date,vix\n1/3/2014,inf\n", "line 2: close"),
        ("Date,vix\n1/3/2014,\n", "line 2: close"),
        ("Date,vix\n1/3/2014\n", "line 2: close"),
        ("Date,vix\n1/3/2014,13\n13/1/2014,13\n", "line 3: day"),
        ("Date,vix\n1/6/2014,13\n1/3/2014,13\n", "do not rise after 2014-01-06"),
        ("Date,vix\n1/6/2014,13\n1/6/2014,13\n", "do not rise"),
        ("Date,close\n1/6/2014,13\n", "columns Date and vix"),
        ("Date,vix\n", "no closes"),
        ("", "columns Date and vix"),
        ('Date,vix\n"1/6/2014,13\n', "Error"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(UnreadableMarketFile, match=told):
        read(text)
