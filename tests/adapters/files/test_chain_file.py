"""Reading chain files: both formats, every listed trap, and refusals that name the line."""

import contextlib
import gzip
import random
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.chain_file import read_chain
from engine.errors import MarketDataError, MissingQuote, StaleQuote, UnreadableMarketFile
from engine.instruments import Settlement
from engine.market import OptionChain, Severity
from engine.signals.expiries import parity_curve
from engine.signals.quality import chain_findings
from tests.adapters.files.chains import SPOT, TITLES, cboe_lines, recorded

ASOF = datetime(2026, 3, 10, 20, 15, tzinfo=UTC)
STAMP = "March 10, 2026 at 5:02 PM EDT"
WEEKS = [
    ("SPXW", date(2026, 4, 2)),
    ("SPXW", date(2026, 4, 10)),
    ("SPX", date(2026, 4, 17)),
    ("SPXW", date(2026, 4, 17)),
]


def _write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines), "utf-8")
    return path


def _codes(chain: OptionChain) -> set[str]:
    return {finding.code for finding in chain.findings}


@pytest.mark.fault("F82")
def test_two_roots_of_one_day_become_two_slices_with_their_own_instants(tmp_path: Path) -> None:
    chain = read_chain(_write(tmp_path / "chain.csv", cboe_lines(STAMP, ASOF, WEEKS)))

    assert (chain.underlying, chain.spot, chain.asof) == ("SPX", SPOT, ASOF)
    assert [(part.root, part.settlement) for part in chain.slices] == [
        ("SPXW", Settlement.PM),
        ("SPXW", Settlement.PM),
        ("SPX", Settlement.AM),
        ("SPXW", Settlement.PM),
    ]
    assert chain.slices[2].expiry == datetime(2026, 4, 17, 13, 30, tzinfo=UTC)
    assert chain.slices[3].expiry == datetime(2026, 4, 17, 20, 0, tzinfo=UTC)
    assert all((np.diff(part.strikes) > 0).all() for part in chain.slices)


@pytest.mark.fault("F82")
def test_a_line_that_pairs_two_roots_is_told_apart_by_the_symbols(tmp_path: Path) -> None:
    lines = cboe_lines(STAMP, ASOF, WEEKS)
    swapped = [line.replace("SPX260417P05000000", "SPXW260417P05000000", 1) for line in lines]
    swapped = [line for line in swapped if not ("SPXW260417C05000000" in line and "SPXW260417P05000000" in line)]

    chain = read_chain(_write(tmp_path / "chain.csv", swapped))

    morning, afternoon = chain.slices[2], chain.slices[3]
    at = int(np.searchsorted(morning.strikes, 5000.0))
    assert np.isfinite(morning.call_bid[at])
    assert np.isnan(morning.put_bid[at])
    assert np.isfinite(afternoon.put_ask[np.searchsorted(afternoon.strikes, 5000.0)])


@pytest.mark.parametrize(
    ("stamp", "titles"),
    [
        ("10. März 2026 um 17:02 GMT-4", "Verfall,Calls,Letzter,Netto,Geld,Brief,Volumen,IV,Delta,Gamma,Offen"),
        ("10 mars 2026 à 17:02 UTC−4", "Échéance,Calls,Dernier,Net,Achat,Vente,Volume,VI,Delta,Gamma,Ouvert"),
        (
            "10 de marzo de 2026, 5:02 p. m. EDT",
            "Vencimiento,Calls,Último,Neto,Compra,Venta,Volumen,IV,Delta,Gamma,Abierto",
        ),
    ],
)
def test_other_languages_read_as_english_does(tmp_path: Path, stamp: str, titles: str) -> None:
    english = read_chain(_write(tmp_path / "en.csv", cboe_lines(STAMP, ASOF, WEEKS)))
    lines = cboe_lines(stamp, ASOF, WEEKS)
    lines[3] = f"{titles},Strike,Puts,{titles.split(',', 2)[2]}"
    lines[2] = lines[2].replace("Date:", "Datum:")

    other = read_chain(_write(tmp_path / "other.csv", lines))

    assert (other.asof, other.stamp) == (english.asof, english.stamp)
    for one, two in zip(english.slices, other.slices, strict=True):
        np.testing.assert_array_equal(one.call_bid, two.call_bid)
        np.testing.assert_array_equal(one.put_ask, two.put_ask)


@pytest.mark.fault("F76")
@pytest.mark.parametrize("bad", ["nan", "NaN", "inf", "-inf", "-0.05", "1e400", "n/a", "1,5"])
def test_a_quote_that_is_no_number_is_refused_with_line_and_column(tmp_path: Path, bad: str) -> None:
    lines = cboe_lines(STAMP, ASOF, WEEKS)
    cells = lines[9].split(",")
    cells[15] = f'"{bad}"'
    lines[9] = ",".join(cells)

    with pytest.raises(UnreadableMarketFile, match=r"line 10: column 16 \('Bid'\)"):
        read_chain(_write(tmp_path / "chain.csv", lines))


