"""`hedge market inspect`: the document's keys, the index without a given rate, and refusals."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.errors import InputError, UnreadableMarketFile
from scripts.market import app
from tests.adapters.files.chains import cboe_lines, recorded

ASOF = datetime(2026, 3, 10, 20, 15, tzinfo=UTC)
WEEKS = [("SPXW", date(2026, 4, 2)), ("SPXW", date(2026, 4, 10))]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "chain.csv"
    path.write_text("\n".join(cboe_lines("March 10, 2026 at 4:40 PM EDT", ASOF, WEEKS)), "utf-8")
    return path


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.fault("F91")
def test_the_document_has_exactly_the_published_keys(file: Path) -> None:
    document = json.loads(_run(file, "--json", "--rate", "4.2%"))

    assert set(document) == {"schema", "status", "next", "asof", "spot", "vix", "expiries", "findings"}
    assert {key for row in document["expiries"] for key in row} == {
        "expiry",
        "root",
        "forward",
        "rate",
        "parity_rate",
        "parity_residual",
        "atm_vol",
        "quotes_used",
    }
    assert {key for row in document["findings"] for key in row} == {"code", "severity", "expiry", "strikes"}
    assert document["asof"] == ASOF.isoformat()
    assert document["vix"] == pytest.approx(18.0, abs=0.15)
    assert document["expiries"][0]["rate"] == pytest.approx(0.042)


def test_without_a_rate_the_assumed_one_is_a_finding(file: Path) -> None:
    assert "rate_assumed" in {row["code"] for row in json.loads(_run(file, "--json"))["findings"]}
    assert "rate_assumed" not in _run(file, "--rate", "4.2%")


@pytest.mark.fault("F69")
@pytest.mark.parametrize("rate", ["4.65", "0.0465", "nan%", "inf%", "four%", "%", "465%"])
def test_a_rate_that_is_no_percentage_is_refused(file: Path, rate: str) -> None:
    with pytest.raises(InputError):
        _run(file, "--rate", rate)


def test_hostile_names_reach_the_terminal_without_control_characters(file: Path) -> None:
    evil = file.rename(file.with_name("\x1b[2Jchain.csv"))

    assert "\x1b" not in _run(evil)


def test_two_rates_a_naive_instant_or_a_negative_spot_are_refused(file: Path) -> None:
    for wrong in (("--rate", "4%", "--rates", file), ("--asof", "2026-03-10T16:15"), ("--spot", "-5")):
        with pytest.raises(InputError):
            _run(file, *wrong)
    with pytest.raises(UnreadableMarketFile):
        _run(file.parent / "absent.csv")


@pytest.mark.parametrize(("name", "close"), [("2022-06-10", 27.75), ("2023-02-07", 18.66), ("2023-09-14", 12.82)])
def test_recorded_chains_give_the_recorded_close_with_any_rate(name: str, close: float) -> None:
    path, bills = recorded(f"chains/spx-{name}.csv"), recorded("macro/tbills-3m.csv")

    for rate in ((), ("--rates", bills)):
        assert json.loads(_run(path, "--json", *rate))["vix"] == pytest.approx(close, abs=0.05)


def test_importing_the_verb_imports_nothing_heavy() -> None:
    probe = (
        "import sys, scripts.market; "
        "print({'numpy','pandas','pydantic','rich','scipy','exchange_calendars'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
