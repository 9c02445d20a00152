from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, StaleQuote
from engine.signals.observations import Observations, Series

MONTHS = np.array(["2023-01-01T00:00", "2023-01-01T00:00", "2023-02-01T00:00"], "datetime64[m]")
RELEASES = np.array(["2023-02-14T13:30", "2023-03-14T12:30", "2023-03-14T12:30"], "datetime64[m]")
CPI = Series("cpi", "index", MONTHS, RELEASES, np.array([299.2, 299.4, 300.8]), "test", ("first", "revised", "first"))


def test_a_revision_is_read_only_once_it_is_out():
    before = CPI.known(datetime(2023, 3, 14, 12, 29, tzinfo=UTC))
    after = CPI.known(datetime(2023, 3, 14, 12, 30, tzinfo=UTC))

    assert before.values.tolist() == [299.2]
    assert after.values.tolist() == [299.4, 300.8]


def test_nothing_is_known_before_the_first_release():
    assert Observations.of([CPI]).known("cpi", datetime(2023, 2, 14, 13, 29, tzinfo=UTC)) is None


@st.composite
def revised_series(draw):
    count = draw(st.integers(1, 12))
    periods = np.sort(np.array(draw(st.lists(st.integers(0, 20), min_size=count, max_size=count))))
    delays = draw(st.lists(st.integers(0, 40), min_size=count, max_size=count))
    rows = sorted({(int(p), int(p) + d) for p, d in zip(periods, delays, strict=True)})
    as_of = np.datetime64("2023-01-01T00:00") + np.array([p for p, _ in rows]) * np.timedelta64(1, "D")
    released = np.datetime64("2023-01-01T00:00") + np.array([r for _, r in rows]) * np.timedelta64(1, "D")
    return Series("x", "points", as_of, released, np.arange(len(rows), dtype=float), "test")


@given(revised_series(), st.integers(0, 70))
@pytest.mark.requirement("D23")
@pytest.mark.fault("F86")
def test_nothing_decided_at_t_can_see_a_vintage_released_after_t(series, days):
    at = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=days)
    past = series.released <= np.datetime64(at.replace(tzinfo=None), "m")
    only_past = Series("x", "points", series.as_of[past], series.released[past], series.values[past], "test")

    known, alone = series.known(at), only_past.known(at)

    assert known.values.tolist() == alone.values.tolist()
    assert np.all(known.released <= np.datetime64(at.replace(tzinfo=None), "m"))
    assert np.all(known.as_of[1:] > known.as_of[:-1])


@pytest.mark.fault("F86")
@pytest.mark.parametrize(
    ("as_of", "released", "values", "why"),
    [
        (["2023-01-02", "2023-01-01"], ["2023-01-03", "2023-01-03"], [1.0, 2.0], "repeats or precedes"),
        (["2023-01-01", "2023-01-01"], ["2023-01-03", "2023-01-03"], [1.0, 2.0], "repeats or precedes"),
        (["2023-01-01"], ["2023-01-03"], [np.nan], "not finite"),
        (["2023-01-01"], ["2023-01-03"], [np.inf], "not finite"),
        (["2023-01-04"], ["2023-01-03"], [1.0], "before its period"),
        (["2023-01-01"], ["2023-01-03"], [1.0, 2.0], "differ in length"),
    ],
)
def test_a_series_that_breaks_its_own_order_is_refused(as_of, released, values, why):
    with pytest.raises(InputError, match=why):
        Series(
            "x", "points", np.array(as_of, "datetime64[m]"), np.array(released, "datetime64[m]"), np.array(values), "t"
        )


def test_a_stale_or_absent_series_says_so():
    store = Observations.of([CPI])
    late = datetime(2023, 6, 1, tzinfo=UTC)

    with pytest.raises(StaleQuote, match="unseen"):
        store.fresh("ppi", late, max_age_days=10)
    with pytest.raises(StaleQuote, match="days old; 45 are allowed"):
        store.fresh("cpi", late, max_age_days=45)
    assert store.fresh("cpi", late, max_age_days=150).values[-1] == 300.8


def test_one_name_has_one_source():
    with pytest.raises(InputError, match="two sources"):
        Observations.of([CPI, CPI])