@pytest.mark.parametrize(
    ("column", "written", "reason"),
    [
        (11, "4100.00", "is not that of"),
        (11, "0", "line 10: column 12"),
        (1, "SPXW260402X04125000", "line 10: column 2"),
        (0, "Mon Apr 06 2026", "line 10: column 1 says 2026-04-06"),
    ],
)
def test_a_line_that_contradicts_itself_is_refused(tmp_path: Path, column: int, written: str, reason: str) -> None:
    lines = cboe_lines(STAMP, ASOF, WEEKS)
    cells = lines[9].split(",")
    cells[column] = written
    lines[9] = ",".join(cells)

    with pytest.raises(UnreadableMarketFile, match=reason):
        read_chain(_write(tmp_path / "chain.csv", lines))


def test_an_empty_cell_is_no_quote_and_a_zero_volatility_is_none(tmp_path: Path) -> None:
    lines = cboe_lines(STAMP, ASOF, WEEKS[:1])
    cells = lines[4].split(",")
    cells[4], cells[7] = "", "0"
    lines[4] = ",".join(cells)

    part = read_chain(_write(tmp_path / "chain.csv", lines)).slices[0]

    assert np.isnan(part.call_bid[0])
    assert np.isnan(part.call_iv[0])
    assert part.call_iv[1] == 0.18


@pytest.mark.fault("F77")
def test_a_strike_listed_twice_keeps_the_worst_of_both_sides_and_says_so(tmp_path: Path) -> None:
    lines = cboe_lines(STAMP, ASOF, WEEKS[:1])
    cells = lines[44].split(",")
    strike, bid, ask = float(cells[11]), float(cells[4]), float(cells[5])
    cells[4], cells[5] = f"{bid - 1}", f"{ask - 0.5}"
    lines.append(",".join(cells))

    chain = read_chain(_write(tmp_path / "chain.csv", lines))

    part = chain.slices[0]
    at = int(np.searchsorted(part.strikes, strike))
    assert (part.call_bid[at], part.call_ask[at]) == pytest.approx((bid - 1, ask))
    (twice,) = [finding for finding in chain.findings if finding.code == "duplicate_strike"]
    assert twice.strikes == (strike,)


@pytest.mark.parametrize(
    ("stamp", "severity"),
    [("March 10, 2026 at 5:02 PM EDT", Severity.NOTE), ("March 11, 2026 at 8:02 AM EDT", Severity.WARNING)],
)
def test_the_lag_of_the_stamp_is_a_finding(tmp_path: Path, stamp: str, severity: Severity) -> None:
    chain = read_chain(_write(tmp_path / "chain.csv", cboe_lines(stamp, ASOF, WEEKS)))

    assert chain.asof == ASOF
    assert [finding.severity for finding in chain.findings if finding.code == "stale"] == [severity]


@pytest.mark.fault("F97")
def test_settled_expiries_and_those_past_the_calendar_are_left_out_with_a_finding(tmp_path: Path) -> None:
    contracts = [("SPXW", date(2026, 3, 10)), *WEEKS]
    lines = cboe_lines(STAMP, ASOF, contracts)
    lines += [
        line.replace("Thu Apr 02 2026", "Fri Dec 20 2069").replace("260402", "691220")
        for line in lines
        if "260402" in line
    ]

    chain = read_chain(_write(tmp_path / "chain.csv", lines))

    assert len(chain.slices) == len(WEEKS)
    assert {"expired", "beyond_calendar"} <= _codes(chain)


@pytest.mark.fault("F76")
def test_a_file_saved_before_the_open_without_quotes_is_refused_as_stale(tmp_path: Path) -> None:
    lines = cboe_lines("March 11, 2026 at 8:02 AM EDT", ASOF, WEEKS)
    dead = lines[:4] + [_without_bids(line) for line in lines[4:]]

    with pytest.raises(StaleQuote, match="outside trading hours"):
        read_chain(_write(tmp_path / "chain.csv", dead))
    with pytest.raises(MissingQuote, match="two-sided"):
        read_chain(_write(tmp_path / "late.csv", [*cboe_lines(STAMP, ASOF, [])[:4], *dead[4:]]))


def _without_bids(line: str) -> str:
    cells = line.split(",")
    cells[4] = cells[15] = "0"
    return ",".join(cells)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        "hello",
        f"\nIndex,Last: 5,Change: 1\nno stamp\n{TITLES}\n",
        f"\nIndex,Last: 6000,Change: 1\nDate: someday,Bid: 1,Ask: 2\n{TITLES}\n",
        f"\nIndex,Last: 6000,Change: 1\nDate: March 10 2026 5:02 PM EDT,Bid: 1,Ask: 2\n{TITLES}\n",
        f"\nIndex,Last: 6000,Change: 1\nDate: March 10 2026 5:02 PM EDT,Bid: 1,Ask: 2\n{TITLES}\na,b,c\n",
        "expiry,strike,right,bid,ask\n",
        "expiry,strike,right,bid,ask\n2026-04-02,5000,X,1,2\n",
    ],
)
def test_what_is_no_chain_is_a_typed_refusal(tmp_path: Path, text: str) -> None:
    path = tmp_path / "chain.csv"
    path.write_text(text, "utf-8")

    with pytest.raises((UnreadableMarketFile, MissingQuote)):
        read_chain(path)


