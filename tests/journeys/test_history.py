"""`hedge simulate history` as an operator runs it."""

import json
from datetime import date

import pytest
import typer

from scripts.hedge import run
from scripts.history import history
from tests.adapters.files.chains import recorded

APP = typer.Typer()
APP.command()(history)


@pytest.fixture
def data():
    recorded("volatility/vix-daily-1990-2026.csv")
    return recorded("equity/spx-daily-1999-2023.csv").parents[1]


@pytest.fixture
def closes(data, tmp_path):
    """The two histories without which there is no outcome, and no other."""
    for name in ("equity/spx-daily-1999-2023.csv", "volatility/vix-daily-1990-2026.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).symlink_to(data / name)
    return tmp_path


def ran(capsys, *arguments):
    code = run(APP, [str(each) for each in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.journey
@pytest.mark.requirement("S58")
def test_one_document_holds_every_layer_with_its_matrix(capsys, data):
    code, out, _ = ran(capsys, "--data", data, "--from", "2008-01-02", "--to", "2009-12-31", "--json")

    document = json.loads(out)
    assert (code, document["schema"], document["status"]) == (0, "hedge/history/1", "replayed")
    assert document["stress"] == {"sessions": 21, "fall": 0.05, "rise": 0.5}
    for layer in document["layers"]:
        assert sum(layer["confusion"].values()) == document["labelled"]
        for each in layer["intervals"]:
            assert date(2008, 1, 2) <= date.fromisoformat(each["first"]) <= date.fromisoformat(each["last"])
    assert document["not_by_rule"] == ["core", "vix-first"]
    assert document["adds_risk"] == ["overlay"]


@pytest.mark.journey
@pytest.mark.requirement("S58")
def test_the_operator_reads_when_each_layer_was_on_and_what_followed(capsys, closes):
    code, out, _ = ran(capsys, "--data", closes, "--from", "2008-08-01", "--to", "2008-12-31")

    assert code == 0
    assert "106 closes from 2008-08-01 to 2008-12-31" in out  # 21, 21, 23, 19 and 22 sessions
    assert "over-hedged" in out
    assert "nobody supplies bond_wacc_jump" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "yesterday"), "no day"),
        (("--from", "2010-01-04", "--to", "2010-01-04"), "not before the last"),
        (("--from", "2030-01-02", "--to", "2031-01-02"), "the record ends"),
    ],
)
def test_days_that_mean_nothing_are_refused_in_one_line(capsys, closes, arguments, says):
    code, out, err = ran(capsys, "--data", closes, *arguments)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_folder_that_is_not_there_is_refused(capsys, tmp_path):
    code, out, err = ran(capsys, "--data", tmp_path / "nowhere")

    assert (code, out) == (2, "")
    assert "nowhere" in err


def test_a_folder_without_closes_is_refused_before_anything_is_shown(capsys, tmp_path):
    code, out, err = ran(capsys, "--data", tmp_path)

    assert (code, out) == (2, "")
    assert "no file in it is an observation" in err
