import numpy as np
import pytest

from engine.signals.observations import Known
from engine.signals.windows import Period, by_run, over, run_starts


def known(as_of, values) -> Known:
    instants = np.array(as_of, "datetime64[m]")
    return Known("x", "x", instants, np.asarray(values, float), instants, "test")


@pytest.mark.fault("F86")
def test_a_run_ends_where_a_pause_is_longer_than_allowed():
    days = np.array(["2023-01-02", "2023-01-12", "2023-01-23", "2023-01-24"], "datetime64[m]")

    assert run_starts(days, 10.0).tolist() == [0, 0, 2, 2]
    assert by_run(days, np.cumsum, np.ones(4), hole_days=10.0).tolist() == [1, 2, 1, 2]
    assert run_starts(days[:0], 10.0).tolist() == []


def test_a_day_counts_once_by_its_last_value():
    twice = known(["2023-01-01T08:00", "2023-01-01T16:00", "2023-01-02T08:00"], [1.0, 2.0, 4.0])

    assert over(2, Period.DAY, lambda values: float(values.sum()))(twice) == 6.0


@pytest.mark.parametrize(
    ("as_of", "answers"),
    [
        (["2023-01-01", "2023-01-02", "2023-01-03", "2023-01-04"], True),
        (["2023-01-02", "2023-01-03", "2023-01-04"], False),  # does not reach back
        (["2022-12-01", "2023-01-03", "2023-01-04"], True),  # half of four days
        (["2022-12-01", "2023-01-04"], False),
    ],
)
def test_a_window_is_reached_back_to_and_half_full(as_of, answers):
    found = over(4, Period.DAY, lambda values: float(len(values)))(known(as_of, np.ones(len(as_of))))

    assert np.isfinite(found) == answers


def test_months_and_quarters_are_counted_by_the_calendar():
    months = known(np.arange("2022-01", "2023-01", dtype="datetime64[M]"), np.arange(12.0))

    assert over(12, Period.MONTH, lambda values: float(len(values)))(months) == 12
    assert over(4, Period.QUARTER, lambda values: float(values.sum()))(months) == 2 + 5 + 8 + 11