def test_a_missing_binary_or_broken_file_is_a_typed_refusal(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"x" * 1000)[:40])
    for name in ("absent.csv", "binary", "broken.gz", "."):
        with pytest.raises(UnreadableMarketFile):
            read_chain(tmp_path / name)


@pytest.mark.fault("F76")
@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_read_or_refused_but_never_crashes(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    text = "\n".join(cboe_lines(STAMP, ASOF, WEEKS, strikes=np.arange(5000.0, 7001.0, 100.0)))
    junk = [
        "nan",
        "inf",
        "-1",
        "",
        ",",
        '"',
        "\n",
        "\x00",
        "1e400",
        "9" * 20,
        "SPXW261399",
        "Last:",
        "é",
        "A" * 140_000,
    ]
    for _ in range(chance.choice([1, 2, 20])):
        at = chance.randrange(600 if chance.random() < 0.5 else len(text))
        text = text[:at] + chance.choice(junk) + text[at + chance.choice([0, 1, 3, 80]) :]
    path = tmp_path_factory.mktemp("damaged") / "chain.csv"
    path.write_text(text, "utf-8", newline="")

    with contextlib.suppress(MarketDataError):
        chain = read_chain(path)
        chain_findings(chain, parity_curve(chain))


LONG = "id,snapshot_id,expiry,dte,strike,right,bid,ask,iv,intrinsic_value"


def test_the_long_format_names_its_assumptions_and_takes_them_as_options(tmp_path: Path) -> None:
    rows = [f"1,9,2026-03-12,2,{k},C,{max(6000 - k, 0) + 20},{max(6000 - k, 0) + 21},18.5," for k in (5990, 6000, 6010)]
    rows += [
        f"1,9,2026-03-12,2,{k},P,{max(k - 6000, 0) + 20},{max(k - 6000, 0) + 21},18.5," for k in (5990, 6000, 6010)
    ]
    path = tmp_path / "long.csv.gz"
    path.write_bytes(gzip.compress("\n".join([LONG, *rows]).encode()))

    chain = read_chain(path)
    told = read_chain(path, asof=ASOF, spot=6001.0)

    assert (chain.asof, chain.spot) == (ASOF, 6000.0)
    assert {"asof_assumed", "spot_derived", "root_assumed"} <= _codes(chain)
    assert chain.slices[0].call_iv[0] == pytest.approx(0.185)
    assert told.spot == 6001.0
    assert not {"asof_assumed", "spot_derived"} & _codes(told)


@pytest.mark.fault("F76")
def test_the_long_format_refuses_nan_and_two_snapshots(tmp_path: Path) -> None:
    good = "1,9,2026-03-12,2,6000,C,20,21,18.5,"
    with pytest.raises(UnreadableMarketFile, match="line 3: column 'ask'"):
        read_chain(_write(tmp_path / "a.csv", [LONG, good, good.replace("21", "nan")]))
    with pytest.raises(UnreadableMarketFile, match="snapshot_id"):
        read_chain(_write(tmp_path / "b.csv", [LONG, good, good.replace("1,9", "1,10")]))


@pytest.mark.parametrize(
    ("name", "underlying", "asof"),
    [
        ("chains/spx-2022-06-10.csv", "SPX", datetime(2022, 6, 10, 20, 15, tzinfo=UTC)),
        ("chains/spx-2023-02-07.csv", "SPX", datetime(2023, 2, 7, 21, 15, tzinfo=UTC)),
        ("chains/spx-2023-09-14.csv", "SPX", datetime(2023, 9, 14, 20, 15, tzinfo=UTC)),
        ("chains/xsp-2023-09-14.csv", "XSP", datetime(2023, 9, 14, 20, 15, tzinfo=UTC)),
        ("chains/spy-2023-09-14.csv", "SPY", datetime(2023, 9, 14, 20, 15, tzinfo=UTC)),
        ("chains/spx-2026-07-23-near.csv.gz", "SPX", datetime(2026, 7, 23, 20, 15, tzinfo=UTC)),
    ],
)
def test_every_recorded_chain_is_read_at_its_session_close(name: str, underlying: str, asof: datetime) -> None:
    chain = read_chain(recorded(name))

    assert (chain.underlying, chain.asof) == (underlying, asof)
    assert ("american_exercise" in _codes(chain)) == (underlying == "SPY")
    assert len(chain.slices) > 15
