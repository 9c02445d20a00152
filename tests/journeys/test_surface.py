"""`hedge surface`: tables, one document, one page, and refusals in one line."""

import json
from datetime import UTC, date, datetime

import pytest
import typer

from scripts.hedge import run
from scripts.surface import surface
from tests.adapters.files.chains import cboe_lines, recorded

ASOF = datetime(2026, 3, 10, 20, 15, tzinfo=UTC)
WEEKS = [("SPXW", date(2026, 3, 27)), ("SPX", date(2026, 4, 17)), ("SPXW", date(2026, 5, 29))]


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    path = tmp_path_factory.mktemp("chain") / "spx.csv"
    path.write_text("\n".join(cboe_lines("March 10, 2026 at 4:40 PM EDT", ASOF, WEEKS)), "utf-8")
    return path


def hedge_surface(*arguments):
    application = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    application.command()(surface)
    return run(application, [str(argument) for argument in arguments])


def test_a_chain_is_shown_expiry_by_expiry(chain, capsys):
    assert hedge_surface(chain, "--rate", "4.2%") == 0

    shown = capsys.readouterr().out
    assert "free of arbitrage" in shown
    assert all(str(day) in shown for _, day in WEEKS)
    assert "18.00" in shown
    assert "next: hedge surface" in shown


@pytest.mark.requirement("D02")
@pytest.mark.requirement("D03")
def test_the_document_carries_curves_fit_and_distances(chain, capsys):
    assert hedge_surface(chain, "--rate", "4.2%", "--json", "--expiry", "2026-04-17") == 0

    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "hedge/surface/1"
    assert told["status"] == "free"
    (row,) = told["expiries"]
    assert row["atm_vol"] == pytest.approx(0.18, abs=1e-3)
    assert row["min_g"]["g"] >= 0
    assert set(row["plain_svi"]) >= {"a", "b", "rho", "m", "s", "rms", "inside"}
    two = next(part for part in row["distances"] if part["deviations"] == 2.0)
    assert two["listed_put"] <= two["put"] < two["call"] <= two["listed_call"]
    assert two["inside"] == pytest.approx(0.954, abs=3e-3)


def test_the_page_is_one_file_with_a_smile_for_each_expiry(chain, tmp_path, capsys):
    page = tmp_path / "surface.html"

    assert hedge_surface(chain, "--rate", "4.2%", "--html", page) == 0

    text = page.read_text("utf-8")
    assert text.count("<svg") == 1 + len(WEEKS)
    assert "<script" not in text
    assert 'href="http' not in text
    assert f"written to {page}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--expiry", "soon"], 2), (["--expiry", "2026-04-18"], 30), (["--html", "/nowhere/at/all.html"], 2)],
)
def test_what_cannot_be_done_is_one_line_and_its_own_exit_code(chain, capsys, arguments, code):
    assert hedge_surface(chain, "--rate", "4.2%", *arguments) == code

    complaint = capsys.readouterr().err
    assert complaint.startswith("hedge: ")
    assert complaint.count("\n") == 1


def test_american_options_have_no_surface(capsys):
    assert hedge_surface(recorded("chains/spy-2023-09-14.csv")) == 30

    assert "american" in capsys.readouterr().err.lower()


@pytest.mark.fault("F76")
@pytest.mark.fault("F77")
def test_a_crossed_quote_and_a_strike_listed_twice_are_named_beside_the_smiles(chain, tmp_path, capsys):
    *head, row, last = chain.read_text(encoding="utf-8").splitlines()
    cells = row.split(",")
    cells[4], cells[5] = "9", "8"
    spoilt = tmp_path / "spoilt.csv"
    spoilt.write_text("\n".join([*head, ",".join(cells), last, last]), encoding="utf-8")

    assert hedge_surface(spoilt, "--rate", "4.2%", "--json") == 0

    told = {row["code"]: row for row in json.loads(capsys.readouterr().out)["findings"]}
    assert told["crossed"]["strikes"] == [float(cells[11])]
    assert told["duplicate_strike"]["strikes"] == [float(last.split(",")[11])]
