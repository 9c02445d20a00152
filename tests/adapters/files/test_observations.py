from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from adapters.files.observations import COLUMNS, read_meetings, read_observations, read_table, session_axis
from engine.errors import InputError, MarketDataError, UnreadableMarketFile
from engine.signals.columns import moment
from tests.adapters.files.chains import RECORDED

HEADER = ",".join(COLUMNS) + "\n"
recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="needs ../shared/data beside the checkout")


@pytest.fixture
def write(tmp_path):
    def to_file(text: str, name: str = "observations.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def test_a_table_gives_each_series_with_its_vintages(write):
    path = write(
        HEADER
        + "gdp_dispersion,2023-01-01,2023-02-10T13:30+00:00,0.4,%,survey,first\n"
        + "gdp_dispersion,2023-01-01,2023-03-10T13:30+00:00,0.5,%,survey,second\n"
        + "oracle_lag,2023-03-01T10:00-05:00,2023-03-01T10:00-05:00,0.2,x,chain,\n"
    )

    growth, lag = read_table(path)

    assert (growth.name, growth.vintages) == ("gdp_dispersion", ("first", "second"))
    assert growth.known(datetime(2023, 3, 1, tzinfo=UTC)).values.tolist() == [0.4]
    assert str(lag.as_of[0]) == "2023-03-01T15:00"


@pytest.mark.fault("F86")
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x,2023-01-02,2023-01-03,nan,%,s,", "no value"),
        ("x,2023-01-02,2023-01-03,inf,%,s,", "not finite"),
        ("x,2023-01-02,2023-01-03,1;5,%,s,", "no number"),
        ("x,2023-01-02T10:00,2023-01-03,1,%,s,", "no time zone"),
        ("x,tomorrow,2023-01-03,1,%,s,", "no instant"),
        ("x,2023-01-04,2023-01-03,1,%,s,", "before its period"),
        ("x,2023-01-01,2023-01-01,1,%,s,", "repeats or precedes"),
        ("x,2023-01-02,2023-01-02,1,bp,s,", "more than one unit"),
        ("x,2023-01-02,2023-01-02,1,%", "5 columns instead of 7"),
        ("=1+1,2023-01-02,2023-01-02,1,%,s,", "no series name"),
    ],
)
def test_a_line_that_breaks_the_table_is_refused(write, line, why):
    path = write(HEADER + "x,2023-01-01,2023-01-01,1,%,s,\n" + line + "\n")

    with pytest.raises(UnreadableMarketFile, match=why):
        read_table(path)


@pytest.mark.fault("F86")
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x,2023-01-03,2023-01-03,1,bp,s,", "line 4: x has more than one unit"),
        ("x,2023-01-01,2023-01-01,1,%,s,", "line 4: x: it repeats or precedes"),
        ("x,2023-01-04,2023-01-03,1,%,s,", "line 4: x: it was released before"),
    ],
)
def test_a_refusal_names_the_line_at_fault_and_not_the_first_of_its_series(write, line, why):
    path = write(HEADER + "x,2023-01-01,2023-01-01,1,%,s,\nx,2023-01-02,2023-01-02,1,%,s,\n" + line + "\n")

    with pytest.raises(UnreadableMarketFile, match=why):
        read_table(path)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("utilisation,2023-01-02,2023-01-02,71,%,s,", "line 3: utilisation of 71 lies outside 0 to 1; 0.71 is 71 %"),
        ("utilisation,2023-01-02,2023-01-02,-0.5,%,s,", "line 3: utilisation of -0.5 lies outside 0 to 1"),
        ("utilisation,2023-01-02,2023-01-02,0.71,points,s,", "line 3: utilisation has more than one unit"),
        ("spx,2023-01-02,2023-01-02,0,points,s,", "line 3: spx of 0 lies outside 1 to 1,000,000"),
        ("spx,2023-01-02,2023-01-02,4000,USD,s,", "line 3: spx is in 'USD', not in 'points'"),
    ],
)
def test_a_value_that_no_market_gives_is_refused_with_its_range(write, line, why):
    path = write(HEADER + "utilisation,2023-01-01,2023-01-01,0.5,%,s,\n" + line + "\n")

    with pytest.raises(UnreadableMarketFile, match=why) as refusal:
        read_table(path)
    assert path.name in str(refusal.value)


def test_a_recorded_close_of_zero_is_refused(write, tmp_path):
    write("date,close\n2023-01-03,22.9\n2023-01-04,0\n", "volatility/vix-daily-1990-2026.csv")

    with pytest.raises(UnreadableMarketFile, match="line 3: vix of 0 lies outside 1 to 300"):
        read_observations(tmp_path)


