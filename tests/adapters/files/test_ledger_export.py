import csv
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.ledger_export import export
from engine.errors import ConfigError, InputError, StorageError
from engine.ledger import posting
from engine.ledger.flat import COLUMNS, as_cell, rows
from engine.money import ETH, Money, usd
from engine.positions import Sleeve
from tests.engine.ledger.events import PUT, START, cash, fill, held, steady

HOSTILE = '=HYPERLINK("http://x")'


def entries():
    return [
        posting.capital(cash(usd(1000)), key="c1", at=START, memo=HOSTILE),
        posting.entry_for(fill("f1", held(PUT, 2), cash(usd("-10.50")))),
        posting.gas(10**30 + 1, chain_id=1, transaction_hash="0xa", at=START),
    ]


def test_bean_check_accepts_the_file(tmp_path):
    pytest.importorskip("beancount")
    target = tmp_path / "journal.beancount"
    export(entries()[:2], "beancount", target)

    program = Path(sys.executable).with_name("bean-check")
    ran = subprocess.run([program, "--no-cache", target], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.fault("F94")
@pytest.mark.parametrize("format", ["beancount", "csv"])
def test_the_same_entries_give_the_same_bytes(tmp_path, format):
    first, again = tmp_path / "1", tmp_path / "2"
    export(entries()[:2], format, first)
    export(iter(entries()[:2]), format, again)

    assert first.read_bytes() == again.read_bytes()


@pytest.mark.fault("F17")
def test_pandas_reads_the_table_back_to_the_wei(tmp_path):
    target = tmp_path / "journal.csv"
    export(entries(), "csv", target)

    read = pd.read_csv(target, dtype=str)

    assert list(read.columns) == list(COLUMNS)
    gas = read[read.account == "expenses:gas:defi"].iloc[0]
    assert (int(gas.units), gas.decimals, gas.amount) == (10**30 + 1, "18", "1000000000000.000000000000000001")
    assert set(read.groupby(["entry", "instrument"]).units.apply(lambda units: sum(map(int, units)))) == {0}


@pytest.mark.fault("F74")
def test_no_cell_is_a_formula_and_numbers_stay_numbers(tmp_path):
    target = tmp_path / "journal.csv"
    export([replace(entries()[0], key="@SUM(A1)", evidence={"-": "+"})], "csv", target)

    with target.open(newline="", encoding="utf-8") as file:
        _, first, second = csv.reader(file)

    assert first[COLUMNS.index("memo")] == f"'{HOSTILE}"
    assert first[COLUMNS.index("key")] == "'@SUM(A1)"
    assert second[COLUMNS.index("amount")] == "-1000.00"


@pytest.mark.fault("F74")
@settings(steady, max_examples=50)
@given(text=st.text(max_size=8) | st.text("=+-@'\t\r1.", max_size=5))
def test_one_apostrophe_off_gives_back_every_cell(text):
    cell = as_cell(text)

    assert cell.removeprefix("'") == text if cell.startswith("'") else cell == text
    assert cell[:1] not in {"=", "+", "@", "\t", "\r"}
    assert not cell.startswith("-") or Decimal(cell) == Decimal(text)


def test_a_row_says_which_valuation_day_it_belongs_to():
    late = posting.capital(cash(Money(5, ETH), Sleeve.DEFI, "safe"), key="c", at=START.replace(hour=22))

    first, *_ = rows([late])

    assert first[COLUMNS.index("at")].startswith("2023-02-07T22")
    assert first[COLUMNS.index("day")] == "2023-02-08"


def test_parquet_without_pyarrow_names_what_to_install_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ConfigError, match="install the extra `parquet`, or export csv"):
        export(entries(), "parquet", tmp_path / "journal.parquet")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_parquet_has_the_cells_of_the_table(tmp_path):
    target = tmp_path / "journal.parquet"
    export(entries(), "parquet", target)

    assert [tuple(row) for row in pd.read_parquet(target).itertuples(index=False)] == list(rows(entries()))


def test_a_format_nobody_writes_is_refused(tmp_path):
    with pytest.raises(InputError, match="use beancount, csv, parquet"):
        export(entries(), "xlsx", tmp_path / "journal.xlsx")


def test_a_file_that_was_there_stays_when_the_new_one_fails(tmp_path):
    target = tmp_path / "journal.csv"
    target.write_text("old")

    def failing():
        yield entries()[0]
        raise OSError("disk full")

    with pytest.raises(StorageError, match="disk full"):
        export(failing(), "csv", target)
    with pytest.raises(StorageError, match="cannot be written"):
        export(entries(), "csv", tmp_path / "absent" / "journal.csv")

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