def test_a_series_in_two_tables_is_refused_and_both_are_named(write, tmp_path):
    write(HEADER + "vix,2023-01-03,2023-01-03T21:15+00:00,23.1,points,mine,\n")
    write(HEADER + "vix,2023-01-03,2023-01-03T21:15+00:00,99,points,mine,\n", "observations_old.csv")

    with pytest.raises(InputError, match=r"both observations\.csv and observations_old\.csv give it"):
        read_observations(tmp_path)


def test_without_a_parquet_reader_the_refusal_names_the_extra(tmp_path, monkeypatch):
    def none(*_):
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd, "read_parquet", none)
    path = tmp_path / "observations.parquet"
    path.touch()

    with pytest.raises(InputError, match=r"no Parquet reader is installed.*install the extra `parquet`"):
        read_observations(tmp_path)


def test_parquet_gives_what_the_csv_gives(write, tmp_path, monkeypatch):
    rows = {
        "name": ["utilisation"] * 2,
        "as_of": pd.to_datetime(["2023-01-02T20:00Z", "2023-01-03T20:00Z"]),
        "released_at": pd.to_datetime(["2023-01-02T20:00Z", "2023-01-03T20:00Z"]),
        "value": [0.71, 0.72],
        "unit": ["%"] * 2,
        "source": ["own node"] * 2,
        "vintage": [None, None],
    }
    monkeypatch.setattr(pd, "read_parquet", lambda _: pd.DataFrame(rows))
    path = tmp_path / "observations.parquet"

    (found,) = read_table(path)

    assert found.values.tolist() == [0.71, 0.72]
    assert (str(found.as_of[0]), found.vintages) == ("2023-01-02T20:00", ())


def test_a_table_with_other_columns_is_refused(write):
    with pytest.raises(UnreadableMarketFile, match="its columns are not"):
        read_table(write("date,value\n2023-01-01,1\n"))


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_observations(tmp_path / "none")


def test_an_operators_series_replaces_a_recorded_one(write, tmp_path):
    write("date,close\n2023-01-03,22.9\n", "volatility/vix-daily-1990-2026.csv")
    write(HEADER + "vix,2023-01-03,2023-01-03T21:15+00:00,23.1,points,mine,\n")

    store = read_observations(tmp_path)

    assert store["vix"].values.tolist() == [23.1]
    assert store["vix"].source == "mine"


def test_a_session_is_known_at_its_own_close(write, tmp_path):
    write("date,close\n2022-11-25,20.5\n2022-11-28,22.2\n", "volatility/vix-daily-1990-2026.csv")

    released = read_observations(tmp_path)["vix"].released

    assert [moment(at).isoformat() for at in released] == ["2022-11-25T18:15:00+00:00", "2022-11-28T21:15:00+00:00"]


def test_an_axis_holds_the_closes_of_sessions_only():
    axis = session_axis(date(2022, 11, 23), date(2022, 11, 28))

    assert axis.days.astype(str).tolist() == ["2022-11-23", "2022-11-25", "2022-11-28"]


def test_days_outside_the_calendar_are_refused():
    with pytest.raises(MarketDataError, match="no calendar"):
        session_axis(date(1950, 1, 1), date(1950, 2, 1))


@recorded
def test_the_recorded_folder_reads_whole():
    store = read_observations(RECORDED)

    assert {"spx", "vix", "vix3m", "vx_front", "vx_30d", "cpi", "ppi", "eth", "btc", "pe", "tvl_usd"} <= set(store)
    assert store.known("vix", datetime(2023, 2, 7, 21, 15, tzinfo=UTC)).values[-1] == 18.66
    assert store.known("vix", datetime(2023, 2, 7, 21, 14, tzinfo=UTC)).values[-1] == 19.43
    assert np.all(store["vx_front"].values > 0)


@recorded
def test_a_month_of_prices_is_not_known_before_the_next_month_is_half_over():
    store = read_observations(RECORDED)

    known = store.known("cpi", datetime(2023, 2, 7, tzinfo=UTC))

    assert str(known.as_of[-1])[:7] == "2022-12"


@recorded
def test_meetings_are_days():
    assert date(2023, 2, 1) in read_meetings(RECORDED)


def test_a_folder_without_any_observation_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see", encoding="utf-8")

    with pytest.raises(InputError, match="no file in it is an observation"):
        read_observations(tmp_path)
